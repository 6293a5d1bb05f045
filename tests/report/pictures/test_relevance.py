"""Relevance in colour: colours mean what the bar says, and limits come from the maps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pellucid.report.pictures.relevance import UNIT, colours, relevance_bar, strongest_voxel, symmetric_limit


def test_colours_are_symmetric_transparent_at_zero_and_clipped_at_the_limit() -> None:
    rgba = colours(np.array([-2.0, -1.0, -0.25, 0.0, 0.25, 1.0, 2.0]), 1.0)
    np.testing.assert_allclose(rgba[:, 3], [1, 1, 0.25, 0, 0.25, 1, 1])
    assert (rgba[0] == rgba[1]).all()
    assert (rgba[5] == rgba[6]).all()
    assert rgba[1, 2] > rgba[1, 0]  # blue speaks against
    assert rgba[5, 0] > rgba[5, 2]  # red speaks for


@given(hnp.arrays(np.float64, (4, 5), elements=st.floats(-8, 8)))
def test_colours_depend_on_the_ratio_to_the_limit_alone(values: np.ndarray) -> None:
    np.testing.assert_allclose(colours(values, 2.0), colours(4 * values, 8.0))


def test_the_limit_is_a_percentile_of_what_is_not_zero() -> None:
    values = np.zeros(100_000)
    values[:1000] = -np.arange(1, 1001)
    assert symmetric_limit([values]) == pytest.approx(np.percentile(np.arange(1, 1001), 99.9))
    assert symmetric_limit([values[:1000], values]) == pytest.approx(np.percentile(np.arange(1, 1001).repeat(2), 99.9))
    assert symmetric_limit([np.zeros(5)]) == 1.0


def test_the_strongest_voxel_speaks_for_the_verdict_and_is_seen() -> None:
    values = np.zeros((3, 3, 3))
    values[0, 0, 0], values[1, 1, 1], values[2, 2, 2] = 9.0, 5.0, -7.0
    seen = np.ones_like(values, dtype=bool)
    assert strongest_voxel(values, seen) == (0, 0, 0)
    seen[0, 0, 0] = False
    assert strongest_voxel(values, seen) == (1, 1, 1)
    values[0, 0, 0] = 0.0  # now the sum is negative
    assert strongest_voxel(values, seen) == (2, 2, 2)


@pytest.mark.parametrize(("clipped", "ends"), [(False, ("−0.0120", "+0.0120")), (True, ("≤ −0.0120", "≥ +0.0120"))])
def test_the_bar_says_where_colours_end_and_whether_voxels_lie_beyond(clipped: bool, ends: tuple[str, str]) -> None:
    bar = relevance_bar(0.012, clipped=clipped)
    assert [word for _, word in bar.words] == [ends[0], "−0.00600", "0", "+0.00600", ends[1]]
    assert [value for value, _ in bar.words] == [-0.012, -0.006, 0.0, 0.006, 0.012]
    assert bar.unit == UNIT
    np.testing.assert_array_equal(bar.paint(np.array([0.012])), colours(np.array([1.0]), 1.0))
