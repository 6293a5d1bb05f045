"""Intervals by formula: scipy's Wilson, published values, coverage, and the scores that they are used for."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, binom, binomtest, norm

from pellucid.analysis.classification import over_trials
from pellucid.analysis.proportions import (
    FEW,
    auc_interval,
    few_interval,
    mean_of_two,
    paired_interval,
    share_interval,
    wilson,
)


@given(st.integers(1, 60), st.data())
def test_wilson_is_scipy_s(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    expected = binomtest(k, n).proportion_ci(method="wilson")
    assert wilson(k / n, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


@given(st.floats(0.0, 1.0), st.integers(FEW, 80), st.integers(FEW, 80))
def test_an_auc_s_interval_holds_it_and_solves_its_equation(auc: float, patients: int, controls: int) -> None:
    low, high = auc_interval(auc, [(patients, controls)])
    assert 0.0 <= low <= auc <= high <= 1.0
    mirrored = auc_interval(1.0 - auc, [(patients, controls)])
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
        low, high = auc_interval(float(above.mean()), [(13, 10)])
        found.append(low <= truth <= high)
    assert 0.92 < np.mean(found) < 0.99


def test_the_mean_of_two_shares_covers_it() -> None:
    rng, found = np.random.default_rng(1), []
    for a, b in zip(rng.binomial(13, 0.95, 2000) / 13, rng.binomial(10, 0.8, 2000) / 10, strict=True):
        low, high = mean_of_two((a, b), (wilson(a, 13), wilson(b, 10)), people=(13, 10))
        found.append(low <= 0.875 <= high)
    assert 0.92 < np.mean(found) < 0.99


def scored(logits: list[float]) -> pd.DataFrame:
    table = pd.DataFrame({"participant_id": list("abcdefg"), "label": [1, 1, 1, 1, 0, 0, 0], "logit": logits})
    return over_trials(table.assign(trial=0)).set_index("metric")


def test_nobody_wrong_is_no_certainty() -> None:
    table = scored([1, 2, 3, 4, -1, -2, -3])
    assert (table["mean"] == 1.0).all()
    assert table.loc["sensitivity", ["low", "high"]].tolist() == pytest.approx(list(few_interval(1.0, 4)))
    assert table.loc["specificity", ["low", "high"]].tolist() == pytest.approx(list(few_interval(1.0, 3)))
    assert table.loc["auc", "low"] == pytest.approx(auc_interval(1.0, [(4, 3)])[0])
    assert table.loc["specificity", "low"] < table.loc["balanced_accuracy", "low"] < 1.0
    assert (table["high"] == 1.0).all()


def test_everybody_called_a_patient_by_chance_is_not_certain_either() -> None:
    table = scored([1, 2, 3, 4, 1, 2, 3])
    assert table.loc["specificity", ["mean", "low"]].tolist() == [0.0, 0.0]
    assert table.loc["specificity", "high"] == pytest.approx(few_interval(0.0, 3)[1])
    assert table.loc["balanced_accuracy", "low"] < 0.5 < table.loc["balanced_accuracy", "high"]


@given(st.integers(1, 40), st.data())
def test_of_few_people_the_interval_lies_between_jeffreys_and_the_exact_one(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    exact = binomtest(k, n).proportion_ci(method="exact")
    jeffreys = beta.ppf([0.025, 0.975], k + 0.5, n - k + 0.5)
    low, high = few_interval(k / n, n)
    assert exact.low - 1e-12 <= low <= jeffreys[0] or k == 0
    assert jeffreys[1] <= high <= exact.high + 1e-12 or k == n
    mirrored = few_interval(1.0 - k / n, n)
    assert (1.0 - mirrored[1], 1.0 - mirrored[0]) == pytest.approx((low, high))
    assert share_interval(k / n, n) == (wilson(k / n, n) if n >= 5 else (low, high))


@pytest.mark.parametrize("people", [1, 2, 3, 4])
def test_few_people_hold_the_truth_where_wilson_s_interval_does_not(people: int) -> None:
    held: dict[str, list[float]] = {"few": [], "wilson": []}
    for truth in np.linspace(0.5, 0.97, 48):
        chance = binom.pmf(np.arange(people + 1), people, truth)
        for name, make in (("few", few_interval), ("wilson", wilson)):
            ends = [make(k / people, people) for k in range(people + 1)]
            inside = [low <= truth <= high for low, high in ends]
            held[name].append(float(chance @ inside))
    assert min(held["few"]) >= 0.925
    assert min(held["wilson"]) < 0.87


@given(
    st.integers(0, 40).map(lambda k: k / 40),
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=6),
)
def test_an_auc_s_interval_holds_it_and_is_mirrored_also_over_folds(auc: float, folds: list[tuple[int, int]]) -> None:
    low, high = auc_interval(auc, folds)
    assert 0.0 <= low <= auc + 1e-9
    assert auc - 1e-9 <= high <= 1.0
    assert high - low > 0.02
    mirrored = auc_interval(1.0 - auc, folds)
    assert (1.0 - mirrored[1], 1.0 - mirrored[0]) == pytest.approx((low, high), abs=1e-6)
    wide = auc_interval(auc, folds, widening=1.5)
    assert wide[1] - wide[0] >= high - low - 1e-9
    assert auc_interval(auc, folds[::-1]) == pytest.approx((low, high), abs=1e-9)


def test_over_folds_of_one_pair_an_auc_is_the_share_of_pairs() -> None:
    """Pairs of one each share nobody, so that they are independent."""
    assert auc_interval(0.75, [(1, 1)] * 8) == pytest.approx(wilson(0.75, 8), abs=1e-6)
    assert auc_interval(1.0, [(1, 1)] * 2) == pytest.approx(few_interval(1.0, 2), abs=1e-6)


@pytest.mark.parametrize(("patients", "controls"), [(1, 1), (1, 10), (2, 7), (3, 2), (4, 4), (5, 6), (13, 10)])
def test_one_more_error_in_one_of_two_trials_lowers_both_ends_and_never_narrows(patients: int, controls: int) -> None:
    shares = [[k / (2 * n) for k in range(n, 2 * n + 1)] for n in (patients, controls)]  # from a half to all
    ends = [[share_interval(s, n) for s in some] for some, n in zip(shares, (patients, controls), strict=True)]
    both = [
        [mean_of_two((a, b), (i, j), people=(patients, controls)) for b, j in zip(shares[1], ends[1], strict=True)]
        for a, i in zip(shares[0], ends[0], strict=True)
    ]
    areas = [auc_interval(k / 40, [(patients, controls)]) for k in range(20, 41)]
    for chain in (*ends, *both, *map(list, zip(*both, strict=True)), areas):
        for worse, better in pairwise(chain):
            assert worse[0] <= better[0] + 1e-9
            assert worse[1] <= better[1] + 1e-9
            assert worse[1] - worse[0] >= better[1] - better[0] - 1e-9


def test_paired_differences_of_shares_hold_what_is_true_also_where_nobody_differs() -> None:
    assert paired_interval([[0.0] * 13]) == pytest.approx((-0.1848, 0.1848), abs=1e-3)
    n, half = 12.0, 1.959964 * np.sqrt(((3 + 2) / 12 - (3 / 12) ** 2) / 12)
    assert paired_interval([[1.0, 1.0, 1.0] + [0.0] * 7]) == pytest.approx((3 / n - half, 3 / n + half), abs=1e-6)
    rng, held = np.random.default_rng(2), []
    for _ in range(1000):
        strata = [rng.choice([-1.0, 0.0, 1.0], p=(0.05, 0.75, 0.2), size=size) for size in (13, 10)]
        low, high = paired_interval(strata)
        held.append(low <= 0.15 <= high)
    assert 0.93 <= np.mean(held) <= 0.99
