from __future__ import annotations

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from pellucid.kernels.arrays import Floats, Size
from pellucid.kernels.compile import threads
from pellucid.kernels.convolve_pool import convolve_pool

PAIRS: list[tuple[Size, Size]] = [  # few, for each is compiled by itself
    ((3, 3, 3), (3, 3, 3)),
    ((2, 3, 1), (3, 1, 2)),
    ((1, 2, 3), (1, 3, 2)),
    ((1, 1, 1), (1, 1, 1)),
]
pairs = st.sampled_from(PAIRS)
shapes = st.tuples(*[st.integers(5, 9)] * 3)


def textbook(x: Floats, weight: Floats, kernel: Size, pool: Size) -> Floats:
    """Return all outputs of each window, (B, X', Y', Z', positions, C): the convolution, cut into windows."""
    patches = sliding_window_view(x.astype(np.float64), kernel, axis=(1, 2, 3))
    z = patches.reshape(*patches.shape[:4], -1) @ weight.astype(np.float64)
    windows = sliding_window_view(z, pool, axis=(1, 2, 3))[:, :: pool[0], :: pool[1], :: pool[2]]
    return np.moveaxis(windows.reshape(*windows.shape[:5], -1), 4, 5)


def drawn(shape: Size, batch: int, channels: int, kernel: Size, *, whole: bool = False) -> tuple[Floats, Floats]:
    rng = np.random.default_rng([*shape, batch, channels])
    x, weight = rng.normal(size=(batch, *shape)), rng.normal(size=(int(np.prod(kernel)), channels))
    return (np.rint(x), np.rint(weight)) if whole else (x, weight)


@pytest.mark.parametrize(("kind", "tolerance"), [(np.float64, 1e-10), (np.float32, 1e-5)])
@given(pairs, shapes, st.integers(1, 3), st.integers(1, 9))
def test_equals_the_textbook(
    kind: type, tolerance: float, pair: tuple[Size, Size], shape: Size, batch: int, channels: int
) -> None:
    x, weight = (values.astype(kind) for values in drawn(shape, batch, channels, pair[0]))
    best, winner = convolve_pool(x, weight, *pair)
    windows = textbook(x, weight, *pair)
    allowed = tolerance * np.abs(windows).max()
    assert best.dtype == kind
    assert best.shape == winner.shape == (*windows.shape[:4], channels)
    np.testing.assert_allclose(best, windows.max(axis=4), rtol=0, atol=allowed)
    won = np.take_along_axis(windows, winner[..., None, :].astype(int), axis=4)[..., 0, :]
    np.testing.assert_allclose(won, windows.max(axis=4), rtol=0, atol=allowed)  # rounding may swap near equals


@given(pairs, shapes, st.integers(1, 2), st.integers(1, 5))
def test_of_equals_the_first_wins(pair: tuple[Size, Size], shape: Size, batch: int, channels: int) -> None:
    """Whole numbers have exact sums, and many windows have several that are the greatest."""
    x, weight = drawn(shape, batch, channels, pair[0], whole=True)
    best, winner = convolve_pool(x, weight, *pair)
    windows = textbook(x, weight, *pair)
    np.testing.assert_array_equal(best, windows.max(axis=4))
    np.testing.assert_array_equal(winner, windows.argmax(axis=4))


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="numba has one thread")
def test_threads_change_nothing() -> None:
    x, weight = drawn((23, 24, 25), 3, 16, (2, 3, 1))
    found = []
    for count in (1, 2):
        with threads(count):
            found.append(convolve_pool(x, weight, (2, 3, 1), (3, 1, 2)))
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)
