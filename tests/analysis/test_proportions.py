"""Intervals by formula: scipy's Wilson, published values, coverage, and the scores that they are used for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from pellucid.analysis.classification import over_trials
from pellucid.analysis.proportions import auc_interval, mean_of_two, wilson


@given(st.integers(1, 60), st.data())
def test_wilson_is_scipy_s(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    expected = binomtest(k, n).proportion_ci(method="wilson")
    assert wilson(k / n, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


@given(st.floats(0.0, 1.0), st.integers(2, 80), st.integers(2, 80))
def test_an_auc_s_interval_holds_it_and_solves_its_equation(auc: float, patients: int, controls: int) -> None:
    low, high = auc_interval(auc, patients, controls)
    assert 0.0 <= low <= auc <= high <= 1.0
    mirrored = auc_interval(1.0 - auc, patients, controls)
    assert (1.0 - mirrored[1], 1.0 - mirrored[0]) == pytest.approx((low, high), abs=1e-6)
    for end in (low, high):
        if 0.0 < end < 1.0 and abs(end - auc) > 1e-6:
            more = (patients + controls) / 2 - 1
            variance = end * (1 - end) / (patients * controls) * (1 + more * ((1 - end) / (2 - end) + end / (1 + end)))
            assert abs(end - auc) == pytest.approx(norm.ppf(0.975) * np.sqrt(variance), rel=1e-4)


def test_an_auc_s_interval_covers_it() -> None:
    rng, truth, found = np.random.default_rng(0), norm.cdf(1.5 / np.sqrt(2)), []
    for _ in range(1000):
        above = rng.normal(1.5, 1.0, size=13)[:, None] > rng.normal(size=10)
        low, high = auc_interval(float(above.mean()), 13, 10)
        found.append(low <= truth <= high)
    assert 0.92 < np.mean(found) < 0.99


def test_the_mean_of_two_shares_covers_it() -> None:
    rng, found = np.random.default_rng(1), []
    for a, b in zip(rng.binomial(13, 0.95, 2000) / 13, rng.binomial(10, 0.8, 2000) / 10, strict=True):
        low, high = mean_of_two((a, b), (wilson(a, 13), wilson(b, 10)))
        found.append(low <= 0.875 <= high)
    assert 0.92 < np.mean(found) < 0.99


def scored(logits: list[float]) -> pd.DataFrame:
    table = pd.DataFrame({"participant_id": list("abcdefg"), "label": [1, 1, 1, 1, 0, 0, 0], "logit": logits})
    return over_trials(table.assign(trial=0), resamples=200, seed=0).set_index("metric")


def test_nobody_wrong_is_no_certainty() -> None:
    table = scored([1, 2, 3, 4, -1, -2, -3])
    assert (table["mean"] == 1.0).all()
    assert table.loc["sensitivity", ["low", "high"]].tolist() == pytest.approx(list(wilson(1.0, 4)))
    assert table.loc["specificity", ["low", "high"]].tolist() == pytest.approx(list(wilson(1.0, 3)))
    assert table.loc["auc", "low"] == pytest.approx(auc_interval(1.0, 4, 3)[0])
    assert table.loc["specificity", "low"] < table.loc["balanced_accuracy", "low"] < 1.0
    assert (table["high"] == 1.0).all()


def test_everybody_called_a_patient_by_chance_is_not_certain_either() -> None:
    table = scored([1, 2, 3, 4, 1, 2, 3])
    assert table.loc["specificity", ["mean", "low"]].tolist() == [0.0, 0.0]
    assert table.loc["specificity", "high"] == pytest.approx(wilson(0.0, 3)[1])
    assert table.loc["balanced_accuracy", "low"] < 0.5 < table.loc["balanced_accuracy", "high"]


def test_what_says_the_same_of_everybody_is_certain() -> None:
    table = scored([1.0] * 7)
    assert (table["low"] == table["mean"]).all()
    assert (table["high"] == table["mean"]).all()
