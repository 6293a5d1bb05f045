"""A study by repeated cross-validation: everyone is judged and explained by models that never saw them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from pellucid.analysis.classification import over_trials
from pellucid.errors import InputError
from pellucid.files import read_json, read_tsv
from pellucid.image.nifti import sidecar_path
from pellucid.study.reading import parse_spec
from pellucid.study.run import run_study

FOLDS, REPEATS = 2, 2
SPEC = """
[study]
name = "folds"
seed = 1

[cohorts.ms.simulate]
kind = "ms"
patients = 6
controls = 6
voxel_size = 4.0

[splits.ms]
scheme = "cross-validation"
folds = 2
repeats = 2
validation = 2
stratify = ["group", "sex", "age"]

[training.first]
cohort = "ms"
channels = 2
max_epochs = 1

[training.second]
cohort = "ms"
channels = 2
max_epochs = 1
start_from = "first"

[explain]
arm = "second"

[analysis]
bootstrap = 100
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, counter) -> Path:
    root = tmp_path_factory.mktemp("folds") / "run"
    spec = parse_spec(SPEC, file=Path("folds.toml"))
    results = run_study(spec, root, watcher=counter(), command=["pellucid", "test"])
    assert [result.error for result in results if result.state != "done"] == []
    return root


def members(run: Path, fold: int, role: str) -> set[str]:
    splits = read_tsv(run / "splits.tsv")
    return set(splits["participant_id"][(splits["fold"] == fold) & (splits["role"] == role)])


def test_each_trial_has_its_fold(run: Path) -> None:
    for arm in ("first", "second"):
        trials = sorted((run / "models" / arm).glob("trial-*"))
        assert len(trials) == FOLDS * REPEATS
        for number, trial in enumerate(trials):
            predictions = read_tsv(trial / "predictions.tsv")
            for role in ("train", "validation", "holdout"):
                assert set(predictions["participant_id"][predictions["role"] == role]) == members(run, number, role)
    assert "in each of 4 folds no participant stands in two" in read_json(run / "splits.json")["Guard"]


def test_an_arm_starts_from_the_same_fold(run: Path) -> None:
    """A start from another fold would have been trained on subjects who are held out here."""
    starts = [read_json(run / f"models/second/trial-{n:02d}/model.json")["trained"]["initial"] for n in range(4)]
    assert len(set(starts)) == 4
    selected = read_json(run / "models" / "first" / "selected.json")
    assert selected["folds"] == {str(n): f"trial-{n:02d}" for n in range(4)}
    losses = selected["validation_loss"]
    assert selected["trial"] == min(losses, key=lambda name: losses[name])


def test_the_table_scores_each_repeat_on_everybody(run: Path) -> None:
    table = read_tsv(run / "tables" / "table2.tsv").query("arm == 'second'").set_index("metric")
    assert set(table["n_subjects"]) == {12}
    assert set(table["n_trials"]) == {REPEATS}
    predicted = []
    for n in range(FOLDS * REPEATS):
        every = read_tsv(run / f"models/second/trial-{n:02d}/predictions.tsv")
        predicted.append(every[every["role"] == "holdout"].assign(trial=n // FOLDS))
    expected = over_trials(pd.concat(predicted), resamples=100, seed=0).set_index("metric")
    assert table["mean"].to_dict() == pytest.approx(expected["mean"].to_dict())


def test_everyone_is_explained_by_a_model_that_never_saw_them(run: Path) -> None:
    maps = sorted((run / "maps" / "second" / "lrp-epsilon").glob("sub-*_relevance.nii.gz"))
    assert len(maps) == 12
    for path in maps:
        model = Path(read_json(sidecar_path(path))["Model"]).name
        fold = int(model.removeprefix("trial-"))
        assert fold < FOLDS  # of the first repeat
        assert path.name.split("_")[0] in members(run, fold, "holdout")
    mean = read_json(next((run / "maps" / "second" / "lrp-epsilon").glob("group-MS*.json")))
    assert mean["Scans"] == 6
    assert len(mean["Model"]) == FOLDS
    assert read_tsv(run / "tables" / "lesions.tsv")["participant_id"].nunique() == 12


def test_the_lesions_of_the_training_subjects_lie_beside_each_fold_s_model(run: Path) -> None:
    folder = run / "models" / "second"
    assert not (folder / "population_lesions.nii.gz").exists()
    assert all((folder / f"trial-{n:02d}" / "population_lesions.nii.gz").is_file() for n in range(4))


def test_who_took_part_has_no_roles(run: Path) -> None:
    assert set(read_tsv(run / "tables" / "table1.tsv")["role"]) == {"all"}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("folds = 2", "folds = 1", ["splits.ms.folds", "is 1"]),
        ("folds = 2", "holdout = 2", ["splits.ms.holdout", "each fold is the holdout"]),
        ('["group", "sex", "age"]', '["sex"]', ["splits.ms.stratify", "group"]),
        ('"cross-validation"', '"cross-validate"', ["splits.ms.scheme", "cross-validation"]),
    ],
)
def test_a_scheme_that_cannot_be_is_refused(old: str, new: str, words: list[str]) -> None:
    with pytest.raises(InputError) as error:
        parse_spec(SPEC.replace(old, new, 1), file=Path("folds.toml"))
    assert all(word in str(error.value) for word in words)
