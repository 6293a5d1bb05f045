"""Arms play the parts that their settings say, and what is missing is said, not made up."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.report.figure_run import SPEC, WRONG, material, shared_run

from pellucid.ground.files import read_tsv, write_text, write_tsv
from pellucid.image.nifti import read_volume
from pellucid.report.paper.material import (
    GREY,
    WHITE,
    MissingError,
    arms_by_part,
    one_atlas,
)


@pytest.fixture
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_run(tmp_path_factory)


@pytest.fixture
def copy(root: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(root, tmp_path / "run"))


def _spec(**arms: Any) -> dict[str, Any]:
    main = {"cohort": "ms", "start_from": "other", "network": "paper"}
    return {"explain": {"arms": ["main"]}, "training": {"main": main, **arms}}


def test_each_part_is_told_by_its_settings() -> None:
    ours = {"cohort": "ms", "network": "paper"}
    spec = _spec(
        nothing=ours | {"fit": False},
        before=ours | {"fit": False, "start_from": "other"},
        alone=ours,
        filled=ours | {"images": "lesion-filled", "start_from": "other"},
    )
    assert arms_by_part(spec) == {
        "untrained": "nothing",
        "pretrained-only": "before",
        "scratch": "alone",
        "finetuned": "main",
        "lesion-filled": "filled",
    }


def test_arms_of_another_cohort_network_or_image_play_no_part() -> None:
    ours = {"cohort": "ms", "network": "paper"}
    spec = _spec(
        other=ours | {"cohort": "adni"},
        whole=ours | {"network": "whole-brain"},
        mask=ours | {"images": "brain-mask"},
        still=ours | {"images": "lesion-filled", "fit": False},
    )
    assert arms_by_part(spec) == {"finetuned": "main"}


def test_of_several_arms_the_explained_one_plays_the_part() -> None:
    spec = _spec(one={"cohort": "ms", "network": "paper"}, two={"cohort": "ms", "network": "paper"})
    assert arms_by_part(spec)["scratch"] == "one"
    spec["explain"]["arms"] = ["main", "two"]
    assert arms_by_part(spec)["scratch"] == "two"


def test_a_main_arm_from_scratch_is_not_called_fine_tuned() -> None:
    spec = {"explain": {"arms": ["main"]}, "training": {"main": {"cohort": "ms"}}}
    assert arms_by_part(spec) == {"scratch": "main"}
    assert arms_by_part({"explain": {"arms": ["gone"]}, "training": {}}) == {}


def test_atlases_are_told_apart_by_name() -> None:
    table = pd.DataFrame({"atlas": ["harvard-oxford", "JHU-icbm", "neuromorphometrics", None]})
    assert one_atlas(table, WHITE) == "JHU-icbm"
    assert one_atlas(table, GREY) == "neuromorphometrics"
    assert one_atlas(table[:1], GREY) == "harvard-oxford"
    assert one_atlas(table[:1], WHITE) is None


def test_maps_are_judged_by_the_logit_that_they_explain(root: Path) -> None:
    found = material(root).relevance("finetuned")
    assert set(found.table.loc[~found.table["correct"], "name"]) == set(WRONG)
    row = found.table.iloc[3]
    assert found.store.table["participant_id"].iloc[row["row"]] == row["name"] == "sub-0004"
    assert row["logit"] < 0
    assert not found.seen.all()


def test_means_leave_wrong_verdicts_out_where_asked(root: Path) -> None:
    found = material(root).relevance("finetuned")
    patients = found.table[found.table["group"] == "MS"]
    every = np.mean([read_volume(path).data for path in patients["path"]], axis=0)
    right = np.mean([read_volume(path).data for path in patients.loc[patients["correct"], "path"]], axis=0)
    mean, number = found.mean("MS", correct=False)
    np.testing.assert_allclose(mean, every, atol=1e-7)
    assert number == 7
    assert found.one_scale == ""
    mean, number = found.mean("MS", correct=True)
    np.testing.assert_allclose(mean, right, atol=1e-7)
    assert number == 6
    with pytest.raises(MissingError, match="no map of a held-out scan of group XY"):
        found.mean("XY", correct=False)


def test_means_bring_networks_to_one_scale_and_visits_are_no_people(copy: Path) -> None:
    folder = copy / "maps" / "finetuned" / "lrp-epsilon"
    for path in folder.glob("sub-*_relevance.json"):
        number = int(path.name[4:8])
        models = ["models/finetuned/trial-00", f"models/finetuned/trial-0{1 + number % 2}"]
        write_text(path, path.read_text(encoding="utf-8").replace("{", f'{{"Model": {json.dumps(models)},', 1))
    found = material(copy).relevance("finetuned")
    table = found.table
    table.loc[table["name"] == "sub-0003", "participant_id"] = "sub-0001"  # a second visit
    maps = {row["name"]: read_volume(row["path"]).data.astype(float) for _, row in table.iterrows()}
    weight = {name: 0.5 if name in ("sub-0001", "sub-0003") else 1.0 for name in maps}
    odd = {name: int(name[-4:]) % 2 == 1 for name in maps}
    gross = [
        np.average(
            [np.abs(maps[name]).sum() for name in maps if odd[name] == which],
            weights=[weight[name] for name in maps if odd[name] == which],
        )
        for which in (False, True)
    ]
    patients = table.loc[table["group"] == "MS", "name"]
    scaled = [weight[name] * np.mean(gross) / gross[odd[name]] * maps[name] for name in patients]
    mean, number = found.mean("MS", correct=False)
    np.testing.assert_allclose(mean, np.sum(scaled, axis=0) / 6, atol=1e-6)
    assert number == 6
    assert "finetuned come from several networks, brought to one scale: each map divided by" in found.one_scale


def test_a_group_that_is_always_wrong_has_no_mean_of_right_verdicts(copy: Path) -> None:
    for path in (copy / "maps" / "finetuned" / "lrp-epsilon").glob("sub-000*_relevance.json"):
        write_text(path, path.read_text(encoding="utf-8").replace('"Logit": ', '"Logit": -1e9, "Was": '))
    found = material(copy).relevance("finetuned")
    with pytest.raises(MissingError, match="no correctly classified held-out scan of group MS"):
        found.mean("MS", correct=True)
    assert found.mean("MS", correct=False)[1] == 7


def test_what_is_missing_is_named(copy: Path) -> None:
    with pytest.raises(MissingError, match="no maps of arm gone"):
        material(copy).relevance("gone")
    for path in (copy / "maps" / "scratch" / "lrp-epsilon").glob("*.json"):
        path.unlink()
    with pytest.raises(MissingError, match="no sidecar of maps/scratch/lrp-epsilon states the logit"):
        material(copy).relevance("scratch")
    shutil.rmtree(copy / "stores")
    with pytest.raises(MissingError, match="in no store"):
        material(copy).relevance("finetuned")
    write_text(copy / "study.toml", "")
    with pytest.raises(MissingError, match="names no arm"):
        _ = material(copy).main


def test_tables_of_older_runs_lack_columns_and_that_is_said(copy: Path) -> None:
    path = copy / "tables" / "regions.tsv"
    write_tsv(path, read_tsv(path).drop(columns=["paper", "atlas"]))
    with pytest.raises(MissingError, match="has no column atlas, paper"):
        material(copy).regions(GREY, "finetuned")
    path.unlink()
    with pytest.raises(MissingError, match=r"no tables/regions\.tsv"):
        material(copy).regions(GREY, "finetuned")


def test_regions_and_tests_are_those_of_one_arm_and_atlas(root: Path) -> None:
    found = material(root)
    rows, tests = found.regions(WHITE, "scratch"), found.tests(WHITE, "scratch")
    assert set(rows["arm"]) == {"scratch"}
    assert set(rows["atlas"]) == {"jhu-icbm-dti-81"}
    assert tests is not None
    assert len(tests) == rows["area"].nunique()
    with pytest.raises(MissingError, match="no row of arm nobody for a white-matter atlas"):
        found.regions(WHITE, "nobody")


def test_training_rows_leave_the_held_out_out_unless_all_take_turns(copy: Path) -> None:
    found = material(copy)
    store = found.relevance("finetuned").store
    rows, said = found.rows_trained_on(store)
    assert store.table["participant_id"].iloc[rows].tolist() == [f"sub-{n:04d}" for n in (8, 9, 10, 18, 19, 20)]
    assert said == "all but the held-out"
    write_text(copy / "study.toml", SPEC.replace('scheme = "holdout"', 'scheme = "cross-validation"'))
    assert material(copy).rows_trained_on(store)[0] == list(range(20))
    (copy / "splits.tsv").unlink()
    found = material(copy)
    with pytest.raises(MissingError, match=r"splits\.tsv"):
        found.rows_trained_on(store)


def test_groups_are_those_of_the_main_arm(root: Path, copy: Path) -> None:
    assert material(root).groups == ("MS", "HC")
    shutil.rmtree(copy / "models")
    with pytest.raises(MissingError, match="names two groups"):
        _ = material(copy).groups
