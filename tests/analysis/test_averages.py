"""Means of maps, all together and group by group."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pellucid.analysis.averages import Part, group_means, mean_map, network_scales
from pellucid.ground.errors import InputError

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
    means = group_means(map(Part, groups, stack))
    for group, average in means.items():
        assert average.number == (groups == group).sum()
        np.testing.assert_allclose(average.values, stack[groups == group].mean(axis=0), atol=1e-5)
    whole = sum(average.number * average.values for average in means.values()) / len(stack)
    np.testing.assert_allclose(whole, mean_map(stack), atol=1e-5)


def test_the_maps_given_are_left_alone() -> None:
    stack = np.ones((3, 2, 2), dtype=np.float64)
    group_means([Part("MS", stack[0]), Part("MS", stack[1])])
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


@pytest.mark.parametrize("visits", [1, 2, 4])
def test_visits_are_no_people(visits: int) -> None:
    maps = {"a": np.array([1.0, -2.0]), "b": np.array([3.0, 0.5])}
    parts = [Part("MS", values, share=1 / visits) for values in maps.values() for _ in range(visits)]
    assert group_means(parts)["MS"].number == 2
    np.testing.assert_allclose(group_means(parts)["MS"].values, [2.0, -0.75])
    # one of whom has more scans than the other
    odd = [Part("MS", maps["a"], share=1 / visits)] * visits + [Part("MS", maps["b"])]
    np.testing.assert_allclose(group_means(odd)["MS"].values, [2.0, -0.75])


def test_networks_are_brought_to_one_scale() -> None:
    """Network x has ten times the relevance of y: alone it would be the average, scaled both are one half of it."""
    maps = [np.array([10.0, 0.0]), np.array([30.0, 0.0]), np.array([0.0, -1.0]), np.array([0.0, -3.0])]
    networks = ["x", "x", "y", "y"]
    gross = [float(np.abs(one).sum()) for one in maps]
    scales = network_scales(gross, networks, [1.0] * 4)
    assert scales == pytest.approx([11 / 20, 11 / 20, 11 / 2, 11 / 2])
    mean = group_means(Part("MS", one, scale=scale) for one, scale in zip(maps, scales, strict=True))["MS"].values
    np.testing.assert_allclose(mean, [5.5, -5.5])
    raw = group_means(Part("MS", one) for one in maps)["MS"].values
    np.testing.assert_allclose(raw, [10.0, -1.0])
    assert np.abs(mean).sum() == pytest.approx(np.mean([20.0, 2.0]))  # in logit units still
    assert network_scales(gross, ["x"] * 4, [1.0] * 4) == [1.0] * 4
    assert network_scales([0.0, 2.0], ["x", "y"], [1.0, 1.0]) == [1.0, 0.5]
    assert network_scales([], [], []) == []
    # a person's visits do not weigh more: 10 twice and 30 once are a mean of 20
    assert network_scales([10.0, 10.0, 30.0, 2.0], ["x", "x", "x", "y"], [0.5, 0.5, 1.0, 1.0]) == pytest.approx(
        [11 / 20] * 3 + [11 / 2]
    )
