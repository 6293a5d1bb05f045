"""Arms that read other stores than their cohort's own, or learn from fewer of it; groups by another column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pellucid.cohort.store import open_store
from pellucid.ground.errors import InputError
from pellucid.ground.files import read_json, read_tsv
from pellucid.image.scaling import scale
from pellucid.rundir.folder import RunFolder
from pellucid.rundir.stores import Prepared, store_of, stores_of
from pellucid.spec.reading import parse_spec, read_spec
from pellucid.study.plan import Plan
from pellucid.study.run import run_study
from pellucid.study.steps.trials import trial_rows

SPEC = """
[study]
name = "stores"
seed = 2

[cohorts.ms]
bids = "ms"
modality = "FLAIR"
column = "sex"
positive = "F"
negative = "M"

[splits.ms]
holdout = 4
validation = 4

[training.all]
cohort = "ms"
channels = 2
max_epochs = 1

[training.few]
cohort = "ms"
channels = 2
max_epochs = 1
trials = 2
scaling = "max"
subjects = 4

[training.fewer]
cohort = "ms"
channels = 2
max_epochs = 1
trials = 2
subjects = 3

[training.filled]
cohort = "ms"
channels = 2
fit = false
images = "lesion-filled"
scaling = "percentile"

[analysis]
bootstrap = 100
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, one_without_mask: tuple[Path, str], counter) -> Path:
    root = tmp_path_factory.mktemp("stores") / "run"
    spec = parse_spec(SPEC, file=one_without_mask[0].with_name("stores.toml"))
    results = run_study(spec, root, watcher=counter(), command=["pellucid", "test"])
    assert [result.error for result in results if result.state != "done"] == []
    return root


def test_every_store_is_made_once_and_a_cohort_s_own_first(run: Path) -> None:
    spec = read_spec(run / "study.toml")
    assert [one.name for one in stores_of(spec)] == ["ms", "ms_max", "ms_filled_percentile"]
    assert sorted(path.name for path in (run / "stores").iterdir()) == ["ms", "ms_filled_percentile", "ms_max"]
    assert store_of(spec.training["few"], spec) == Prepared("ms", scaling="max")


def test_the_study_s_own_scaling_asked_for_by_an_arm_is_no_other_store(run: Path) -> None:
    text = (run / "study.toml").read_text(encoding="utf-8").replace('scaling = "max"', 'scaling = "robust"')
    spec = parse_spec(text, file=Path("stores.toml"))
    assert [one.name for one in stores_of(spec)] == ["ms", "ms_filled_percentile"]


def test_an_arm_is_trained_on_its_own_scaling_and_its_models_say_so(run: Path) -> None:
    own, other = open_store(run / "stores" / "ms"), open_store(run / "stores" / "ms_max")
    assert (own.scaling, other.scaling) == ("robust", "max")
    brain = np.asarray(own.brain[0])
    np.testing.assert_allclose(scale(np.asarray(other.images[0]), brain, "robust"), own.images[0], atol=1e-4)
    scalings = {name: read_json(run / f"models/{name}/trial-00/model.json")["scaling"] for name in ("all", "few")}
    assert scalings == {"all": "robust", "few": "max"}


def test_an_arm_learns_from_no_more_subjects_than_it_may(run: Path) -> None:
    spec, folder = read_spec(run / "study.toml"), RunFolder(run)
    everybody = len(trial_rows("all", 0, Plan(spec, folder))[1]["train"])
    drawn = []
    for number in (0, 1):
        store, rows = trial_rows("few", number, Plan(spec, folder))
        people = store.table.iloc[rows["train"]]
        assert len(people) == 4 < everybody
        assert set(people["group"]) == {"F", "M"}
        fewer = trial_rows("fewer", number, Plan(spec, folder))[1]["train"]
        assert set(fewer) < set(rows["train"])
        predicted = read_tsv(folder.trial("few", number) / "predictions.tsv")
        assert set(predicted.loc[predicted["role"] == "train", "participant_id"]) == set(people["participant_id"])
        assert (predicted["role"] == "holdout").sum() == 4
        drawn.append(set(people["participant_id"]))
    assert drawn[0] != drawn[1]  # anew for each trial


def test_groups_may_be_another_column(run: Path, one_without_mask: tuple[Path, str]) -> None:
    people = read_tsv(one_without_mask[0] / "participants.tsv").set_index("participant_id")["sex"]
    table = open_store(run / "stores" / "ms").table
    assert table["group"].tolist() == people[table["participant_id"]].tolist()
    assert table["label"].tolist() == (table["sex"] == "F").astype(int).tolist()


def test_a_column_that_is_not_there_is_named(one_without_mask: tuple[Path, str], tmp_path: Path, counter) -> None:
    text = SPEC.replace('column = "sex"', 'column = "gender"')
    spec = parse_spec(text, file=one_without_mask[0].with_name("stores.toml"))
    with pytest.raises(InputError, match="has no column 'gender'"):
        run_study(spec, tmp_path / "run", watcher=counter(), command=["pellucid", "test"])
