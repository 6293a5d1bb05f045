from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.cohort.augment import MAX_SHIFT, apply, draw, untouched

IMAGES = np.random.default_rng(0).normal(size=(4, 7, 5, 6)).astype(np.float32)

batches = st.integers(1, 5).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 3), min_size=n, max_size=n),
        st.lists(st.booleans(), min_size=n, max_size=n),
        st.lists(st.integers(-9, 9), min_size=n, max_size=n),
    )
)
corners = st.none() | st.tuples(st.integers(1, 7), st.integers(1, 5), st.integers(1, 6))


def slow(images: np.ndarray, index: list[int], flip: list[bool], shift: list[int]) -> np.ndarray:
    """Voxel plane by voxel plane, on the whole grid."""
    out = np.zeros((len(index), *images.shape[1:]), dtype=images.dtype)
    for b, (n, mirrored, by) in enumerate(zip(index, flip, shift, strict=True)):
        volume = images[n]
        if mirrored:
            volume = np.flip(volume, axis=0)
        for i in range(volume.shape[0]):
            if 0 <= i + by < volume.shape[0]:
                out[b, i + by] = volume[i]
    return out


@given(batches, corners)
def test_equals_the_slow_way_then_a_crop(
    batch: tuple[list[int], list[bool], list[int]], stops: tuple[int, ...] | None
) -> None:
    index, flip, shift = batch
    fast = apply(IMAGES, np.array(index), np.array(flip), np.array(shift), stops=stops)
    wide, deep, high = stops or IMAGES.shape[1:]
    np.testing.assert_array_equal(fast, slow(IMAGES, index, flip, shift)[:, :wide, :deep, :high])


def test_flip_twice_is_the_identity() -> None:
    index = np.arange(4)
    flip, still = np.ones(4, dtype=bool), np.zeros(4, dtype=np.int64)
    once = apply(IMAGES, index, flip, still)
    assert not np.array_equal(once, IMAGES)
    np.testing.assert_array_equal(apply(once, index, flip, still), IMAGES)


@pytest.mark.parametrize("by", [-2, -1, 1, 2])
def test_shift_vacates_planes_of_zero(by: int) -> None:
    ones = np.ones((1, 7, 5, 6), dtype=np.float32)
    out = apply(ones, np.array([0]), np.array([False]), np.array([by]))
    vacated = slice(0, by) if by > 0 else slice(by, None)
    assert not out[0, vacated].any()
    assert out.sum() == (7 - abs(by)) * 30


def test_untouched_is_a_copy() -> None:
    out = apply(IMAGES, np.array([2, 0]), *untouched(2))
    np.testing.assert_array_equal(out, IMAGES[[2, 0]])
    out[:] = 0
    assert IMAGES.any()


def test_draw_is_uniform_and_replayable() -> None:
    flip, shift = draw(np.random.default_rng(1), 20_000)
    again = draw(np.random.default_rng(1), 20_000)
    np.testing.assert_array_equal(flip, again[0])
    np.testing.assert_array_equal(shift, again[1])
    assert abs(flip.mean() - 0.5) < 0.02
    values, counts = np.unique(shift, return_counts=True)
    assert values.tolist() == list(range(-MAX_SHIFT, MAX_SHIFT + 1))
    assert abs(counts / 20_000 - 0.2).max() < 0.02
