"""What every test may use: the data beside the checkout, folders that are made once, and hypothesis without a clock."""

from __future__ import annotations

import importlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from tests.runs import Counter

settings.register_profile(
    "pellucid", max_examples=50, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
settings.load_profile("pellucid")

OWN = Path(__file__).parent / "own"
"""Networks, methods and rules of a user's own, which no test finds unless it is told where."""

collect_ignore = [str(OWN)]
"""Not even to look for doctests: what is imported is registered, and stays so for all tests of the process."""

_SHARED = Path(__file__).resolve().parents[2] / "shared"


def _folder(path: Path, what: str) -> Path:
    if not path.is_dir():
        pytest.skip(f"{what} not found at {path}")
    return path


LONGEST = (
    "attribution/test_recording.py", "cli/test_preprocess.py", "cli/test_signals.py", "cli/test_strangers.py",
    "engine/test_dispatch.py", "report/test_page.py", "study/test_null.py", "study/test_plugins.py",
    "study/test_run.py",
)  # fmt: skip
"""Slow files that take a worker more than a minute: begun last, one would keep the others waiting."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files without a slow test first, then the longest."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    longest = {Path(__file__).parent / name for name in LONGEST}
    items.sort(key=lambda item: (item.path in slow, item.path not in longest))


MadeOnce = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> MadeOnce:
    """A folder that takes long to make: the worker that asks first makes it, and each gets a copy of its own."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def copy_of(name: str, make: Callable[[Path], object]) -> Path:
        original, done = shared / "made-once" / name, shared / "made-once" / f"{name}.done"
        original.parent.mkdir(exist_ok=True)
        with FileLock(original.with_name(f"{name}.lock")):
            if not done.exists():
                shutil.rmtree(original, ignore_errors=True)  # of a worker that failed
                make(original)
                done.touch()
        return Path(shutil.copytree(original, tmp_path_factory.mktemp(name) / name))

    return copy_of


@pytest.fixture(scope="module")
def own_methods() -> Iterator[ModuleType]:
    """A user's own methods and rules, where Python finds them, this process's and others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(OWN))
        patch.setenv("PYTHONPATH", str(OWN), prepend=os.pathsep)
        yield importlib.import_module("ownmethods")


@pytest.fixture(scope="session")
def counter() -> type[Counter]:
    """A watcher that counts what begins, for tests that run studies."""
    from tests.runs import Counter

    return Counter


@pytest.fixture(scope="session")
def undisturbed(made_once: MadeOnce) -> Path:
    """The run of the tiny study, as it was left."""
    from tests.runs import run_tiny

    return made_once("undisturbed", run_tiny)


@pytest.fixture(scope="session")
def finished_run(made_once: MadeOnce, undisturbed: Path) -> Path:
    """A run with all that a page shows; tests that change it take a `copy`."""
    from tests.runs import run_reported

    return made_once("reported", lambda root: run_reported(undisturbed, root))


@pytest.fixture
def copy(finished_run: Path, tmp_path: Path) -> Path:
    """A run directory of the test's own, to spoil."""
    from tests.runs import copy_run

    return copy_run(finished_run, tmp_path / "run")


@pytest.fixture
def empty_run(tmp_path: Path) -> Path:
    """A run directory of which nothing is left but its record."""
    (tmp_path / "record.json").write_text("{}", encoding="utf-8")
    return tmp_path


@pytest.fixture(scope="session")
def restate() -> Callable[..., None]:
    """Change what the sidecar of a scan's map in a folder says; of all scans without a name."""
    from pellucid.ground.files import read_json, write_json

    def change(folder: Path, name: str = "sub", **said: object) -> None:
        for path in folder.glob(f"{name}*_relevance.json"):
            write_json(path, read_json(path) | said)

    return change


@pytest.fixture(scope="session")
def one_without_mask(made_once: MadeOnce) -> tuple[Path, str]:
    """A simulated dataset of 4 mm, eight patients and controls each, and the one whose lesions nobody drew."""
    from tests.runs import WITHOUT, make_one_without_mask

    return made_once("ms", make_one_without_mask), WITHOUT


@pytest.fixture(scope="session")
def arm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an arm with one untrained model of two channels, selected."""
    from tests.small import write_arm

    folder = tmp_path_factory.mktemp("models") / "arm"
    write_arm(folder)
    return folder


@pytest.fixture(scope="session")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two scans in MNI space at 4 mm, one with a bright spot at (30, -50, 20) mm, and its lesion mask."""
    from tests.small import write_scans

    folder = tmp_path_factory.mktemp("scans")
    write_scans(folder)
    return folder


_DATA = Path(os.environ.get("PELLUCID_TEST_DATA", _SHARED / "data"))
_PATIENTS = _DATA / "ms_real" / "open_ms_data"
_RAW_PAIRS = _DATA / "raw_pairs" / "open_ms_data_longitudinal"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real MRI for tests: `../shared/data`, or where PELLUCID_TEST_DATA points."""
    return _folder(_DATA, "the test data")


@pytest.fixture(scope="session")
def patients(made_once: MadeOnce) -> Path:
    """FLAIR, T1 and lesions of two brain-extracted patients in MNI space: real, or simulated where there are none."""
    from tests.stand_ins import write_patients

    return _PATIENTS if _PATIENTS.is_dir() else made_once("patients", write_patients)


@pytest.fixture(scope="session")
def real_patients() -> bool:
    """Whether `patients` are the real ones."""
    return _PATIENTS.is_dir()


@pytest.fixture(scope="session")
def raw_pairs(made_once: MadeOnce) -> Path:
    """Raw T1w and FLAIR of whole heads in scanner space: real, or simulated where there are none."""
    from tests.stand_ins import write_raw_pairs

    return _RAW_PAIRS if _RAW_PAIRS.is_dir() else made_once("raw-pairs", write_raw_pairs)


@pytest.fixture(scope="session")
def shared_golden() -> Path:
    """Reference maps of the original implementation: `../shared/golden`."""
    return _folder(_SHARED / "golden", "the reference maps")
