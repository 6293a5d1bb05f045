"""Every public function of analysis on samples that cannot tell much: n/a with a reason, or an error that says why."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import numpy as np
import pandas as pd
import pytest

import pellucid.analysis
from pellucid.analysis.brightness import brightness_alone
from pellucid.analysis.calibration import brier, calibrate, expected_calibration_error, reliability
from pellucid.analysis.classification import by_person, one_a_person, over_trials, scores, trial_scores
from pellucid.analysis.clusters import clustered_interval
from pellucid.analysis.comparison import delong, mcnemar, paired, paired_trials
from pellucid.analysis.permutation import permutation_p
from pellucid.analysis.regions import compare_groups
from pellucid.analysis.roc import mean_roc, roc
from pellucid.analysis.subgroups import interactions, subgroups
from pellucid.ground.errors import InputError

METRICS = ["balanced_accuracy", "sensitivity", "specificity", "auc"]


def _sample(label: list[int], logit: list[float], fold: list[int] | None = None) -> pd.DataFrame:
    names = [f"sub-{n:02d}" for n in range(len(label))]
    table = pd.DataFrame({"trial": 0, "participant_id": names, "label": label, "logit": logit})
    return table if fold is None else table.assign(fold=fold)


SAMPLES = {
    "one patient": _sample([1, 0, 0, 0, 0, 0], [2.0, -1, -2, 3, 1, -0.5]),
    "two of each": _sample([1, 1, 0, 0], [2.0, 1.0, -1.0, 1.5]),
    "one of each": _sample([1, 0], [1.0, -1.0]),
    "all tied": _sample([1, 1, 1, 0, 0, 0], [0.5] * 6),
    "mostly tied": _sample([1, 1, 1, 0, 0, 0], [0.5, 0.5, 0.5, 0.5, 0.5, -1.0]),
    "all right": _sample([1, 1, 1, 0, 0, 0], [1.0, 2, 3, -1, -2, -3]),
    "all wrong": _sample([1, 1, 1, 0, 0, 0], [-1.0, -2, -3, 1, 2, 3]),
    "a fold of one class": _sample([1, 1, 1, 0, 0, 0], [1.0, -2, 3, 1, -2, -3], [0, 0, 1, 1, 1, 1]),
    "no fold of two": _sample([1, 1, 0, 0], [1.0, 2, -1, -2], [0, 0, 1, 1]),
    "constant in each fold": _sample([1, 0, 1, 0], [1.0, 1.0, -1.0, -1.0], [0, 0, 1, 1]),
}
HAVE_NO_AUC = {"no fold of two"}
SAY_NOTHING = {"all tied", "constant in each fold"}


@pytest.mark.parametrize("name", SAMPLES)
def test_scores_pretend_nothing(name: str) -> None:
    table = SAMPLES[name]
    found = over_trials(table).set_index("metric")
    for metric in METRICS:
        mean, low, high, reason = found.loc[metric, ["mean", "low", "high", "reason"]]
        assert (reason != "") == bool(np.isnan(low)) == bool(np.isnan(high)), metric
        if not reason:
            assert 0.0 <= low <= mean <= high <= 1.0
            assert high - low > 0.3, metric  # of so few people little is known
    assert np.isnan(found.loc["auc", "mean"]) == (name in HAVE_NO_AUC)
    assert (found["reason"] != "").any() == (name in HAVE_NO_AUC | SAY_NOTHING)
    assert found["few"].all()
    pd.testing.assert_frame_equal(
        trial_scores(by_person(table))[METRICS].mean().to_frame("mean"), found[["mean"]], check_names=False
    )
    assert len(one_a_person(table)) == len(table)


@pytest.mark.parametrize("name", SAMPLES)
def test_curves_and_tests_pretend_nothing(name: str) -> None:
    table = SAMPLES[name]
    curve = roc(table)
    assert curve.empty == (name in HAVE_NO_AUC)
    if not curve.empty:
        assert mean_roc(curve)["tpr"].between(0, 1).all()
    for metric in ("auc", "balanced_accuracy"):
        found = permutation_p(table, metric, permutations=99, seed=0)
        if metric == "auc" and name in HAVE_NO_AUC:
            assert (np.isnan(found.p), found.how) == (True, None)  # no score, no p
            continue
        assert 0.0 < found.p <= 1.0
        assert found.how == "permutations"
        assert metric != "auc" or name not in SAY_NOTHING or found.p == 1.0


@pytest.mark.parametrize("name", SAMPLES)
def test_subgroups_pretend_nothing(name: str) -> None:
    table = SAMPLES[name]
    people = table[["participant_id"]].assign(sex=["F", "M"] * (len(table) // 2), edss=2.0)
    for row in subgroups(table, people).to_dict("records"):
        assert row["few"]
        for metric in METRICS:
            low, high = row[f"{metric}_low"], row[f"{metric}_high"]
            assert np.isnan(low) == np.isnan(high)
            assert row["reason"] if np.isnan(low) else high - low > 0.3
    for row in interactions(table, people, permutations=19, seed=0).to_dict("records"):
        assert np.isnan(row["p"]) == (row["levels"] < 2)
        assert np.isnan(row["p"]) or 0 < row["p"] <= 1


@pytest.mark.parametrize("name", SAMPLES)
def test_comparisons_pretend_nothing(name: str) -> None:
    table = SAMPLES[name]
    other = table.assign(logit=table["logit"][::-1].to_numpy())
    for two in (table, other):  # with itself, and with another
        if name in HAVE_NO_AUC or min((table["label"] == 1).sum(), (table["label"] == 0).sum()) < 2:
            with pytest.raises(InputError, match=r"have no variance|no model evaluated both"):
                paired(table, two, permutations=19, seed=0)
            continue
        found = paired(table, two, permutations=19, seed=0)
        assert found["few"].all()
        width = found["high"] - found["low"]
        assert (width > 0.05).all()
    assert paired_trials(pd.DataFrame({"arm": ["a", "b"], "trial": 0, "auc": [0.5, 0.6]})).empty
    equal = pd.DataFrame({"arm": ["a", "a", "b", "b"], "trial": [0, 1, 0, 1], "auc": [0.5, 0.5, 0.6, 0.6]})
    assert paired_trials(equal)[["low", "high", "p"]].isna().all(axis=None)  # no spread, no interval


@pytest.mark.parametrize("name", SAMPLES)
def test_calibration_pretends_nothing(name: str) -> None:
    table = SAMPLES[name]
    platt = calibrate(table["label"], table["logit"])
    probability = platt.probability(table["logit"])
    assert ((probability > 0) & (probability < 1)).all()
    if np.ptp(table["logit"]) == 0:
        assert platt.slope == 0.0
    bins = reliability(table["label"], probability, table["participant_id"])
    measured = bins[bins["n"] > 0]
    assert (measured["observed_high"] - measured["observed_low"] > 0.3).all()
    assert 0 <= brier(table["label"], probability) <= 1
    assert 0 <= expected_calibration_error(table["label"], probability) <= 1


def test_brightness_that_is_the_same_in_all_has_no_interval() -> None:
    row = brightness_alone(SAMPLES["all tied"].assign(robust=1.0)).iloc[0]
    assert row["auc"] == 0.5
    assert row[["low", "high"]].isna().all()
    assert row["reason"] == "all scores are equal, which tells nobody apart"


@pytest.mark.parametrize("label", [1, 0])
def test_a_sample_of_one_class_is_refused_by_name(label: int) -> None:
    table = _sample([label] * 4, [1.0, 2.0, -1.0, -2.0])
    missing = "no controls" if label else "no patients"
    people = table[["participant_id"]].assign(sex="F")
    calls = (
        lambda: over_trials(table),
        lambda: scores(table["label"], table["logit"]),
        lambda: roc(table),
        lambda: permutation_p(table, "auc", seed=0),
        lambda: subgroups(table, people),
        lambda: interactions(table, people, seed=0),
        lambda: calibrate(table["label"], table["logit"]),
        lambda: delong(table["label"], table["logit"], table["logit"]),
        lambda: mcnemar(table["label"], table["logit"], table["logit"]),
        lambda: paired(table, table, seed=0),
        lambda: brightness_alone(table.assign(robust=1.0)),
    )
    for call in calls:
        with pytest.raises(InputError, match=missing):
            call()


@pytest.mark.parametrize("column", ["participant_id", "label"])
def test_nobody_vanishes_for_want_of_a_name_or_a_label(column: str) -> None:
    table = SAMPLES["all right"].astype({"label": object})
    table.loc[2, column] = None
    with pytest.raises(InputError, match=f"a row has no {column}"):
        over_trials(table)


def test_groups_of_one_person_or_equal_sums_have_no_test_that_pretends() -> None:
    rows = pd.DataFrame({"participant_id": ["a", "b", "c", "d"], "area": "Stem", "sum": 1.0})
    alone = compare_groups(rows.assign(group=["MS", "HC", "HC", "HC"]), "MS", seed=0)
    assert alone[["difference", "p"]].isna().all(axis=None)
    equal = compare_groups(rows.assign(group=["MS", "MS", "HC", "HC"]), "MS", seed=0).iloc[0]
    assert (equal["difference"], equal["p"]) == (0.0, 1.0)
    assert np.isnan(clustered_interval([1.0, 2.0])[:2]).all()
    assert np.isnan(clustered_interval([0.0] * 9, statistic="mean")[:2]).all()


def test_no_module_of_scores_was_forgotten() -> None:
    """A public function that takes predictions, or labels and logits, is called above."""
    source = inspect.getsource(importlib.import_module(__name__))
    for module in pkgutil.iter_modules(pellucid.analysis.__path__):
        found = importlib.import_module(f"pellucid.analysis.{module.name}")
        for name, function in inspect.getmembers(found, inspect.isfunction):
            takes = set(inspect.signature(function).parameters)
            scored = takes & {"predictions", "predictions_one"} or {"label", "logit"} <= takes
            if function.__module__ == found.__name__ and not name.startswith("_") and scored:
                assert name in ("checked", "paired_with_labels") or f"{name}(" in source, name
