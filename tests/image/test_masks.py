"""Masks: boxes hold them, and the largest part is found."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pellucid.image import masks
from pellucid.image.masks import bounding_box, largest_part

some_masks = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=3, max_dims=3, max_side=6))


def test_the_example_in_the_docstring_is_true() -> None:
    assert doctest.testmod(masks).failed == 0


@given(some_masks, st.tuples(*[st.integers(0, 3)] * 3))
def test_a_box_holds_the_mask_and_its_margin_within_the_image(
    mask: np.ndarray[tuple[int, int, int], np.dtype[np.bool_]], margin: tuple[int, int, int]
) -> None:
    if not mask.any():
        with pytest.raises(ValueError, match="empty"):
            bounding_box(mask, margin)
        return
    where = np.argwhere(mask)
    low = np.maximum(where.min(axis=0) - margin, 0)
    high = np.minimum(where.max(axis=0) + margin + 1, mask.shape)
    box = bounding_box(mask, margin)
    assert [(span.start, span.stop) for span in box] == list(zip(low.tolist(), high.tolist(), strict=True))


def test_the_largest_part_touches_by_faces_alone() -> None:
    mask = np.zeros((4, 4, 4), dtype=np.bool_)
    mask[0, 0, :2] = True
    mask[1, 1, :3] = True  # touches the first by an edge
    expected = np.zeros_like(mask)
    expected[1, 1, :3] = True
    np.testing.assert_array_equal(largest_part(mask), expected)


@given(some_masks)
def test_the_largest_part_is_of_the_mask_and_nothing_only_of_nothing(
    mask: np.ndarray[tuple[int, int, int], np.dtype[np.bool_]],
) -> None:
    part = largest_part(mask)
    assert not (part & ~mask).any()
    assert part.any() == mask.any()
