"""Small studies that are run once and looked at by many tests; who would change one works on a copy."""

from __future__ import annotations

from pathlib import Path

from pellucid.engine.tasks import Result, Task
from pellucid.ground.files import read_tsv, write_tsv
from pellucid.ground.progress import Progress
from pellucid.simulate.cohort import simulate_cohort
from pellucid.simulate.settings import CohortSettings
from pellucid.spec.reading import read_spec
from pellucid.study.run import run_study

TINY = Path(__file__).parent / "study" / "tiny.toml"


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


WITHOUT = "sub-0002"


def make_one_without_mask(root: Path) -> None:
    """Simulate a dataset of 4 mm, eight patients and controls each, and delete the lesion mask of `WITHOUT`."""
    simulate_cohort(root, CohortSettings(patients=8, controls=8, voxel_size=4.0, seed=4))
    (mask,) = (root / "derivatives" / "lesions" / WITHOUT).glob("anat/*_mask.nii.gz")
    mask.unlink()
    people = read_tsv(root / "participants.tsv").drop(columns="lesion_volume_ml", errors="ignore")
    write_tsv(root / "participants.tsv", people)


def run_tiny(root: Path) -> None:
    """Run the tiny study."""
    results = run_study(read_spec(TINY), root, watcher=Counter(), command=["pellucid", "test"])
    assert [result.error for result in results if result.state != "done"] == []
