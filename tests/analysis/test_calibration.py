"""Calibration against plain loops, scikit-learn, and samples whose truth is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.calibration import CalibratedClassifierCV, calibration_curve
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from pellucid.analysis.calibration import (
    Calibration,
    brier,
    calibrate,
    calibration_summary,
    expected_calibration_error,
    reliability,
)
from pellucid.analysis.proportions import share_interval
from pellucid.ground.errors import InputError

SAMPLES = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 20)), min_size=1, max_size=40)


def _slow_ece(label: np.ndarray, probability: np.ndarray) -> float:
    total = 0.0
    for number in range(10):
        inside = [
            (y, p)
            for y, p in zip(label, probability, strict=True)
            if number / 10 < p <= (number + 1) / 10 or (number == 0 and p == 0)
        ]
        if inside:
            gap = sum(y for y, _ in inside) / len(inside) - sum(p for _, p in inside) / len(inside)
            total += len(inside) / len(label) * abs(gap)
    return total


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 64)), min_size=1, max_size=40))
def test_brier_and_ece_equal_their_slow_twins(sample: list[tuple[int, int]]) -> None:
    label, number = np.array(sample).T
    probability = number / 64  # no edge but 0, 1/2 and 1, which binary numbers hold exactly
    expected = sum((p - y) ** 2 for y, p in zip(label, probability, strict=True)) / len(label)
    assert brier(label, probability) == pytest.approx(expected)
    error = expected_calibration_error(label, probability)
    assert error == pytest.approx(_slow_ece(label, probability))
    assert 0.0 <= error <= 1.0


def test_scores_that_a_hand_can_check() -> None:
    label, probability = [1, 0, 1, 1], [0.85, 0.85, 0.85, 0.25]
    assert brier(label, probability) == pytest.approx((2 * 0.15**2 + 0.85**2 + 0.75**2) / 4)
    assert expected_calibration_error(label, probability) == pytest.approx(3 / 4 * (0.85 - 2 / 3) + 1 / 4 * 0.75)
    assert expected_calibration_error([1, 0], [1.0, 0.0]) == 0.0
    assert expected_calibration_error([1, 0], [0.0, 1.0]) == 1.0


@given(SAMPLES)
def test_every_subject_stands_in_one_bin(sample: list[tuple[int, int]]) -> None:
    label, number = np.array(sample).T
    probability = number / 20
    table = reliability(label, probability)
    assert list(table.columns) == [
        *("bin", "low", "high", "n", "participants"),
        *("mean_probability", "observed", "observed_low", "observed_high"),
    ]
    assert len(table) == 10
    assert table["n"].sum() == label.size
    full = table[table["n"] > 0]
    assert (full["n"] * full["observed"]).sum() == pytest.approx(label.sum())
    assert (full["n"] * full["mean_probability"]).sum() == pytest.approx(probability.sum())
    assert (full["low"] - 1e-12 <= full["mean_probability"]).all()
    assert (full["mean_probability"] <= full["high"] + 1e-12).all()
    assert table.loc[table["n"] == 0, "mean_probability":].isna().to_numpy().all()
    observed, predicted = calibration_curve(label, probability, n_bins=10, pos_label=1)
    np.testing.assert_allclose(full["observed"], observed)
    np.testing.assert_allclose(full["mean_probability"], predicted)
    for row in full.itertuples():
        assert (row.observed_low, row.observed_high) == pytest.approx(share_interval(row.observed, row.n))


def test_an_interval_counts_each_person_once_however_many_trials() -> None:
    label, probability, who = np.tile([1, 1, 0], 10), np.full(30, 0.65), np.tile(["a", "b", "c"], 10)
    (row,) = reliability(label, probability, who).query("n > 0").itertuples()
    assert (row.n, row.participants) == (30, 3)
    assert (row.observed_low, row.observed_high) == pytest.approx(share_interval(2 / 3, 3))


def test_a_wilson_interval_that_a_hand_can_check() -> None:
    """Five of five: the lower end is n / (n + z^2), the upper 1."""
    row = reliability([1] * 5, [0.95, 0.96, 0.97, 0.98, 0.99]).iloc[-1]
    assert row["observed_low"] == pytest.approx(5 / (5 + 1.959964**2))
    assert row["observed_high"] == pytest.approx(1.0)


def test_well_calibrated_logits_keep_their_slope() -> None:
    generator = np.random.default_rng(0)
    value = generator.normal(0.3, 1.5, size=20000)
    label = (generator.random(value.size) < expit(value)).astype(int)
    fitted = calibrate(label, value)
    assert fitted.slope == pytest.approx(1.0, abs=0.05)
    assert fitted.intercept == pytest.approx(0.0, abs=0.05)
    overconfident = calibrate(label, 3 * value + 2)
    assert overconfident.slope == pytest.approx(fitted.slope / 3, rel=1e-5)
    assert expected_calibration_error(label, overconfident.probability(3 * value + 2)) < 0.02


def _slopes_of_the_loss(label: np.ndarray, value: np.ndarray) -> list[float]:
    """Return the derivatives of the cross-entropy by intercept and by slope, the latter for standardised logits."""
    patients, controls = int(label.sum()), int((1 - label).sum())
    target = np.where(label == 1, (patients + 1) / (patients + 2), 1 / (controls + 2))
    residual = calibrate(label, value).probability(value) - target
    offset = value - value.mean()
    return [residual.mean(), (residual * offset).mean() / max(offset.std(), 1e-9)]


@given(st.lists(st.tuples(st.integers(0, 1), st.floats(-30, 30)), min_size=2, max_size=40))
def test_the_fit_stands_where_the_slope_of_the_loss_is_zero(sample: list[tuple[int, float]]) -> None:
    label, value = np.array([y for y, _ in sample]), np.array([v for _, v in sample])
    if len(set(label)) < 2:
        with pytest.raises(InputError):
            calibrate(label, value)
    else:
        assert _slopes_of_the_loss(label, value) == pytest.approx([0.0, 0.0], abs=1e-4)


def test_the_fit_is_scikit_learn_s() -> None:
    generator = np.random.default_rng(1)
    label = np.repeat([1, 0], [30, 50])
    value = generator.normal(size=80) + label
    network = LogisticRegression()
    network.classes_, network.coef_, network.intercept_ = np.array([0, 1]), np.array([[1.0]]), np.array([0.0])
    twin = CalibratedClassifierCV(FrozenEstimator(network), method="sigmoid", ensemble=False).fit(value[:, None], label)
    expected = twin.predict_proba(value[:, None])[:, 1]
    np.testing.assert_allclose(calibrate(label, value).probability(value), expected, atol=1e-4)


def test_perfectly_separated_logits_give_the_smoothed_targets() -> None:
    """Two values, one a class: the fit passes through t+ and t-, and no further."""
    fitted = calibrate([1, 1, 1, 0, 0], [2.0, 2.0, 2.0, -2.0, -2.0])
    assert fitted.probability([2.0, -2.0]) == pytest.approx([4 / 5, 1 / 4], abs=1e-6)
    assert fitted.slope == pytest.approx((logit(4 / 5) - logit(1 / 4)) / 4, abs=1e-5)


def test_equal_logits_say_nothing_and_reversed_ones_turn_the_slope() -> None:
    flat = calibrate([1, 1, 0], [3.0, 3.0, 3.0])
    assert flat.slope == 0.0
    assert flat.probability(3.0) == pytest.approx((3 / 4 * 2 + 1 / 3) / 3)
    assert calibrate([1, 1, 0, 0], [-1.0, -2.0, 1.0, 2.0]).slope < 0


def test_an_outlier_does_not_break_the_fit() -> None:
    label = np.repeat([1, 0], 10)
    value = np.r_[np.linspace(-1, 2, 9), 1e4, np.linspace(-2, 1, 10)]
    assert _slopes_of_the_loss(label, value) == pytest.approx([0.0, 0.0], abs=1e-6)
    assert calibrate(label, value).slope > 0


def test_probabilities_keep_the_shape_of_the_logits() -> None:
    assert Calibration(slope=2.0, intercept=-1.0).probability([[0.5, 0.0]]) == pytest.approx(
        np.array([[0.5, expit(-1.0)]])
    )


@pytest.mark.parametrize(
    ("label", "probability", "words"),
    [
        ([], [], "there are no participants"),
        ([1, 0], [0.5], "differ in shape"),
        ([1, 2], [0.5, 0.5], "neither 0 nor 1"),
        ([1, 0], [0.5, 1.5], "not in 0-1"),
        ([1, 0], [0.5, np.nan], "not in 0-1"),
    ],
)
def test_probabilities_that_cannot_be_judged_are_refused(
    label: list[int], probability: list[float], words: str
) -> None:
    for judge in (brier, expected_calibration_error, reliability):
        with pytest.raises(InputError, match=words):
            judge(label, probability)


def test_logits_that_cannot_be_fitted_are_refused() -> None:
    with pytest.raises(InputError, match="no controls"):
        calibrate([1, 1], [0.0, 1.0])
    with pytest.raises(InputError, match="not finite"):
        calibrate([1, 0], [0.0, np.inf])


def test_the_summary_sets_scores_beside_that_of_the_share_alone() -> None:
    label, kinds = [1, 1, 1, 0], {"sigmoid": [0.9, 0.8, 0.3, 0.1], "calibrated": [0.7, 0.7, 0.7, 0.7]}
    bins = [
        reliability(label, values).assign(
            arm="a", kind=kind, brier=brier(label, values), ece=expected_calibration_error(label, values)
        )
        for kind, values in kinds.items()
    ]
    found = calibration_summary(pd.concat(bins)).set_index("kind")
    assert found.index.tolist() == ["sigmoid", "calibrated"]
    assert found["n"].tolist() == [4, 4]
    assert found["share"].tolist() == pytest.approx([0.75, 0.75])
    assert found["brier_of_share"].tolist() == pytest.approx([brier(label, [0.75] * 4)] * 2)
    assert found.loc["calibrated", ["brier", "ece"]].tolist() == pytest.approx([0.19, 0.05])
    assert calibration_summary(pd.DataFrame(columns=["arm", "kind"])).empty
