"""Scores against hand-counted numbers; intervals that count people and hold their level."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from pellucid.analysis.classification import METRICS, over_trials, scores
from pellucid.analysis.proportions import auc_interval, mean_of_two, wilson
from pellucid.analysis.roc import limits_at, mean_roc, raster_roc, roc
from pellucid.ground.errors import InputError


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


def test_means_are_over_trials_and_intervals_over_people() -> None:
    table = _in_folds(_predictions(3, 9, 7, seed=1), 2)
    found = over_trials(table).set_index("metric")
    per_trial = pd.DataFrame(
        [
            _slow_scores(*(rows[name].to_numpy() for name in ("label", "logit", "fold")))
            for _, rows in table.groupby("trial")
        ]
    )
    assert tuple(found.index) == METRICS
    assert found["mean"].to_dict() == pytest.approx(per_trial.mean().to_dict())
    assert found["sd"].to_dict() == pytest.approx(per_trial.std().to_dict())
    sensitivity, specificity = found["mean"]["sensitivity"], found["mean"]["specificity"]
    ends = wilson(sensitivity, 9), wilson(specificity, 7)
    assert found.loc["sensitivity", ["low", "high"]].tolist() == pytest.approx(list(ends[0]))
    assert found.loc["specificity", ["low", "high"]].tolist() == pytest.approx(list(ends[1]))
    both = mean_of_two((sensitivity, specificity), ends, people=(9, 7))
    assert found.loc["balanced_accuracy", ["low", "high"]].tolist() == pytest.approx(list(both))
    sizes = []
    for _, rows in table.groupby("trial"):
        judged = [rows[rows["fold"] == fold]["label"] for fold in (0, 1)]
        sizes.append([(int(label.sum()), int((1 - label).sum())) for label in judged])
    fewest = min(sizes, key=lambda folds: sum(m * n for m, n in folds))  # trials divide people differently
    assert found.loc["auc", ["low", "high"]].tolist() == pytest.approx(list(auc_interval(found["mean"]["auc"], fewest)))
    assert (found[["n_patients", "n_controls"]] == [9, 7]).to_numpy().all()
    assert not found["few"].any()
    assert (found["reason"] == "").all()


@settings(max_examples=15)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 3), st.integers(0, 999))
def test_visits_are_no_people_and_equal_trials_no_more_than_one(
    patients: int, controls: int, trials: int, seed: int
) -> None:
    once = _predictions(trials, patients, controls, seed=seed)
    expected = over_trials(once)
    for visits in (2, 4):
        table = pd.concat([once.assign(session_id=f"ses-{visit}") for visit in range(visits)])
        pd.testing.assert_frame_equal(over_trials(table), expected)
        pd.testing.assert_frame_equal(roc(table), roc(once))
    one = once[once["trial"] == "trial-00"]
    ten = pd.concat([one.assign(trial=f"trial-{n}") for n in range(10)])
    pd.testing.assert_frame_equal(over_trials(ten).drop(columns="sd"), over_trials(one).drop(columns="sd"))


def test_a_person_counts_once_with_the_mean_logit_of_its_scans() -> None:
    table = pd.DataFrame(
        {
            "trial": 0,
            "participant_id": ["a", "a", "a", "b", "c", "d"],
            "session_id": ["1", "2", "3", "1", "1", "1"],
            "label": [1, 1, 1, 1, 0, 0],
            "logit": [4.0, -1.0, -1.5, -2.0, 0.2, -3.0],
        }
    )
    means = over_trials(table).set_index("metric")["mean"]
    assert means["sensitivity"] == 0.5  # a: 0.5 on average, though two of three scans are below 0
    assert means["auc"] == 3 / 4


@settings(max_examples=25)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 2), st.integers(0, 10**6))
def test_one_more_error_never_narrows_an_interval(patients: int, controls: int, trials: int, seed: int) -> None:
    """A logit of a person who is right in a trial is made the most wrong of all, while scores stay above a half."""
    table = _predictions(trials, patients, controls, seed=seed).assign(logit=lambda t: 3.0 * (2 * t["label"] - 1))
    generator = np.random.default_rng(seed)
    before = over_trials(table).set_index("metric")
    for row in generator.permutation(len(table)):
        sign = 2 * table["label"].iloc[row] - 1
        worse = table.copy()
        worse.loc[worse.index[row], "logit"] = -sign * generator.uniform(2.0, 4.0)
        after = over_trials(worse).set_index("metric")
        for metric in METRICS:
            kept = after["mean"][metric] >= 0.5 and (metric != "balanced_accuracy" or after["mean"][:3].min() >= 0.5)
            if kept and not after["reason"][metric] and not before["reason"][metric]:
                widths = [one["high"][metric] - one["low"][metric] for one in (before, after)]
                assert widths[1] >= widths[0] - 1e-9, metric
                assert after["low"][metric] <= before["low"][metric] + 1e-9
                assert after["high"][metric] <= before["high"][metric] + 1e-9
        table, before = worse, after


def test_one_error_in_one_of_ten_trials_makes_no_interval_ten_times_narrower() -> None:
    """13 patients, 10 controls: 0.992 (0.977 to 1.00) stood for sensitivity, while nobody wrong had 0.772 to 1.00."""
    right = _predictions(10, 13, 10, seed=0).assign(logit=lambda t: 2.0 * t["label"] - 1.0)
    wrong = right.assign(logit=np.where(np.arange(len(right)) == 0, -0.5, right["logit"]))
    all_right, one_wrong = (over_trials(table).set_index("metric") for table in (right, wrong))
    assert all_right.loc["sensitivity", ["mean", "low", "high"]].tolist() == pytest.approx(
        [1.0, 0.77190, 1.0], abs=1e-5
    )
    assert one_wrong["mean"]["sensitivity"] == pytest.approx(129 / 130)
    assert one_wrong["low"]["sensitivity"] < 0.77190
    assert one_wrong["low"]["balanced_accuracy"] < all_right["low"]["balanced_accuracy"]


def test_a_class_that_is_all_right_is_no_certainty_of_balanced_accuracy() -> None:
    """The paper's lesion load: 10 of 13 and 10 of 10, which the bootstrap gave 0.769 to 1.00."""
    logit = np.r_[np.ones(10), -np.ones(13)]
    table = _predictions(1, 13, 10, seed=0).assign(logit=logit)
    row = over_trials(table).set_index("metric").loc["balanced_accuracy"]
    assert row[["mean", "low", "high"]].tolist() == pytest.approx([0.8846, 0.690, 0.959], abs=1e-3)


@pytest.mark.parametrize(
    ("patients", "controls", "folds", "auc"),
    [(13, 10, 1, 0.9), (3, 2, 1, 0.8), (1, 10, 1, 0.9), (13, 10, 5, 0.95)],
)
def test_intervals_hold_what_is_true(patients: int, controls: int, folds: int, auc: float) -> None:
    """A short look at what experiments/interval_coverage.py measures at length."""
    generator, held = np.random.default_rng(5), []
    for _ in range(100):
        table = _in_folds(_predictions(1, patients, controls, seed=0), folds)
        table["fold"] = np.r_[generator.permutation(patients) % folds, generator.permutation(controls) % folds]
        table["logit"] = generator.normal(np.sqrt(2.0) * norm.ppf(auc) * table["label"])
        row = over_trials(table).set_index("metric").loc["auc"]
        held.append(row["low"] <= auc <= row["high"])
    assert np.mean(held) >= 0.9


def test_a_correction_is_as_if_there_were_fewer_people() -> None:
    table = _predictions(2, 12, 15, seed=8)
    plain, mended = (over_trials(table, correction=by).set_index("metric") for by in (1.0, 1.5))
    assert mended.loc["sensitivity", ["low", "high"]].tolist() == pytest.approx(
        list(wilson(plain["mean"]["sensitivity"], 12 / 2.25))
    )
    assert (mended["low"] < plain["low"]).all()
    assert (mended["high"] > plain["high"]).all()
    assert (mended[["low", "high"]].to_numpy() >= 0).all()
    assert (mended[["low", "high"]].to_numpy() <= 1).all()


@pytest.mark.parametrize(("patients", "controls", "few"), [(4, 9, True), (9, 4, True), (5, 5, False), (1, 1, True)])
def test_few_people_are_named(patients: int, controls: int, few: bool) -> None:
    found = over_trials(_predictions(2, patients, controls, seed=3))
    assert (found["few"] == few).all()
    assert (found["high"] - found["low"] > 0.1).all()


@pytest.mark.parametrize("folds", [1, 3])
def test_scores_that_are_all_equal_rank_nobody_and_have_no_interval(folds: int) -> None:
    table = _in_folds(_predictions(2, 9, 6, seed=2), folds)
    table["logit"] = 1.0 + table["fold"]  # each model says one thing of everybody
    found = over_trials(table).set_index("metric")
    assert found["mean"].to_dict() == pytest.approx(
        {"balanced_accuracy": 0.5, "sensitivity": 1.0, "specificity": 0.0, "auc": 0.5}
    )
    assert found.loc[["auc", "balanced_accuracy"], ["low", "high"]].isna().to_numpy().all()
    assert set(found["reason"][["auc", "balanced_accuracy"]]) == {"all scores are equal, which tells nobody apart"}
    assert found.loc["sensitivity", ["low", "high"]].tolist() == pytest.approx(list(wilson(1.0, 9)))


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
    found = over_trials(table).set_index("metric")
    assert found.loc["auc", ["mean", "low", "high"]].isna().all()
    assert found["reason"]["auc"] == "in a trial no model judged both a patient and a control"
    assert found.drop(index="auc")[["mean", "low", "high"]].notna().all(axis=None)
    assert roc(table).empty
    with pytest.raises(InputError, match="evaluated in two folds of a trial"):
        over_trials(_predictions(1, 3, 3, seed=5, sessions=2).assign(fold=range(9)))


def test_the_raster_of_one_trial_is_that_trial_and_of_two_their_middle() -> None:
    perfect = pd.DataFrame({"trial": "a", "fpr": [0.0, 0.0, 1.0], "tpr": [0.0, 1.0, 1.0]})
    chance = pd.DataFrame({"trial": "b", "fpr": [0.0, 1.0], "tpr": [0.0, 1.0]})
    one = raster_roc(perfect, points=11)
    assert one.iloc[0]["tpr"] == 0.0
    assert (one["tpr"].iloc[1:] == 1.0).all()
    assert (one["sd"] == 0.0).all()
    both = raster_roc(pd.concat([perfect, chance]), points=11)
    np.testing.assert_allclose(both["tpr"].iloc[1:], (1 + np.linspace(0, 1, 11)) / 2)
    np.testing.assert_allclose(both["sd"].iloc[1:], (1 - np.linspace(0, 1, 11)) / 2)


def test_the_mean_roc_is_exact_and_keeps_steps_upright() -> None:
    step = [("a", 0.0, 0.0), ("a", 0.0, 0.6), ("a", 0.5, 0.6), ("a", 0.5, 1.0), ("a", 1.0, 1.0)]
    curves = pd.DataFrame([*step, ("b", 0.0, 0.0), ("b", 1.0, 1.0)], columns=["trial", "fpr", "tpr"])
    mean = mean_roc(curves)
    np.testing.assert_allclose(mean["fpr"], [0, 0, 0.5, 0.5, 1, 1])
    np.testing.assert_allclose(mean["tpr"], [0, 0.3, 0.55, 0.75, 1, 1])
    np.testing.assert_allclose(mean["sd"].iloc[2], np.std([0.6, 0.5], ddof=1))
    np.testing.assert_allclose(np.trapezoid(mean["tpr"], mean["fpr"]), (0.8 + 0.5) / 2)
    alone = mean_roc(curves[curves["trial"] == "a"])
    assert alone["sd"].isna().all()
    np.testing.assert_allclose(np.trapezoid(alone["tpr"], alone["fpr"]), 0.8)


def test_limits_before_and_after_a_step_and_between() -> None:
    x, y = [0.0, 0.0, 0.5, 0.5, 1.0], [0.0, 0.6, 0.6, 1.0, 1.0]
    before, after = limits_at(np.array([0.0, 0.25, 0.5, 0.75, 1.0]), x, y)
    np.testing.assert_allclose(before, [0.0, 0.6, 0.6, 1.0, 1.0])
    np.testing.assert_allclose(after, [0.6, 0.6, 1.0, 1.0, 1.0])
    before, after = limits_at(np.array([0.25, 0.5]), [0.0, 1.0], [0.0, 1.0])
    np.testing.assert_allclose((before, after), [[0.25, 0.5], [0.25, 0.5]])


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
        over_trials(spoil(_predictions(2, 3, 3, seed=5)))  # type: ignore[operator]


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(InputError, match="differ in shape"):
        scores([1, 0, 1], [0.0, 1.0])
