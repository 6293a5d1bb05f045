"""Arms play the parts that their settings say, and what is missing is said, not made up."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.report.figures import material
from tests.report.paper.conftest import WRONG
from tests.runs import WHITE as WHITE_ATLAS
from tests.runs import change_spec, cross_validated

from pellucid.image.nifti import read_volume
from pellucid.report.paper.material import (
    GREY,
    WHITE,
    MissingError,
    arms_by_part,
    one_atlas,
)
from pellucid.spec.arms import Arm

MAIN, OTHER = Arm(cohort="ms", start_from="other"), Arm(cohort="adni")


def test_each_part_is_told_by_its_settings() -> None:
    arms = {
        "other": OTHER,
        "main": MAIN,
        "nothing": Arm(cohort="ms", fit=False),
        "before": replace(MAIN, fit=False),
        "alone": Arm(cohort="ms"),
        "filled": replace(MAIN, images="lesion-filled"),
    }
    assert arms_by_part(arms, ["main"]) == {
        "untrained": "nothing",
        "pretrained-only": "before",
        "scratch": "alone",
        "finetuned": "main",
        "lesion-filled": "filled",
    }


def test_arms_of_another_cohort_network_or_image_play_no_part() -> None:
    arms = {
        "main": MAIN,
        "other": OTHER,
        "whole": Arm(cohort="ms", network="whole-brain"),
        "mask": Arm(cohort="ms", images="brain-mask"),
        "still": Arm(cohort="ms", images="lesion-filled", fit=False),
    }
    assert arms_by_part(arms, ["main"]) == {"finetuned": "main"}


def test_of_several_arms_the_explained_one_plays_the_part() -> None:
    arms = {"main": MAIN, "one": Arm(cohort="ms"), "two": Arm(cohort="ms")}
    assert arms_by_part(arms, ["main"])["scratch"] == "one"
    assert arms_by_part(arms, ["main", "two"])["scratch"] == "two"


def test_a_main_arm_from_scratch_is_not_called_fine_tuned() -> None:
    assert arms_by_part({"main": Arm(cohort="ms")}, ["main"]) == {"scratch": "main"}
    assert arms_by_part({"main": MAIN}, []) == {}


def test_atlases_are_told_apart_by_name() -> None:
    table = pd.DataFrame({"atlas": ["harvard-oxford", "JHU-icbm", "neuromorphometrics", None]})
    assert one_atlas(table, WHITE) == "JHU-icbm"
    assert one_atlas(table, GREY) == "neuromorphometrics"
    assert one_atlas(table[:1], GREY) == "harvard-oxford"
    assert one_atlas(table[:1], WHITE) is None


def test_maps_are_judged_by_the_logit_that_they_explain(root: Path) -> None:
    found = material(root).relevance("finetuned")
    assert found.table.loc[~found.table["correct"], "name"].tolist() == [WRONG]
    row = found.table.iloc[2]
    assert found.store.table["participant_id"].iloc[row["row"]] == row["name"] == "sub-0007"
    assert row["logit"] < 0


def test_means_leave_wrong_verdicts_out_where_asked(root: Path) -> None:
    found = material(root).relevance("finetuned")
    controls = found.table[found.table["group"] == "HC"]
    every = np.mean([read_volume(path).data for path in controls["path"]], axis=0)
    (right,) = [read_volume(path).data for path in controls.loc[controls["correct"], "path"]]
    mean, number = found.mean("HC", correct=False)
    np.testing.assert_allclose(mean, every, atol=1e-7)
    assert number == 2
    assert found.one_scale == ""
    mean, number = found.mean("HC", correct=True)
    np.testing.assert_allclose(mean, right, atol=1e-7)
    assert number == 1
    with pytest.raises(MissingError, match="no map of a held-out scan of group XY"):
        found.mean("XY", correct=False)


def test_means_bring_networks_to_one_scale_and_visits_are_no_people(copy: Path, restate: Any) -> None:
    folder = copy / "maps" / "finetuned" / "lrp-epsilon"
    for number in (1, 2, 7, 10):
        models = ["models/finetuned/trial-00", f"models/finetuned/trial-0{1 + number % 2}"]
        restate(folder, f"sub-{number:04d}", Model=models)
    found = material(copy).relevance("finetuned")
    table = found.table
    table.loc[table["name"] == "sub-0007", ["participant_id", "group"]] = "sub-0002", "MS"  # a second visit
    maps = {row["name"]: read_volume(row["path"]).data.astype(float) for _, row in table.iterrows()}
    weight = {name: 0.5 if name in ("sub-0002", "sub-0007") else 1.0 for name in maps}
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
    np.testing.assert_allclose(mean, np.sum(scaled, axis=0) / 2, atol=1e-6)
    assert number == 2
    assert "finetuned come from several networks, brought to one scale: each map divided by" in found.one_scale


def test_a_group_that_is_always_wrong_has_no_mean_of_right_verdicts(copy: Path, restate: Any) -> None:
    restate(copy / "maps" / "finetuned" / "lrp-epsilon", Logit=-1e9)
    found = material(copy).relevance("finetuned")
    with pytest.raises(MissingError, match="no correctly classified held-out scan of group MS"):
        found.mean("MS", correct=True)
    assert found.mean("MS", correct=False)[1] == 2


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
    (copy / "study.toml").unlink()
    with pytest.raises(MissingError, match="does not name an arm"):
        _ = material(copy).main
    with pytest.raises(MissingError, match=r"no study\.toml that can be read"):
        _ = material(copy).spec


def test_a_table_that_is_missing_is_named(copy: Path) -> None:
    (copy / "tables" / "regions.tsv").unlink()
    with pytest.raises(MissingError, match=r"no tables/regions\.tsv"):
        material(copy).regions(GREY, "finetuned")


def test_regions_and_tests_are_those_of_one_arm_and_atlas(root: Path) -> None:
    found = material(root)
    rows = found.regions(WHITE, "scratch")
    assert set(rows["arm"]) == {"scratch"}
    assert set(rows["atlas"]) == {WHITE_ATLAS}
    with pytest.raises(MissingError, match="no row of arm nobody for a white-matter atlas"):
        found.regions(WHITE, "nobody")


def test_training_rows_leave_the_held_out_out_unless_all_take_turns(copy: Path) -> None:
    found = material(copy)
    store = found.relevance("finetuned").store
    rows, said = found.rows_trained_on(store)
    assert store.table["participant_id"].iloc[rows].tolist() == [f"sub-{n:04d}" for n in (3, 4, 5, 6, 8, 9)]
    assert said == "all but the held-out"
    change_spec(copy, cross_validated)
    assert material(copy).rows_trained_on(store)[0] == list(range(10))
    (copy / "splits.tsv").unlink()
    found = material(copy)
    with pytest.raises(MissingError, match=r"splits\.tsv"):
        found.rows_trained_on(store)


def test_groups_are_those_of_the_main_arm(root: Path, copy: Path) -> None:
    assert material(root).groups == ("MS", "HC")
    shutil.rmtree(copy / "models")
    with pytest.raises(MissingError, match="names two groups"):
        _ = material(copy).groups
