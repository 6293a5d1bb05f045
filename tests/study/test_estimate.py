"""What a study will take: the arithmetic on shapes and on a record, and against a small study that ran."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pellucid.ground.errors import InputError
from pellucid.ground.files import write_json
from pellucid.rundir.folder import RunFolder
from pellucid.spec.reading import parse_spec, read_spec
from pellucid.spec.spec import Spec
from pellucid.study import estimate as module
from pellucid.study.estimate import Estimate, estimate, free_bytes
from pellucid.study.plan import Plan
from pellucid.study.run import study_tasks

TINY = Path(__file__).parent / "tiny.toml"

PAPER = """
[study]
name = "paper"
[cohorts.ms]
bids = "data"
modality = "FLAIR"
positive = "MS"
negative = "HC"
[splits.ms]
holdout = 23
[training.scratch]
cohort = "ms"
trials = 10
[explain]
arms = ["scratch"]
"""
SCANS = {"ms": 147}  # 23 held out


@pytest.fixture(autouse=True)
def networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weigh no network; a test whose matter it is undoes that."""
    monkeypatch.setattr(module, "network_bytes", lambda name, arm, grid: (1000, 70_000_000))


def paper(change: str = "", by: str = "") -> Spec:
    return parse_spec(PAPER.replace(change, by) if change else PAPER, file=Path("/nowhere/study.toml"))


def nothing(name: str) -> bool:
    return False


def of(found: Estimate, work: str) -> dict[str, Any]:
    """Return the row of a kind of work."""
    return dict(found.rows.set_index("work").loc[work])


def test_the_disk_holds_a_store_and_its_images_twice_while_it_is_built() -> None:
    found = estimate(paper(), SCANS, complete=nothing)
    voxels = 147 * 96 * 114 * 96
    assert of(found, "store")["disk_bytes"] == 6 * voxels
    assert of(found, "train")["disk_bytes"] == 10 * 1000
    assert found.disk_bytes == found.rows["disk_bytes"].sum() + 4 * voxels


def test_a_filled_store_is_as_large_again() -> None:
    spec = paper('[explain]\narms = ["scratch"]', '[training.filled]\ncohort = "ms"\nimages = "lesion-filled"')
    found = of(estimate(spec, SCANS, complete=nothing), "store")
    assert (found["tasks"], found["disk_bytes"]) == (2, 2 * 147 * 6 * 96 * 114 * 96)


def test_each_fold_trains_and_everyone_gets_a_map() -> None:
    spec = paper("holdout = 23", 'scheme = "cross-validation"\nfolds = 5')
    found, plain = estimate(spec, {"ms": 100}, complete=nothing), estimate(paper(), {"ms": 100}, complete=nothing)
    assert (of(found, "train")["tasks"], of(plain, "train")["tasks"]) == (50, 10)
    each = of(plain, "explain")["disk_bytes"] / 23
    assert of(found, "explain")["disk_bytes"] == 100 * each
    every = estimate(paper('arms = ["scratch"]', 'arms = ["scratch"]\ntrials = "all"'), {"ms": 100}, complete=nothing)
    assert of(every, "explain")["disk_bytes"] == 2 * 23 * each  # the mean of ten models, and their SD


def test_every_task_is_counted_once() -> None:
    found = estimate(paper(), SCANS, complete=nothing)
    assert found.rows["tasks"].sum() == len(study_tasks(Plan(paper(), RunFolder(Path()))))


def test_complete_tasks_cost_nothing() -> None:
    found = estimate(paper(), SCANS, complete=lambda name: name != "train/scratch/trial-03")
    assert found.rows["work"].tolist() == ["train"]
    assert found.disk_bytes == 1000
    found = estimate(paper(), SCANS, complete=lambda name: True)
    assert (found.disk_bytes, found.memory_bytes) == (0, 0)
    assert found.words(Path.cwd()) == "Nothing is left to run."


def test_no_time_is_told_before_the_first_of_a_kind_is_done(tmp_path: Path) -> None:
    found = estimate(paper(), SCANS, complete=nothing)
    assert found.rows["timed"].sum() == 0
    assert found.words(tmp_path).startswith("To run: time not known before the first is done, ")


@pytest.fixture
def begun(tmp_path: Path) -> RunFolder:
    """A run whose first trial and store are done."""
    folder = RunFolder(tmp_path)
    trained = {"epochs": 40, "settings": {"max_epochs": 200}}
    write_json(folder.trial("scratch", 0) / "model.json", {"trained": trained})
    tasks = {
        "train/scratch/trial-00": {"state": "done", "seconds": 600.0},
        "train/scratch/trial-01": {"state": "failed", "seconds": 1.0},
        "train/scratch/trial-02": {"state": "running"},
        "store/ms": {"state": "done", "seconds": 77.0},
    }
    write_json(folder.record, {"tasks": tasks})
    return folder


def test_trials_take_what_those_of_the_arm_took_and_more_if_none_stops_early(begun: RunFolder) -> None:
    found = estimate(paper(), SCANS, complete="train/scratch/trial-00".__eq__, folder=begun)
    row = of(found, "train")
    assert (row["tasks"], row["timed"], row["seconds"]) == (9, 9, 9 * 600.0)
    assert row["seconds_at_most"] == pytest.approx(9 * 600.0 * 200 / 40)
    assert of(found, "store")["seconds"] == of(found, "store")["seconds_at_most"] == 77.0
    assert of(found, "explain")["timed"] == 0


def test_an_arm_says_nothing_of_another(begun: RunFolder) -> None:
    spec = paper("[explain]", '[training.other]\ncohort = "ms"\ntrials = 3\n[explain]')
    row = of(estimate(spec, SCANS, complete="train/scratch/trial-00".__eq__, folder=begun), "train")
    assert (row["tasks"], row["timed"], row["seconds"]) == (12, 9, 9 * 600.0)


def test_it_says_so_in_words(begun: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "free_bytes", lambda path: 1_600_000_000)
    found = estimate(paper(), SCANS, complete="train/scratch/trial-00".__eq__, folder=begun)
    lines = found.words(tmp_path / "run").splitlines()
    untimed = found.rows["tasks"].sum() - 10
    time = f"about 1 h 31 min, at most 7 h 31 min, and {untimed} tasks not timed yet"
    assert lines[0] == f"To run: {time}, 1.6 GB of disk, 650 MB of memory"
    assert lines[1].split() == ["store", "1", "task", "about", "1", "min", "17", "s", "927", "MB"]
    assert lines[-1] == f"Free at {tmp_path / 'run'}: 1.6 GB"
    monkeypatch.setattr(module, "free_bytes", lambda path: 1_000_000_000)
    assert found.words(tmp_path).endswith("1.0 GB: too little")


def test_memory_is_that_of_the_hungriest_work() -> None:
    one, four = (estimate(paper(), SCANS, complete=nothing, workers=n).memory_bytes for n in (1, 4))
    assert one == 580_000_000 + 70_000_000  # training
    assert four == 370_000_000 + 4 * 420_000_000  # four processes that prepare scans of 1 mm, and their parent


def test_a_step_that_the_memory_does_not_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr("pellucid.ground.memory.available_memory", lambda: 10**6)
    with pytest.raises(InputError, match=r"training.scratch: a step of its training takes .* GB of memory"):
        estimate(paper(), SCANS, complete=nothing)


def test_the_free_disk_of_a_folder_that_is_not_there_is_its_parents(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "a" / "b") == pytest.approx(free_bytes(tmp_path), rel=0.2)


def test_a_study_that_ran_left_about_the_bytes_that_were_foretold(
    undisturbed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    found = estimate(read_spec(TINY), {}, complete=nothing)
    headers = 128 * len(list(undisturbed.glob("stores/*/*.npy")))
    assert of(found, "store")["disk_bytes"] == total(undisturbed.glob("stores/*/*.npy")) - headers
    for work, pattern in (
        ("simulate", "cohorts/**/*_*.nii.gz"),
        ("explain", "maps/*/*/sub-*.nii.gz"),
        ("train", "models/*/*/*.safetensors"),
    ):
        there = total(undisturbed.glob(pattern))
        assert there / 2 < of(found, work)["disk_bytes"] < 2 * there, work


def test_its_record_tells_the_time_of_all_that_is_done_anew(undisturbed: Path) -> None:
    found = estimate(read_spec(TINY), {}, complete=nothing, folder=RunFolder(undisturbed))
    assert found.rows["timed"].tolist() == found.rows["tasks"].tolist()
    assert 1.0 < found.rows["seconds"].sum() < 10_000.0


def total(paths: Any) -> int:
    return sum(path.stat().st_size for path in paths if path.is_file())
