from __future__ import annotations

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.ground.arrays import FloatArray
from pellucid.kernels.arrays import Size, Winners
from pellucid.kernels.compile import threads
from pellucid.kernels.pool import pool

sizes = st.tuples(*[st.integers(1, 3)] * 3)


def textbook(z: FloatArray, size: Size) -> tuple[FloatArray, Winners]:
    """Look at every window by itself."""
    B, *spatial, C = z.shape
    shape = (B, *(n // p for n, p in zip(spatial, size, strict=True)), C)
    best, winner = np.empty(shape, z.dtype), np.empty(shape, np.uint8)
    for b, i, j, k, c in np.ndindex(shape):
        u, v, w = (place * step for place, step in zip((i, j, k), size, strict=True))
        window = z[b, u : u + size[0], v : v + size[1], w : w + size[2], c].ravel()
        best[b, i, j, k, c], winner[b, i, j, k, c] = window.max(), window.argmax()  # argmax: the first
    return best, winner


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@given(sizes, st.tuples(*[st.integers(3, 7)] * 3), st.integers(1, 3), st.integers(1, 5), st.integers(1, 50))
def test_equals_the_textbook(kind: type, size: Size, spatial: Size, batch: int, channels: int, values: int) -> None:
    """Few different values: most windows have several that are the greatest."""
    z = np.random.default_rng(values).integers(-values, values, (batch, *spatial, channels)).astype(kind)
    bias = np.arange(channels, dtype=kind)
    best, winner = pool(z, bias, size)
    expected, first = textbook(z, size)
    assert best.dtype == kind
    assert winner.dtype == np.uint8
    np.testing.assert_array_equal(best, expected + bias)
    np.testing.assert_array_equal(winner, first)


def test_of_equals_the_first_wins() -> None:
    _, winner = pool(np.zeros((1, 3, 3, 3, 2)), np.zeros(2), (3, 3, 3))
    assert not winner.any()


def test_the_last_of_256_positions_is_told_apart() -> None:
    z = np.zeros((1, 4, 8, 8, 1))
    z[0, 3, 7, 7, 0] = 1.0
    best, winner = pool(z, np.zeros(1), (4, 8, 8))
    assert best.item() == 1.0
    assert winner.item() == 255


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="numba has one thread")
def test_threads_change_nothing() -> None:
    z = np.random.default_rng(0).normal(size=(3, 20, 21, 22, 16))
    found = []
    for count in (1, 2):
        with threads(count):
            found.append(pool(z, np.zeros(16), (3, 2, 3)))
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_window_with_a_nan_is_nan() -> None:
    z = np.random.default_rng(0).normal(size=(1, 6, 3, 3, 2))
    z[0, 1, 1, 1, 0] = np.nan
    best, winner = pool(z, np.zeros(2), (3, 3, 3))
    assert np.isnan(best).ravel().tolist() == [True, False, False, False]
    assert winner[0, 0, 0, 0, 0] == 13
