"""Intervals over people who share networks: a slow twin, laws, and how often they hold what is true."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, ttest_1samp

from pellucid.analysis.clusters import Clustered, by_person, clustered_interval
from pellucid.ground.errors import InputError

VALUES = st.lists(st.integers(-50, 50), min_size=12, max_size=30)


def _people(folds: int, each: int, *, alike: float, seed: int) -> tuple[np.ndarray, list[str]]:
    """Draw normal values of people of whom the share `alike` of the variance is their network's."""
    rng = np.random.default_rng(seed)
    fold = np.repeat(np.arange(folds), each)
    values = np.sqrt(alike) * rng.normal(size=folds)[fold] + np.sqrt(1.0 - alike) * rng.normal(size=fold.size)
    return values, [f"trial-{number:02d}" for number in fold]


def test_of_equal_folds_the_mean_has_the_t_interval_of_their_means() -> None:
    values, networks = _people(5, 15, alike=0.7, seed=1)
    found = clustered_interval(values, networks, statistic="mean")
    expected = ttest_1samp(values.reshape(5, 15).mean(axis=1), 0.0).confidence_interval(0.95)
    assert found == pytest.approx((*expected, 5))


@pytest.mark.parametrize(("statistic", "middle"), [("mean", np.mean), ("median", np.median)])
def test_unequal_folds_count_by_their_people(statistic: str, middle: object) -> None:
    y, names = np.array([1.0, 2.0, 4.0, 30.0, 31.0, 35.0, 36.0, 60.0, 61.0]), list("aaabbbbcc")
    middle_of = getattr(np, statistic)
    square = sum((n / 9 * (middle_of(some) - middle_of(y))) ** 2 for n, some in ((3, y[:3]), (4, y[3:7]), (2, y[7:])))
    half = 4.302652729911275 * np.sqrt(3 / 2 * square)  # t of 2 degrees of freedom
    assert clustered_interval(y, names, statistic=statistic) == pytest.approx(  # type: ignore[arg-type]
        (middle_of(y) - half, middle_of(y) + half, 3)
    )


def test_alone_a_median_lies_between_the_order_statistics_of_the_binomial() -> None:
    """Of 10 people the second and the ninth: fewer than two lie below the median with a chance of 11 in 1024."""
    assert clustered_interval(np.arange(1.0, 11.0)) == (2.0, 9.0, 0)
    assert clustered_interval(np.arange(1.0, 7.0)) == (1.0, 6.0, 0)
    assert np.isnan(clustered_interval(np.arange(1.0, 6.0))[:2]).all()
    for n in range(6, 40):
        low, high, _ = clustered_interval(np.arange(1.0, n + 1.0))
        assert binom.cdf(low - 1, n, 0.5) <= 0.025 < binom.cdf(low, n, 0.5)
        assert high == n + 1 - low


@given(VALUES, st.integers(2, 6))
def test_sharing_networks_never_narrows_an_interval_and_one_network_is_people_alone(
    whole: list[int], folds: int
) -> None:
    y = np.array(whole, dtype=float)
    names = [f"trial-{n % folds}" for n in range(y.size)]
    for statistic in ("mean", "median"):
        alone = clustered_interval(y, statistic=statistic)  # type: ignore[arg-type]
        shared = clustered_interval(y, names, statistic=statistic)  # type: ignore[arg-type]
        if np.isnan(alone.low):  # a mean of equal values
            assert (statistic, np.ptp(y)) == ("mean", 0)
            continue
        assert shared.low <= alone.low <= alone.high <= shared.high
        one = clustered_interval(y, ["trial-0"] * y.size, statistic=statistic)  # type: ignore[arg-type]
        assert one == (*alone[:2], 1)
        every = clustered_interval(y, ["trial-0 trial-1 trial-2"] * y.size, statistic=statistic)  # type: ignore[arg-type]
        assert every == one  # the same three judged everybody


@given(VALUES, st.integers(-5, 5))
def test_it_moves_with_the_values_turns_with_their_sign_and_does_not_depend_on_order_or_names(
    whole: list[int], shift: int
) -> None:
    y = np.array(whole, dtype=float)
    names = [f"trial-{n % 3}" for n in range(y.size)]
    found = clustered_interval(y, names)
    assert clustered_interval(y + shift, names)[:2] == pytest.approx((found.low + shift, found.high + shift))
    assert clustered_interval(-y, names)[:2] == pytest.approx((-found.high, -found.low))
    order = np.random.default_rng(0).permutation(y.size)
    renamed = [f"x{names[n]}" for n in order]
    assert clustered_interval(y[order], renamed)[:2] == pytest.approx(found[:2])
    assert clustered_interval(np.r_[y, np.nan], [*names, "trial-9"]) == pytest.approx(found)  # nobody is counted twice


def test_people_of_several_networks_count_with_each_of_them() -> None:
    """Two repeats of three folds: a fold's people share its network, and no two have both in common but in a corner."""
    a, b = np.repeat(np.arange(3), 9), np.tile(np.repeat(np.arange(3), 3), 3)
    y = 10.0 * a + 1.0 * b + np.tile([-0.1, 0.0, 0.1], 9)
    found = clustered_interval(y, [f"a{i} b{k}" for i, k in zip(a, b, strict=True)], statistic="mean")
    half = 4.302652729911275 * np.sqrt(3 / 2 * (2 * 10.0**2 + 2 * 1.0**2) / 9)
    assert found == pytest.approx((11.0 - half, 11.0 + half, 3))


@pytest.mark.parametrize("statistic", ["mean", "median"])
@pytest.mark.parametrize("alike", [0.0, 0.3, 0.7])
def test_five_networks_of_fifteen_people_hold_what_is_true(statistic: str, alike: float) -> None:
    held = [
        low <= 0.0 <= high
        for seed in range(400)
        for low, high, _ in [clustered_interval(*_people(5, 15, alike=alike, seed=seed), statistic=statistic)]  # type: ignore[arg-type]
    ]
    assert 0.925 <= np.mean(held) <= 1.0
    alone = [
        low <= 0.0 <= high
        for seed in range(400)
        for low, high, _ in [clustered_interval(_people(5, 15, alike=alike, seed=seed)[0], statistic=statistic)]  # type: ignore[arg-type]
    ]
    assert (np.mean(alone) < 0.8) == (alike > 0.0)  # what was printed before


def test_a_lift_has_no_end_below_zero() -> None:
    values, networks = np.array([1.0, 2.0, 3.0, 40.0, 41.0, 42.0]), list("aaabbb")
    assert clustered_interval(values, networks).low < 0.0
    assert clustered_interval(values, networks, least=0.0).low == 0.0


def test_visits_of_one_person_are_one_value() -> None:
    table = pd.DataFrame(
        {
            "participant_id": ["sub-2", "sub-1", "sub-2", "sub-1"],
            "lift": [1.0, np.nan, 3.0, np.nan],
            "networks": ["trial-1", "trial-0", "trial-2", None],
        }
    )
    found = by_person(table, ["lift"])
    assert found.index.tolist() == ["sub-2", "sub-1"]
    assert found["lift"].tolist() == pytest.approx([2.0, np.nan], nan_ok=True)
    assert found["networks"].tolist() == ["trial-1 trial-2", "trial-0"]


def test_what_cannot_be_measured_is_missing_and_what_is_wrong_refused() -> None:
    nobody = clustered_interval([], [])
    assert np.isnan(nobody[:2]).all()
    assert np.isnan(clustered_interval([1.0], ["a"], statistic="mean")[:2]).all()
    assert clustered_interval([2.0] * 6, list("aabbcc")) == Clustered(2.0, 2.0, 3)
    for values, networks, words in (
        ([1.0, np.inf], None, "infinite"),
        ([1.0, 2.0], ["a"], "must be one per participant"),
        ([1.0, 2.0], ["a", None], "has none"),
        ([[1.0]], None, "must be one per participant"),
    ):
        with pytest.raises(InputError, match=words):
            clustered_interval(values, networks)  # type: ignore[arg-type]


def test_a_scan_of_nobody_does_not_vanish() -> None:
    table = pd.DataFrame({"participant_id": ["sub-01", None], "lift": [1.0, 2.0]})
    with pytest.raises(InputError, match="missing in a row"):
        by_person(table, ["lift"])
