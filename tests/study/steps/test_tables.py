"""Tables of a study, against what they are made from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import false_discovery_control

from pellucid.analysis.classification import over_trials
from pellucid.analysis.permutation import permutation_p
from pellucid.ground.errors import InputError
from pellucid.ground.files import read_tsv
from pellucid.ground.seeds import derive_seed
from pellucid.rundir.folder import RunFolder
from pellucid.rundir.tables import TABLES, members
from pellucid.spec.reading import read_spec
from pellucid.study.plan import Plan
from pellucid.study.steps.map_tables import regions
from pellucid.study.steps.table_registry import Needs, table_task
from pellucid.trust.lesions import columns
from pellucid.trust.nulls import NULLS

TINY = Path(__file__).parents[1] / "tiny.toml"


def test_every_table_has_the_columns_that_are_declared_of_it_in_their_order(undisturbed: Path) -> None:
    written = {path.stem: list(read_tsv(path)) for path in (undisturbed / "tables").glob("*.tsv")}
    assert len(written) > 15
    assert {name: list(members(TABLES[name], columns)) for name, columns in written.items()} == written


def test_lesions_are_sought_by_every_map_and_null_with_every_measure(undisturbed: Path) -> None:
    lesions = read_tsv(undisturbed / "tables" / "lesions.tsv")
    assert list(lesions["map"].unique()) == ["lrp-epsilon", "|lrp-epsilon|", *NULLS]
    assert set(columns()) <= set(lesions)


def test_a_table_with_other_columns_than_declared_is_not_written(tmp_path: Path) -> None:
    made = pd.DataFrame({"arm": ["scratch"], "trial": [0], "false_positives": [0.0], "tpr": [1.0]})
    task = table_task("roc", lambda plan, progress: made, Plan(read_spec(TINY), RunFolder(tmp_path)), Needs())
    with pytest.raises(InputError, match="column false_positives is not declared; column fpr is missing"):
        task.run(lambda done, of, what: None)
    assert not task.complete


def test_table2_is_what_the_predictions_say(undisturbed: Path) -> None:
    table = read_tsv(undisturbed / "tables" / "table2.tsv")
    assert list(table["arm"].unique()) == ["finetuned", "scratch", "bright-voxels"]  # nobody of pretraining is held out
    parts = [
        read_tsv(undisturbed / "models" / "finetuned" / f"trial-{k:02d}" / "predictions.tsv").assign(trial=k)
        for k in (0, 1)
    ]
    held_out = pd.concat(parts).query("role == 'holdout'")
    expected = over_trials(held_out)
    rows = table[table["arm"] == "finetuned"].reset_index(drop=True)
    pd.testing.assert_frame_equal(rows[list(expected.columns)], expected, check_dtype=False)
    assert rows["few"].all()  # two of each
    assert rows["q_chance"].notna().sum() == 2
    chance = rows.set_index("metric")["p_chance"]
    for metric in ("auc", "balanced_accuracy"):
        found = permutation_p(held_out, metric, seed=derive_seed(3, "permutation"))
        assert (chance[metric], rows.set_index("metric").loc[metric, "p_from"]) == (pytest.approx(found.p), found.how)
    assert chance[["sensitivity", "specificity"]].isna().all()
    assert set(rows["n_trials"]) == {2}
    assert set(rows["n_subjects"]) == {4}
    assert set(rows["pretraining"]) == {"pretraining"}
    trials = read_tsv(undisturbed / "tables" / "trials.tsv")
    assert trials[["arm", "trial"]].to_numpy().tolist() == [
        ["finetuned", 0],
        ["finetuned", 1],
        ["scratch", 0],
        ["bright-voxels", 0],
    ]
    for metric, row in rows.set_index("metric").iterrows():
        of_arm = trials[trials["arm"] == "finetuned"][metric]
        assert (of_arm.mean(), of_arm.std()) == pytest.approx((row["mean"], row["sd"]), nan_ok=True)


def test_regions_may_be_merged_as_in_the_paper(undisturbed: Path) -> None:
    spec = read_spec(undisturbed / "study.toml")
    spec = replace(spec, analysis=replace(spec.analysis, merge="paper"))
    table = regions(Plan(spec, RunFolder(undisturbed)), lambda *_: None)
    ours = read_tsv(undisturbed / "tables" / "regions.tsv")
    assert "Inf. Lat. Ventricles" in set(table["area"])
    assert "Lateral ventricles" in set(ours["area"])
    assert len(table) == len(ours)


def test_region_tests_are_of_sums_and_of_shares_of_a_map_in_one_family(undisturbed: Path) -> None:
    regions, totals = (read_tsv(undisturbed / "tables" / f"{name}.tsv") for name in ("regions", "sums"))
    whose = ["arm", "participant_id", "session_id"]
    rows = regions.merge(totals[[*whose, "logit", "gross"]], on=whose)
    values = {
        "": rows["sum"],
        "_per_logit": rows["sum"] / rows["logit"].abs(),
        "_per_gross": rows["sum"] / rows["gross"],
    }
    found = read_tsv(undisturbed / "tables" / "region_tests.tsv").set_index(["arm", "atlas", "area"])
    for ending, value in values.items():
        means = rows.assign(value=value).pivot_table("value", ["arm", "atlas", "area"], "group", dropna=False)
        expected = (means["MS"] - means["HC"]).reindex(found.index)
        np.testing.assert_allclose(found[f"difference{ending}"], expected, rtol=1e-9)
    p = np.concatenate([found[f"p{ending}"] for ending in values])
    q = np.concatenate([found[f"q{ending}"] for ending in values])
    tested = ~np.isnan(p)
    np.testing.assert_allclose(q[tested], false_discovery_control(p[tested]), rtol=1e-9)
    assert np.isnan(q[~tested]).all()
