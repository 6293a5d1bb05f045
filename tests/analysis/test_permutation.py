"""Permutation p of a statistic and of a share of it: all orders by hand, the normal law, the smallest p there is."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from pellucid.analysis.permutation import chance


def difference(a: Any, b: Any, axis: int) -> Any:
    return a.mean(axis=axis) - b.mean(axis=axis)


@pytest.mark.parametrize("factor", [1.0, 1.3, 2.0])
@pytest.mark.parametrize("alternative", ["greater", "less", "two-sided"])
def test_few_are_permuted_in_every_order(factor: float, alternative: str) -> None:
    a, b = np.array([2.0, 3.5, 1.0, 2.2]), np.array([0.5, 1.5, -1.0])
    found = chance((a, b), difference, kind="independent", alternative=alternative, factor=factor, seed=0)
    every = np.r_[a, b]
    drawn = []
    for chosen in combinations(range(7), 4):
        mine = np.isin(np.arange(7), chosen)
        drawn.append(every[mine].mean() - every[~mine].mean())
    least = a.mean() - b.mean()
    above, below = np.mean(np.array(drawn) >= least - 1e-12), np.mean(np.array(drawn) <= least + 1e-12)
    exact = {"greater": above, "less": below, "two-sided": min(1.0, 2 * min(above, below))}[alternative]
    sides = 2 if alternative == "two-sided" else 1
    expected = sides * norm.sf(norm.isf(exact / sides) / factor)
    assert found.observed == pytest.approx(a.mean() - b.mean())
    assert found.p == pytest.approx(expected)


def test_a_share_of_a_normal_statistic_has_the_p_of_its_quantile() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(0.3, 1.0, size=80), rng.normal(size=80)
    plain, mended = (
        chance((a, b), difference, kind="independent", alternative="two-sided", factor=by, seed=2).p
        for by in (1.0, 1.5)
    )
    assert 0.001 < plain < 0.05
    assert mended == pytest.approx(2 * norm.sf(norm.isf(plain / 2) / 1.5), rel=0.15)


def test_a_large_effect_has_a_small_p_though_it_is_corrected() -> None:
    """No permutation reaches it: weakened, the smallest p of 999 would stay at 0.03 whatever the effect."""
    rng = np.random.default_rng(3)
    options = {"kind": "independent", "alternative": "two-sided", "permutations": 999, "factor": 1.5, "seed": 4}
    a, b = rng.normal(1.2, 1.0, size=(70, 3)), rng.normal(size=(60, 3))
    found = chance((a, b), difference, **options)
    z = found.observed / np.sqrt(np.r_[a, b].var(axis=0, ddof=1) * (1 / 70 + 1 / 60))
    assert found.p == pytest.approx(2 * norm.sf(z / 1.5), rel=0.6)
    assert (found.p < 0.001).all()


def test_few_values_that_a_statistic_can_have_do_not_undo_the_correction() -> None:
    """Almost everybody is called a patient: a smaller statistic is as often reached as the one that was observed."""
    label = np.repeat([1.0, 0.0], [52, 19])

    def balanced(x: Any, axis: int) -> Any:
        return np.moveaxis(x, axis, -1) @ np.where(label == 1, 0.5 / 52, -0.5 / 19) + 0.5

    options = {"kind": "pairings", "alternative": "greater", "middle": 0.5, "seed": 7}
    for called in ([0, 0], [1, 3]):  # patients and controls who are called controls
        right = np.ones(71)
        right[: called[0]] = 0.0
        right[52 : 52 + called[1]] = 0.0
        plain, mended = (chance((right,), balanced, factor=by, **options).p for by in (1.0, 1.5))
        assert mended >= min(plain, 0.5)
    one = np.r_[0.0, np.ones(70)]  # one patient alone is called a control: worse than chance
    assert chance((one,), balanced, factor=1.5, **options).p > 0.5


def test_the_middle_need_not_be_zero() -> None:
    label = np.repeat([1.0, 0.0], 40)
    value = np.random.default_rng(5).normal(size=80) + 0.3 * label

    def share(x: Any, axis: int) -> Any:
        return 7.0 + np.moveaxis(x, axis, -1) @ (label - 0.5)

    options = {"kind": "pairings", "alternative": "greater", "factor": 1.5, "seed": 6}
    moved = chance((value,), share, middle=7.0, **options).p
    centred = chance((value,), lambda x, axis: share(x, axis) - 7.0, **options).p
    assert moved == pytest.approx(centred)
