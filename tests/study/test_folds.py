"""A study by repeated cross-validation: everyone is judged and explained by models that never saw them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pellucid.analysis.classification import over_trials
from pellucid.cohort.store import open_store
from pellucid.ground.errors import InputError
from pellucid.ground.files import read_json, read_tsv
from pellucid.image.nifti import read_volume, sidecar_path
from pellucid.maps.explainer import explain_image, open_explainer
from pellucid.rundir.folder import RunFolder
from pellucid.spec.reading import parse_spec, read_spec
from pellucid.study.plan import Plan
from pellucid.study.run import run_study
from pellucid.study.steps.explaining import held_out_scans

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
arms = ["second", "first"]
trials = "all"

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
    assert "in each of 4 folds no participant is in two" in read_json(run / "splits.json")["Guard"]


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
        predicted.append(every[every["role"] == "holdout"].assign(trial=n // FOLDS, fold=n % FOLDS))
    expected = over_trials(pd.concat(predicted), correction=3**0.5).set_index("metric")  # sqrt(1 + 2 / (2 - 1))
    for column in ("mean", "low", "high"):
        assert table[column].to_dict() == pytest.approx(expected[column].to_dict(), nan_ok=True)


def test_everyone_is_explained_by_a_model_that_never_saw_them(run: Path) -> None:
    maps = sorted((run / "maps" / "second" / "lrp-epsilon").glob("sub-*_relevance.nii.gz"))
    assert len(maps) == 12
    for path in maps:
        models = [Path(model).name for model in read_json(sidecar_path(path))["Model"]]
        folds = [int(model.removeprefix("trial-")) for model in models]
        assert [fold // FOLDS for fold in folds] == list(range(REPEATS))  # one of each repeat
        assert all(path.name.split("_")[0] in members(run, fold, "holdout") for fold in folds)
    mean = read_json(next((run / "maps" / "second" / "lrp-epsilon").glob("group-MS*_relevance.json")))
    assert (mean["Scans"], mean["People"]) == (6, 6)
    assert len(mean["Model"]) == FOLDS * REPEATS
    assert read_tsv(run / "tables" / "lesions.tsv")["participant_id"].nunique() == 12


def test_group_averages_are_of_networks_on_one_scale_and_the_plain_ones_lie_beside_them(run: Path) -> None:
    folder = run / "maps" / "second" / "lrp-epsilon"
    people = read_tsv(run / "tables" / "sums.tsv").query("arm == 'second'").set_index("participant_id")
    maps = {who: read_volume(next(folder.glob(f"{who}_*_relevance.nii.gz"))).data.astype(float) for who in people.index}
    gross = pd.Series({who: np.abs(values).sum() for who, values in maps.items()})
    mean = gross.groupby(people["networks"]).mean()
    assert len(mean) > 1
    for suffix, scaled in (("relevance", True), ("unscaled", False)):
        volume = read_volume(next(folder.glob(f"group-MS*_{suffix}.nii.gz"))).data
        whose = people.index[people["group"] == "MS"]
        parts = [maps[who] * (mean.mean() / mean[people.loc[who, "networks"]] if scaled else 1.0) for who in whose]
        np.testing.assert_allclose(volume, np.mean(parts, axis=0), atol=1e-6)
        said = read_json(next(folder.glob(f"group-MS*_{suffix}.json")))["NetworkScale"]
        assert said.startswith("each map divided" if scaled else "as they are")


def test_tables_of_maps_name_the_networks_that_people_share(run: Path) -> None:
    folder = run / "maps" / "second" / "lrp-epsilon"
    for name in ("sums", "lesions", "regions", "truth"):
        table = read_tsv(run / "tables" / f"{name}.tsv").query("arm == 'second'")
        for who, networks in table.groupby("participant_id")["networks"].unique().items():
            models = read_json(sidecar_path(next(folder.glob(f"{who}_*_relevance.nii.gz"))))["Model"]
            assert networks.tolist() == [" ".join(f"second/{Path(model).name}" for model in models)]


def test_a_map_is_the_mean_of_its_models_maps_and_their_spread_lies_beside_it(run: Path) -> None:
    folder = run / "maps" / "second" / "lrp-epsilon"
    path = sorted(folder.glob("sub-*_relevance.nii.gz"))[0]
    sidecar = read_json(sidecar_path(path))
    store = open_store(run / "stores" / "ms")
    n = int(np.flatnonzero(store.table["participant_id"] == path.name.split("_")[0])[0])
    each = [
        explain_image(open_explainer(folder / model, method="lrp-epsilon"), store.images[n])
        for model in sidecar["Model"]
    ]
    maps = np.stack([one.relevance for one in each])
    np.testing.assert_allclose(read_volume(path).data, maps.mean(axis=0), atol=1e-7)
    spread = folder / path.name.replace("lrpEpsilon", "lrpEpsilonSd").replace("relevance", "spread")
    np.testing.assert_allclose(read_volume(spread).data, maps.std(axis=0, ddof=1), atol=1e-7)
    assert sidecar["Logit"] == pytest.approx(np.mean([one.logit for one in each]), rel=1e-5)
    arrived = next(row["relevance_in"] for row in sidecar["Ledger"] if row["layer"] == "conv1")
    assert arrived == pytest.approx(maps.sum(axis=(1, 2, 3), dtype=np.float64).mean(), rel=1e-3, abs=1e-5)


def test_every_explained_arm_is_in_every_table(run: Path) -> None:
    for name in ("ledger", "sums", "lesions", "regions", "region_tests"):
        assert list(read_tsv(run / "tables" / f"{name}.tsv")["arm"].unique()) == ["second", "first"], name


def test_of_selected_trials_one_of_the_first_repeat_explains(run: Path) -> None:
    spec = read_spec(run / "study.toml")
    assert spec.explain is not None
    scans = held_out_scans(
        Plan(spec, RunFolder(run)), replace(spec.explain, trials="selected"), "second", "lrp-epsilon"
    )
    assert len(scans) == 12
    for one in scans:
        (fold,) = [int(model.folder.name.removeprefix("trial-")) for model in one.explainers]
        assert fold < FOLDS
        assert one.name in members(run, fold, "holdout")


def test_the_lesions_of_the_training_subjects_lie_beside_each_fold_s_model(run: Path) -> None:
    folder = run / "models" / "second"
    assert not (folder / "population_lesions.nii.gz").exists()
    trials = len(list(folder.glob("trial-*")))
    assert trials >= 4
    assert len(list(folder.glob("trial-*/population_lesions.nii.gz"))) == trials


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
