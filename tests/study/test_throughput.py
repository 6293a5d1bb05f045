"""What is measured of a study's own work, and what the names of its tasks say."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from pellucid.ground.errors import InputError
from pellucid.ground.files import read_tsv
from pellucid.image.grid import Grid
from pellucid.rundir.folder import RunFolder
from pellucid.spec.arms import Arm
from pellucid.spec.reading import read_spec
from pellucid.study import throughput
from pellucid.study.run import study_tasks
from pellucid.study.throughput import KINDS, ArmSpeed, cohort_of, kind_of, measure, name_of, names_in

TINY = Path(__file__).parent / "tiny.toml"


def test_a_dataset_is_measured_on_its_own_scans(undisturbed: Path) -> None:
    text = (undisturbed / "study.toml").read_text()
    simulated = text[text.index("[cohorts.ms.simulate]") : text.index("[cohorts.pretraining]")]
    text = text.replace(simulated, "").replace("[cohorts.ms]", f'[cohorts.ms]\nbids = "{undisturbed}/cohorts/ms"')
    path = undisturbed.parent / "dataset.toml"
    path.write_text(text)
    found = measure(read_spec(path), ["store/ms"])
    assert found.arms == {}
    assert (found.cohorts["ms"].simulate, found.cohorts["ms"].scan_bytes) == (0.0, 0)
    assert 0 < found.cohorts["ms"].prepare < 60


def test_a_filled_store_is_measured_beside_its_cohort() -> None:
    found = measure(read_spec(TINY), ["store/ms_filled"])
    assert set(found.cohorts) == {"ms", "ms_filled"}
    assert found.cohorts["ms_filled"].prepare > 0


def test_scans_that_cannot_be_used_are_not_what_is_measured(undisturbed: Path, tmp_path: Path) -> None:
    """The first of each group have no mask, or are no images: others of the dataset are taken."""
    root = tmp_path / "ms"
    shutil.copytree(undisturbed / "cohorts" / "ms", root)
    people = read_tsv(root / "participants.tsv")
    firsts = list(people.groupby("group").head(2)["participant_id"])
    for who in firsts:
        shutil.rmtree(root / "derivatives" / "lesions" / who)
    spec = read_spec(TINY)
    data = dataclasses.replace(spec.cohorts["ms"], simulate=None, bids=root)
    spec = dataclasses.replace(spec, cohorts=spec.cohorts | {"ms": data})
    assert measure(spec, ["store/ms_filled"]).cohorts["ms_filled"].prepare > 0
    for who in set(people.groupby("group").head(4)["participant_id"]) - set(firsts):
        next((root / who / "anat").glob("*_FLAIR.nii.gz")).write_bytes(b"no image")
    assert measure(spec, ["store/ms"]).cohorts["ms"].prepare > 0


def test_arms_alike_are_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[Arm] = []

    def count(name: str, arm: Arm, grid: Grid) -> ArmSpeed:
        measured.append(arm)
        return ArmSpeed(step=2.0, scan=0.5, model_bytes=1000, memory_bytes=70_000_000)

    monkeypatch.setattr(throughput, "_measure_arm", count)
    spec = read_spec(TINY)
    assert list(measure(spec, [f"train/{name}/trial-00" for name in spec.training]).arms) == list(spec.training)
    assert len(measured) == 1


def test_a_step_is_weighed_before_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pellucid.ground.memory.available_memory", lambda: 10**6)
    with pytest.raises(InputError, match=r"training.pretraining: a step of its training takes .* GB of memory"):
        measure(read_spec(TINY), ["train/pretraining/trial-00"])


def test_every_task_is_of_a_kind(undisturbed: Path) -> None:
    names = [task.name for task in study_tasks(read_spec(undisturbed / "study.toml"), RunFolder(undisturbed))]
    assert {kind_of(name) for name in names} <= set(KINDS)
    assert names_in(names, "train") == {"pretraining", "finetuned", "scratch"}
    assert (name_of("store/ms_filled"), cohort_of("ms_filled"), name_of("splits")) == ("ms_filled", "ms", "")
    assert kind_of("splits") == "tables"
