"""What tests of the command line share: the command itself, and a small cohort."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from pellucid.cli.main import run
from pellucid.simulate.cohort import simulate_cohort
from pellucid.simulate.settings import CohortSettings


class Outcome(NamedTuple):
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str


Command = Callable[..., Outcome]


@pytest.fixture
def pellucid(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command line in this process."""

    def call(*arguments: object) -> Outcome:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            run([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        code = ended.value.code
        assert code is None or isinstance(code, int)
        return Outcome(code or 0, printed.out, printed.err)

    return call


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated BIDS cohort of five patients and five controls at 4 mm."""
    folder = tmp_path_factory.mktemp("bids") / "ms"
    simulate_cohort(folder, CohortSettings(patients=5, controls=5, seed=5, voxel_size=4.0))
    return folder
