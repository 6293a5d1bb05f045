"""Measures of ranks against scikit-learn, and precision at k against every order of the ties."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import average_precision_score, roc_auc_score

from pellucid.trust.ranks import rank_measures

PAIRS = st.integers(2, 40).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.float64, n, elements=st.integers(-4, 4).map(float)),  # few values: many ties
        hnp.arrays(np.bool_, n),
    )
)


@given(PAIRS)
def test_average_precision_and_auroc_are_scikit_learns(pair: tuple[np.ndarray, np.ndarray]) -> None:
    values, inside = pair
    assume(0 < inside.sum() < inside.size)
    found = rank_measures(values, inside)
    assert found.average_precision == pytest.approx(average_precision_score(inside, values))
    assert found.auroc == pytest.approx(roc_auc_score(inside, values))


@given(
    hnp.arrays(np.float64, 6, elements=st.integers(0, 2).map(float)),
    hnp.arrays(np.bool_, 6),
)
def test_precision_at_k_is_the_mean_over_all_orders_of_the_ties(values: np.ndarray, inside: np.ndarray) -> None:
    assume(0 < inside.sum() < inside.size)
    k = int(inside.sum())
    hits = []
    for order in map(list, permutations(range(6))):
        ranked = values[order]
        if (ranked[:-1] >= ranked[1:]).all():  # one of the orders that the values allow, each as likely
            hits.append(inside[order][:k].mean())
    assert rank_measures(values, inside).precision_at_k == pytest.approx(np.mean(hits))


@given(PAIRS)
def test_no_monotone_change_moves_them_and_order_in_memory_neither(pair: tuple[np.ndarray, np.ndarray]) -> None:
    values, inside = pair
    assume(0 < inside.sum() < inside.size)
    expected = rank_measures(values, inside)
    for other in (np.exp(values), values**3, values.astype(np.float32) * np.float32(1e-30)):
        assert rank_measures(other, inside) == expected
    assert rank_measures(values[::-1], inside[::-1]) == pytest.approx(expected)


def test_three_maps_by_hand() -> None:
    inside = np.array([True, True, False, False, False, False])
    assert rank_measures(np.array([9.0, 8, 3, 2, 1, 0]), inside) == (1.0, 1.0, 1.0)
    worst = rank_measures(np.array([0.0, 1, 2, 3, 4, 5]), inside)
    assert worst == pytest.approx(((1 / 5 + 2 / 6) / 2, 0.0, 0.0))
    # One lesion voxel first, the other tied with two of the rest: the second place is a lesion's in one of three.
    tied = rank_measures(np.array([5.0, 4, 4, 4, 1, 0]), inside)
    assert tied == pytest.approx(((1.0 + 2 / 4) / 2, (1 + 1 / 3) / 2, (4 + 2 + 2 * 0.5) / 8))
