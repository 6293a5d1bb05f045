"""Scores against hand-counted numbers; the vectorised bootstrap against a plain loop."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.analysis.bootstrap import resample
from pellucid.analysis.classification import METRICS, over_trials, scores
from pellucid.analysis.roc import mean_roc, roc
from pellucid.errors import InputError


def _slow_scores(label: np.ndarray, logit: np.ndarray, fold: np.ndarray | None = None) -> dict[str, float]:
    """Count everything, pair by pair."""
    patients, controls = logit[label == 1], logit[label == 0]
    judges = np.zeros(len(label)) if fold is None else fold
    sensitivity = sum(p > 0 for p in patients) / len(patients)
    specificity = sum(not c > 0 for c in controls) / len(controls)
    pairs = [
        1.0 if p > c else 0.5 if p == c else 0.0
        for p, judge in zip(patients, judges[label == 1], strict=True)
        for c, other in zip(controls, judges[label == 0], strict=True)
        if judge == other
    ]
    return {
        "balanced_accuracy": (sensitivity + specificity) / 2,
        "sensitivity": sensitivity,
        "specificity": specificity,
        "auc": sum(pairs) / len(pairs) if pairs else float("nan"),
    }


def _predictions(trials: int, patients: int, controls: int, *, seed: int, sessions: int = 1) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    rows = [
        (
            f"trial-{t:02d}",
            f"sub-{n:04d}",
            f"ses-{s:02d}",
            int(n < patients),
            round(generator.normal(float(n < patients)), 1),
        )
        for t in range(trials)
        for n in range(patients + controls)
        for s in range(1 + (n % sessions))
    ]
    return pd.DataFrame(rows, columns=["trial", "participant_id", "session_id", "label", "logit"])


def _in_folds(table: pd.DataFrame, folds: int) -> pd.DataFrame:
    """Judge participants in folds, others in every trial."""
    person = table["participant_id"].str[-4:].astype(int)
    trial = table["trial"].str[-2:].astype(int)
    return table.assign(fold=(person * (trial + 1) + person // folds) % folds)


def test_scores_of_a_sample_that_a_hand_can_check() -> None:
    result = scores([1, 1, 1, 0, 0], [2.0, 0.5, -1.0, -2.0, 0.5])
    assert result == pytest.approx(
        {"balanced_accuracy": (2 / 3 + 1 / 2) / 2, "sensitivity": 2 / 3, "specificity": 1 / 2, "auc": (2 + 1.5 + 1) / 6}
    )


def test_a_logit_of_exactly_zero_is_no_patient() -> None:
    assert scores([1, 0], [0.0, 0.0])["sensitivity"] == 0.0
    assert scores([1, 0], [0.0, 0.0])["specificity"] == 1.0


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(-4, 4)), min_size=2, max_size=40))
def test_scores_equal_their_slow_twin(sample: list[tuple[int, int]]) -> None:
    label, logit = np.array(sample).T
    if len(set(label)) < 2:
        with pytest.raises(InputError):
            scores(label, logit)
    else:
        assert scores(label, logit) == pytest.approx(_slow_scores(label, logit))


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(-50, 50)), min_size=2, max_size=40))
def test_negating_and_relabelling_mirrors_the_scores(sample: list[tuple[int, int]]) -> None:
    label, logit = np.array(sample).T
    logit = logit + 0.5  # nobody on the threshold
    if len(set(label)) == 2:
        there, back = scores(label, logit), scores(1 - label, -logit)
        assert back["auc"] == pytest.approx(there["auc"])
        assert back["sensitivity"] == pytest.approx(there["specificity"])
        assert scores(label, -logit)["auc"] == pytest.approx(1 - there["auc"])


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(-4, 4), st.integers(0, 2)), min_size=2, max_size=40))
def test_within_folds_the_auc_equals_its_slow_twin_and_what_a_model_adds_to_all_its_logits_is_nothing(
    sample: list[tuple[int, int, int]],
) -> None:
    label, logit, fold = np.array(sample).T
    if len(set(label)) == 2:
        found = scores(label, logit, fold)
        assert found == pytest.approx(_slow_scores(label, logit, fold), nan_ok=True)
        assert scores(label, logit + 10 * fold, fold)["auc"] == pytest.approx(found["auc"], nan_ok=True)
        assert scores(label, logit, np.full(len(fold), 7)) == scores(label, logit)


@pytest.mark.parametrize(("sessions", "folds"), [(1, 1), (3, 1), (3, 2)])
def test_the_bootstrap_equals_a_plain_loop_over_resampled_subjects(sessions: int, folds: int) -> None:
    table = _in_folds(_predictions(3, 7, 5, seed=1, sessions=sessions), folds)
    result = over_trials(table, resamples=200, seed=11).set_index("metric")
    subjects = sorted(table["participant_id"].unique())
    label_of = table.groupby("participant_id")["label"].first()
    rows_of = dict(iter(table.groupby(["trial", "participant_id"])))
    draws = []
    for drawn in resample(label_of[subjects].to_numpy(), resamples=200, seed=11):
        trials = []
        for trial in table["trial"].unique():
            sample = pd.concat([rows_of[(trial, subjects[n])] for n in drawn])
            trials.append(_slow_scores(*(sample[name].to_numpy() for name in ("label", "logit", "fold"))))
        draws.append(pd.DataFrame(trials).mean(skipna=False))
    expected = pd.DataFrame(draws)
    per_trial = pd.DataFrame(
        [
            _slow_scores(*(rows[name].to_numpy() for name in ("label", "logit", "fold")))
            for _, rows in table.groupby("trial")
        ]
    )
    assert tuple(result.index) == METRICS
    for metric in METRICS:
        assert result.loc[metric, "mean"] == pytest.approx(per_trial[metric].mean())
        assert result.loc[metric, "sd"] == pytest.approx(per_trial[metric].std())
        assert result.loc[metric, "low"] == pytest.approx(np.nanpercentile(expected[metric], 2.5))
        assert result.loc[metric, "high"] == pytest.approx(np.nanpercentile(expected[metric], 97.5))


def test_the_order_of_rows_changes_nothing_and_the_seed_does() -> None:
    table = _predictions(2, 20, 20, seed=2)
    first = over_trials(table, resamples=300, seed=0)
    pd.testing.assert_frame_equal(first, over_trials(table.sample(frac=1, random_state=1), resamples=300, seed=0))
    assert not first.equals(over_trials(table, resamples=300, seed=1))


def test_the_interval_has_the_width_that_theory_gives() -> None:
    """A binomial share of 80 % in 400 subjects has a 95 % interval of +-3.9 points."""
    label = np.repeat([1, 0], 400)
    logit = np.where(np.arange(800) % 5 == 0, -1.0, 1.0) * np.where(label == 1, 1, -1)
    table = pd.DataFrame(
        {"trial": 0, "participant_id": [f"{n:04d}" for n in range(800)], "label": label, "logit": logit}
    )
    row = over_trials(table, seed=0).set_index("metric").loc["sensitivity"]
    assert row["mean"] == pytest.approx(0.8)
    assert row["high"] - row["low"] == pytest.approx(2 * 1.96 * np.sqrt(0.8 * 0.2 / 400), rel=0.08)
    assert np.isnan(row["sd"])  # one trial has no spread


def test_two_thousand_resamples_take_less_than_two_seconds() -> None:
    table = _predictions(5, 150, 150, seed=3)
    start = time.perf_counter()
    over_trials(table, seed=0)
    assert time.perf_counter() - start < 2.0


@pytest.mark.parametrize("folds", [1, 4])
def test_roc_runs_from_corner_to_corner_and_its_area_is_the_auc(folds: int) -> None:
    table = _in_folds(_predictions(3, 30, 20, seed=4), folds)
    curves = roc(table)
    assert list(curves.columns) == ["trial", "fpr", "tpr"]
    for trial, curve in curves.groupby("trial"):
        rows = table[table["trial"] == trial]
        assert (curve.iloc[0][["fpr", "tpr"]] == 0).all()
        assert (curve.iloc[-1][["fpr", "tpr"]] == 1).all()
        area = np.trapezoid(curve["tpr"], curve["fpr"])
        assert (np.diff(curve[["fpr", "tpr"]], axis=0) >= -1e-12).all()
        assert area == pytest.approx(scores(rows["label"], rows["logit"], rows["fold"])["auc"])


def test_where_no_patient_shares_a_fold_with_a_control_there_is_no_auc_and_no_curve() -> None:
    table = _predictions(1, 3, 3, seed=5).assign(fold=[0, 0, 0, 1, 1, 1])
    found = over_trials(table, resamples=50, seed=0).set_index("metric")
    assert found.loc["auc", ["mean", "low", "high"]].isna().all()
    assert found.drop(index="auc")[["mean", "low", "high"]].notna().all(axis=None)
    assert roc(table).empty
    with pytest.raises(InputError, match="judged in two folds of a trial"):
        over_trials(_predictions(1, 3, 3, seed=5, sessions=2).assign(fold=range(9)), seed=0)


def test_the_mean_roc_of_one_trial_is_that_trial_and_of_two_their_middle() -> None:
    perfect = pd.DataFrame({"trial": "a", "fpr": [0.0, 0.0, 1.0], "tpr": [0.0, 1.0, 1.0]})
    chance = pd.DataFrame({"trial": "b", "fpr": [0.0, 1.0], "tpr": [0.0, 1.0]})
    one = mean_roc(perfect)
    assert one.iloc[0]["tpr"] == 0.0
    assert (one["tpr"].iloc[1:] == 1.0).all()
    assert (one["sd"] == 0.0).all()
    both = mean_roc(pd.concat([perfect, chance]), points=11)
    np.testing.assert_allclose(both["tpr"].iloc[1:], (1 + np.linspace(0, 1, 11)) / 2)
    np.testing.assert_allclose(both["sd"].iloc[1:], (1 - np.linspace(0, 1, 11)) / 2)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda t: t.assign(label=1), "no controls"),
        (lambda t: t.assign(label=0), "no patients"),
        (lambda t: t.assign(label=t["label"] + 1), "neither 0 nor 1"),
        (lambda t: t.iloc[1:], "do not hold the same scans"),
        (lambda t: pd.concat([t, t.iloc[:1]]), "twice"),
        (lambda t: t.assign(logit=np.nan), "missing"),
        (lambda t: t.assign(logit=np.inf), "not finite"),
        (lambda t: t.drop(columns="logit"), "no column logit"),
        (lambda t: t.assign(role=np.where(t.index % 2, "holdout", "train")), "roles are mixed"),
        (lambda t: t.assign(participant_id="sub-0001", session_id=t.index % 6), "two labels: sub-0001"),
    ],
)
def test_predictions_that_cannot_be_scored_are_refused(spoil: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        over_trials(spoil(_predictions(2, 3, 3, seed=5)), seed=0)  # type: ignore[operator]


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(InputError, match="differ in shape"):
        scores([1, 0, 1], [0.0, 1.0])
