"""Means of maps, all together and group by group."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pellucid.analysis.averages import group_means, mean_map
from pellucid.errors import InputError

STACKS = hnp.arrays(
    np.float32, st.tuples(st.integers(1, 6), st.just(2), st.just(3)), elements=st.floats(-8, 8, width=32)
)


@given(STACKS)
def test_the_mean_equals_numpys(stack: np.ndarray) -> None:
    result = mean_map(iter(stack))
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, stack.astype(np.float64).mean(axis=0), atol=1e-6)


@given(STACKS, st.integers(0, 2**31))
def test_groups_are_averaged_apart_and_together_give_the_whole(stack: np.ndarray, seed: int) -> None:
    groups = np.random.default_rng(seed).choice(["MS", "HC"], size=len(stack))
    means = group_means(zip(groups, stack, strict=True))
    for group, average in means.items():
        assert average.number == (groups == group).sum()
        np.testing.assert_allclose(average.values, stack[groups == group].mean(axis=0), atol=1e-5)
    whole = sum(average.number * average.values for average in means.values()) / len(stack)
    np.testing.assert_allclose(whole, mean_map(stack), atol=1e-5)


def test_the_maps_given_are_left_alone() -> None:
    stack = np.ones((3, 2, 2), dtype=np.float64)
    group_means([("MS", stack[0]), ("MS", stack[1])])
    assert (stack == 1).all()


def test_masks_give_a_probability() -> None:
    masks = np.array([[True, False], [True, True]])
    np.testing.assert_array_equal(mean_map(masks), [1.0, 0.5])


def test_only_one_map_is_in_memory_at_a_time() -> None:
    alive: list[int] = []

    class Map(np.ndarray):
        def __del__(self) -> None:
            alive.append(-1)

    def maps() -> Iterator[np.ndarray]:
        for number in range(4):
            assert -sum(alive) >= number - 1
            yield np.zeros(3).view(Map)

    mean_map(maps())


def test_nothing_to_average_and_shapes_that_differ_are_refused() -> None:
    with pytest.raises(InputError, match="no map to average"):
        mean_map([])
    with pytest.raises(InputError, match=r"shape \(3,\), not \(2,\)"):
        mean_map([np.zeros(2), np.zeros(3)])
    assert group_means([]) == {}
