"""What nulls learn in a study is of an arm's own training participants, lies beside its models, and is read back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pellucid.cohort.store import open_store
from pellucid.ground.errors import InputError
from pellucid.ground.files import read_json, read_tsv, sha256, write_json
from pellucid.ground.seeds import derive_seed
from pellucid.image.nifti import read_volume
from pellucid.maps.evidence import find_learned, read_learned
from pellucid.network.field_of_view import field_of_view
from pellucid.network.files import load_model
from pellucid.rundir.folder import RunFolder
from pellucid.spec.reading import read_spec
from pellucid.study.plan import Plan
from pellucid.study.steps.nulls import null_tasks
from pellucid.trust.fitted_nulls import PERCENTS, TrainingScan, fit_nulls
from pellucid.trust.lesion_chance import FEATURES
from pellucid.trust.nulls import NULLS

ARM = "finetuned"


@pytest.fixture
def again(undisturbed: Path, tmp_path: Path) -> Callable[[], bytes]:
    """Learn anew in a copy of the run, after whatever was done to it."""
    root = tmp_path / "run"
    for name in ("models", "stores"):
        shutil.copytree(undisturbed / name, root / name)
    for name in ("study.toml", "splits.tsv"):
        shutil.copy(undisturbed / name, root / name)

    def run() -> bytes:
        folder = RunFolder(root)
        (task,) = [task for task in null_tasks(Plan(read_spec(folder.spec), folder)) if task.name == f"nulls/{ARM}"]
        task.run(lambda done, total, what: None)
        assert task.complete
        return (root / "models" / ARM / "nulls.json").read_bytes()

    run.root = root  # type: ignore[attr-defined]
    return run


def _rows(root: Path, role: str) -> list[int]:
    splits = read_tsv(root / "splits.tsv").set_index("participant_id")["role"]
    return [n for n, who in enumerate(read_tsv(root / "stores/ms/table.tsv")["participant_id"]) if splits[who] == role]


def _repaint(root: Path, rows: list[int]) -> None:
    """Draw other lesions for some scans, and brighten them there."""
    for name in ("lesions", "images"):
        path = root / "stores" / "ms" / f"{name}.npy"
        array = np.load(path)
        array[rows, 40:50, 50:60, 40:50] = 1 if name == "lesions" else 9.0
        np.save(path, array)


def test_who_was_not_trained_on_has_no_influence(undisturbed: Path, again: Callable[[], bytes]) -> None:
    expected = (undisturbed / "models" / ARM / "nulls.json").read_bytes()
    assert again() == expected
    root: Path = again.root  # type: ignore[attr-defined]
    _repaint(root, _rows(root, "holdout") + _rows(root, "validation"))
    assert again() == expected
    _repaint(root, _rows(root, "train")[:1])
    assert again() != expected  # a training participant has


def test_what_is_written_is_what_the_analysis_learns(undisturbed: Path) -> None:
    store = open_store(undisturbed / "stores" / "ms")
    train = _rows(undisturbed, "train")
    model = load_model(undisturbed / "models" / ARM / "trial-00")
    fitted = fit_nulls(
        [store.table["participant_id"].iloc[n] for n in train],
        lambda k: TrainingScan(
            image=store.images[train[k]], brain=store.brain[train[k]], lesions=store.masks[train[k]]
        ),
        field_of_view(model).mask(),
        voxel_sizes=store.grid.voxel_sizes,
        seed=derive_seed(3, "nulls"),
    )
    found = find_learned(undisturbed / "models" / ARM / "trial-01", store.grid)
    assert (found.percent, found.logistic, found.missing) == (fitted.learned.percent, fitted.learned.logistic, "")
    np.testing.assert_array_equal(found.mean_lesion, fitted.learned.mean_lesion)
    folder = undisturbed / "models" / ARM
    content = read_json(folder / "nulls.json")
    assert content["MeanLesionSha256"] == sha256(folder / "population_lesions.nii.gz")
    assert set(content["Features"]) == set(FEATURES)
    assert set(content["BrightestPercent"]["Candidates"]) == set(map(str, PERCENTS))
    assert content["IntensityXPrior"]["SmoothingSdMm"] == 3.8
    assert (content["Participants"], content["Scans"]) == (len(train), len(train))


def test_the_task_is_in_the_record_with_the_hash_of_what_it_wrote(undisturbed: Path) -> None:
    tasks = read_json(undisturbed / "record.json")["tasks"]
    written = {name: one["sha256"] for name, one in tasks[f"nulls/{ARM}"]["outputs"].items()}
    names = ("nulls.json", "population_lesions.nii.gz", "population_lesions.json")
    assert written == {f"models/{ARM}/{name}": sha256(undisturbed / "models" / ARM / name) for name in names}
    for table in ("lesions_summary", "lesions_compared", "lesions_untaught"):
        assert tasks[f"table/{table}"]["state"] == "done"


def test_a_cohort_without_lesion_masks_teaches_nothing(undisturbed: Path) -> None:
    folder = undisturbed / "models" / "pretraining"
    learned = find_learned(folder / "trial-00", open_store(undisturbed / "stores" / "pretraining").grid)
    assert (learned.mean_lesion, learned.logistic, learned.percent) == (None, None, 1.0)
    assert learned.missing == "no lesion masks of training participants are known"
    assert not (folder / "population_lesions.nii.gz").exists()


def test_the_tables_have_every_null_and_the_percentage_that_was_learned(undisturbed: Path) -> None:
    lesions = read_tsv(undisturbed / "tables" / "lesions.tsv")
    assert set(lesions["map"]) == {"lrp-epsilon", "|lrp-epsilon|", *NULLS}
    compared = read_tsv(undisturbed / "tables" / "lesions_compared.tsv")
    assert set(compared["map"]) == {"lrp-epsilon", "|lrp-epsilon|"}
    assert set(compared["best_null"].dropna()) <= set(NULLS)
    patients = lesions[(lesions["group"] == "MS") & (lesions["map"] == "lrp-epsilon")]
    assert (compared["people"] + compared["na"] == patients["participant_id"].nunique()).all()
    population = read_volume(undisturbed / "models" / ARM / "population_lesions.nii.gz")
    assert population.data.max() <= 1


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.pop("Logistic"),
        lambda c: c["Logistic"].update(Features=["age"]),
        lambda c: c["Logistic"].update(Weights=[1.0]),
        lambda c: c["Logistic"].update(Sd=[1.0, 0.0, 1.0]),
        lambda c: c["Logistic"].update(Intercept="much"),
        lambda c: c["BrightestPercent"].update(Percent=0),
        lambda c: c["BrightestPercent"].update(Percent=None),
        lambda c: c.update(BrightestPercent=[]),
    ],
)
def test_a_damaged_file_is_refused_by_name(undisturbed: Path, tmp_path: Path, change: Callable[[dict], object]) -> None:
    content = json.loads((undisturbed / "models" / ARM / "nulls.json").read_text(encoding="utf-8"))
    change(content)
    write_json(tmp_path / "nulls.json", content)
    with pytest.raises(InputError, match=r"nulls\.json"):
        read_learned(tmp_path / "nulls.json")
