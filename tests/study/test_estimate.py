"""What a study will take: the arithmetic with made-up speeds, the measuring against a small study that ran."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from pellucid.ground.files import read_tsv, write_json
from pellucid.rundir.folder import RunFolder
from pellucid.spec.reading import parse_spec, read_spec
from pellucid.spec.spec import Spec
from pellucid.study import estimate as module
from pellucid.study.estimate import Estimate, estimate, free_bytes
from pellucid.study.run import study_tasks
from pellucid.study.steps.deleting import deletion_images
from pellucid.study.throughput import ArmSpeed, CohortSpeed, Throughput, measure

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
SCANS = {"ms": 147}  # 23 held out; 15 % of 124 are 19; 105 train, in 27 batches of 4

EPOCH = 27 * 2.0 + 19 * 0.5  # seconds at the speeds below
PREDICTIONS = 147 * 0.5

SPEED = Throughput(
    arms={"scratch": ArmSpeed(step=2.0, scan=0.5, model_bytes=1000, memory_bytes=70_000_000)},
    cohorts={"ms": CohortSpeed(prepare=3.0)},
    map_seconds=0.25,
    map_bytes=700,
)

# On one cohort, hence of one size.
TRIALS = ("models/finetuned/trial-00", "models/finetuned/trial-01", "models/scratch/trial-00")
TRIAL_TASKS = tuple(name.replace("models", "train") for name in TRIALS)


def paper(change: str = "", by: str = "") -> Spec:
    return parse_spec(PAPER.replace(change, by) if change else PAPER, file=Path("/nowhere/study.toml"))


def given(spec: Spec, tasks: Collection[str]) -> Throughput:
    return SPEED


def nothing(name: str) -> bool:
    return False


def of(found: Estimate, work: str) -> dict[str, Any]:
    """Return the row of a kind of work."""
    return dict(found.rows.set_index("work").loc[work])


def test_training_is_steps_times_epochs_times_trials() -> None:
    row = of(estimate(paper(), SCANS, complete=nothing, measure=given), "train")
    assert row["tasks"] == 10
    assert row["seconds"] == pytest.approx(10 * (81.6 * EPOCH + PREDICTIONS), rel=1e-12)
    assert row["seconds_at_most"] == pytest.approx(10 * (200 * EPOCH + PREDICTIONS), rel=1e-12)
    assert row["disk_bytes"] == 10 * (1000 + 50_000)


def test_the_other_work_is_scans_times_seconds() -> None:
    found = estimate(paper(), SCANS, complete=nothing, measure=given, workers=3)
    assert of(found, "store")["seconds"] == pytest.approx(147 * 3.0 / 3)
    explain = of(found, "explain")
    assert (explain["seconds"], explain["disk_bytes"]) == (23 * 0.25, 23 * 700)
    assert found.seconds == pytest.approx(found.rows["seconds"].sum())
    assert found.seconds_at_most - found.seconds == pytest.approx(10 * (200 - 81.6) * EPOCH)


def test_the_disk_holds_a_store_and_its_images_twice_while_it_is_built() -> None:
    found = estimate(paper(), SCANS, complete=nothing, measure=given)
    voxels = 147 * 96 * 114 * 96
    assert of(found, "store")["disk_bytes"] == 6 * voxels + 3 * 128
    assert found.disk_bytes == found.rows["disk_bytes"].sum() + 4 * voxels + 128


def test_filled_stores_baselines_and_arms_that_are_not_trained_have_their_costs() -> None:
    more = """
[training.filled]
cohort = "ms"
images = "lesion-filled"
fit = false
[baselines.voxels]
cohort = "ms"
kind = "svm-image"
[baselines.load]
cohort = "ms"
kind = "svm-lesion-load"
"""
    speed = Throughput(
        arms=SPEED.arms | {"filled": ArmSpeed(step=9.0, scan=0.5, model_bytes=10, memory_bytes=1)},
        cohorts=SPEED.cohorts | {"ms_filled": CohortSpeed(prepare=7.0)},
        map_seconds=SPEED.map_seconds,
        map_bytes=SPEED.map_bytes,
    )
    spec = parse_spec(PAPER + more, file=Path("/nowhere/study.toml"))
    plain = estimate(paper(), SCANS, complete=nothing, measure=given)
    found = estimate(spec, SCANS, complete=nothing, measure=lambda *_: speed)
    assert of(found, "store")["seconds"] == pytest.approx(147 * (3.0 + 7.0))
    assert of(found, "train")["seconds"] - of(plain, "train")["seconds"] == pytest.approx((147 + 19) * 0.5)
    assert of(found, "baseline")["seconds"] == pytest.approx(147 * 0.2 + 1.0 + 147 * 0.02)
    assert of(found, "baseline")["tasks"] == 3  # the two, and the bright voxels of every study on FLAIR


def test_every_task_is_counted_once() -> None:
    found = estimate(paper(), SCANS, complete=nothing, measure=given)
    assert found.rows["tasks"].sum() == len(study_tasks(paper(), RunFolder(Path())))


def test_complete_tasks_cost_nothing_and_are_not_measured() -> None:
    asked: list[str] = []

    def record(spec: Spec, tasks: Collection[str]) -> Throughput:
        asked.extend(tasks)
        return SPEED

    found = estimate(paper(), SCANS, complete=lambda name: name != "train/scratch/trial-03", measure=record)
    assert asked == ["train/scratch/trial-03"]
    assert list(found.rows["work"]) == ["train"]
    assert found.seconds == pytest.approx(81.6 * EPOCH + PREDICTIONS)

    found = estimate(paper(), SCANS, complete=lambda name: True, measure=measure)
    assert (found.seconds, found.disk_bytes, found.memory_bytes) == (0.0, 0, 0)
    assert found.words(Path.cwd()) == "Nothing is left to run."


def test_an_arm_that_resumes_knows_its_epochs(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    done = ("train/scratch/trial-00", "train/scratch/trial-01")
    for number, epochs in enumerate((30, 50)):
        for name in ("history.tsv", "predictions.tsv", "model.safetensors"):
            folder.trial("scratch", number).mkdir(parents=True, exist_ok=True)
            (folder.trial("scratch", number) / name).touch()
        write_json(folder.trial("scratch", number) / "model.json", {"trained": {"epochs": epochs}})
    row = of(estimate(paper(), SCANS, complete=done.__contains__, measure=given, folder=folder), "train")
    assert row["tasks"] == 8
    assert row["seconds"] == pytest.approx(8 * (40 * EPOCH + PREDICTIONS))
    assert row["seconds_at_most"] == pytest.approx(8 * (200 * EPOCH + PREDICTIONS))


def test_an_arm_that_resumes_knows_its_seconds(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    write_json(folder.trial("scratch", 0) / "model.json", {"trained": {"epochs": 40}})
    tasks = {
        "train/scratch/trial-00": {"state": "done", "seconds": 600.0},
        "train/scratch/trial-01": {"state": "failed", "seconds": 1.0},
        "train/scratch/trial-02": {"state": "running"},
        "store/ms": {"state": "done", "seconds": 77.0},
    }
    write_json(folder.record, {"tasks": tasks})
    found = estimate(paper(), SCANS, complete="train/scratch/trial-00".__eq__, measure=given, folder=folder)
    row = of(found, "train")
    assert (row["seconds"], row["seconds_at_most"]) == (9 * 600.0, 9 * 600.0 * 200 / 40)
    assert of(found, "store")["seconds"] == 77.0


def test_each_fold_trains_and_everyone_gets_a_map() -> None:
    spec = paper("holdout = 23", 'scheme = "cross-validation"\nfolds = 5')
    found = estimate(spec, {"ms": 100}, complete=nothing, measure=given)
    assert of(found, "train")["tasks"] == 50
    assert of(found, "explain")["seconds"] == 100 * 0.25


def test_memory_is_that_of_the_hungriest_work() -> None:
    one, four = (estimate(paper(), SCANS, complete=nothing, measure=given, workers=n).memory_bytes for n in (1, 4))
    assert one == 580_000_000 + 70_000_000  # training
    assert four == 370_000_000 + 4 * 420_000_000  # four processes that prepare scans of 1 mm, and their parent


def test_it_says_so_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "free_bytes", lambda path: 1_600_000_000)
    found = estimate(paper(), SCANS, complete=nothing, measure=given)
    lines = found.words(tmp_path / "run").splitlines()
    assert lines[0] == "To run: about 14 h 44 min, at most 35 h 37 min, 1.6 GB of disk, 650 MB of memory"
    assert lines[1].split() == ["store", "1", "task", "7", "min", "927", "MB"]
    assert lines[-1] == f"Free at {tmp_path / 'run'}: 1.6 GB"
    monkeypatch.setattr(module, "free_bytes", lambda path: 1_000_000_000)
    assert found.words(tmp_path).endswith("1.0 GB: too little")


def test_the_free_disk_of_a_folder_that_is_not_there_is_its_parents(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "a" / "b") == pytest.approx(free_bytes(tmp_path), rel=0.2)


@pytest.fixture(scope="module")
def measured(undisturbed: Path) -> Estimate:
    """The estimate of the tiny study as if nothing of it were there, really measured."""
    return estimate(read_spec(TINY), {}, complete=nothing)


def test_stores_take_the_bytes_that_were_foretold(undisturbed: Path, measured: Estimate) -> None:
    assert of(measured, "store")["disk_bytes"] == total(undisturbed.glob("stores/*/*.npy"))


def test_simulated_cohorts_take_about_the_bytes_that_were_foretold(undisturbed: Path, measured: Estimate) -> None:
    there = total(undisturbed.glob("cohorts/**/*"))
    assert of(measured, "simulate")["disk_bytes"] == pytest.approx(there, rel=0.25)


def test_models_and_maps_take_about_the_bytes_that_were_foretold(undisturbed: Path, measured: Estimate) -> None:
    assert of(measured, "explain")["disk_bytes"] == pytest.approx(total(undisturbed.glob("maps/**/*")), rel=0.5)
    assert of(measured, "train")["disk_bytes"] < 20 * total(undisturbed.glob("models/*/*/*"))  # tiny: tables count


@pytest.mark.slow
def test_training_takes_about_the_seconds_that_were_foretold(undisturbed: Path) -> None:
    # Trials on the same scans, the quickest epoch for each: the others may have waited for somebody else's work.
    histories = [read_tsv(undisturbed / name / "history.tsv") for name in TRIALS]
    took = sum(len(table) for table in histories) * min(float(table["seconds"].min()) for table in histories)
    found = min(
        (estimate(read_spec(TINY), {}, complete=lambda name: name not in TRIAL_TASKS) for _ in range(5)),
        key=lambda one: one.seconds,
    )
    assert took / 4 < found.seconds < took * 4
    assert found.seconds_at_most == pytest.approx(found.seconds)  # two epochs are too few to stop early


def total(paths: Any) -> int:
    return sum(path.stat().st_size for path in paths if path.is_file())


def test_deletion_costs_the_images_of_the_patients_held_out() -> None:
    asked = paper('arms = ["scratch"]', 'arms = ["scratch"]\ndeletion = ["scratch"]\ndeletion_voxels = [50, 500]')
    row = of(estimate(asked, SCANS, complete=nothing, measure=given), "deletion")
    each = deletion_images((50, 500)) * (0.5 + 0.015)  # seconds a person: the network's, and those of filling
    assert row["tasks"] == 1
    assert row["seconds"] == pytest.approx(23 * each / 2)  # about half of those held out are patients
    assert row["seconds_at_most"] == pytest.approx(23 * each)
    plain = estimate(paper(), SCANS, complete=nothing, measure=given)
    assert "deletion" not in set(plain.rows["work"])
