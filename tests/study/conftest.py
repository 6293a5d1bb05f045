"""One small study, run once and looked at by many tests; who would change it works on a copy."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import MadeOnce

from pellucid.engine.tasks import Result, Task
from pellucid.ground.files import read_tsv, write_tsv
from pellucid.ground.progress import Progress
from pellucid.simulate.cohort import simulate_cohort
from pellucid.simulate.settings import CohortSettings
from pellucid.spec.reading import read_spec
from pellucid.study.run import run_study

TINY = Path(__file__).parent / "tiny.toml"


class Counter:
    """A watcher that counts what begins, and can stop the run there."""

    def __init__(self, stop: str = "") -> None:
        self.begun: list[str] = []
        self._stop = stop

    def begin(self, task: Task, number: int, total: int) -> Progress:
        if task.name == self._stop:
            raise KeyboardInterrupt
        self.begun.append(task.name)
        return lambda done, of, what: None

    def end(self, result: Result, number: int, total: int) -> None:
        pass


@pytest.fixture(scope="session")
def counter() -> type[Counter]:
    """The watcher above, for tests that run studies."""
    return Counter


WITHOUT = "sub-0002"


@pytest.fixture(scope="session")
def one_without_mask(made_once: MadeOnce) -> tuple[Path, str]:
    """A simulated dataset of 4 mm, eight patients and controls each, and the one whose lesions nobody drew."""

    def make(root: Path) -> None:
        simulate_cohort(root, CohortSettings(patients=8, controls=8, voxel_size=4.0, seed=4))
        (mask,) = (root / "derivatives" / "lesions" / WITHOUT).glob("anat/*_mask.nii.gz")
        mask.unlink()
        people = read_tsv(root / "participants.tsv").drop(columns="lesion_volume_ml", errors="ignore")
        write_tsv(root / "participants.tsv", people)

    return made_once("ms", make), WITHOUT


@pytest.fixture(scope="session")
def undisturbed(made_once: MadeOnce) -> Path:
    def make(root: Path) -> None:
        results = run_study(read_spec(TINY), root, watcher=Counter(), command=["pellucid", "test"])
        assert [result.error for result in results if result.state != "done"] == []

    return made_once("undisturbed", make)
