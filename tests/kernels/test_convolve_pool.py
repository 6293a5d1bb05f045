from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from pellucid.ground.arrays import FloatArray
from pellucid.kernels.arrays import Size
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


def textbook(x: FloatArray, weight: FloatArray, kernel: Size, pool: Size) -> FloatArray:
    """Return all outputs of each window, (B, X', Y', Z', positions, C): the convolution, cut into windows."""
    patches = sliding_window_view(x.astype(np.float64), kernel, axis=(1, 2, 3))
    z = patches.reshape(*patches.shape[:4], -1) @ weight.astype(np.float64)
    windows = sliding_window_view(z, pool, axis=(1, 2, 3))[:, :: pool[0], :: pool[1], :: pool[2]]
    return np.moveaxis(windows.reshape(*windows.shape[:5], -1), 4, 5)


def drawn(
    shape: Size, batch: int, channels: int, kernel: Size, *, whole: bool = False
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return x, weight and bias."""
    rng = np.random.default_rng([*shape, batch, channels])
    sizes = [(batch, *shape), (int(np.prod(kernel)), channels), (channels,)]
    x, weight, bias = (rng.normal(size=size) for size in sizes)
    return (np.rint(x), np.rint(weight), np.rint(bias)) if whole else (x, weight, bias)


@pytest.mark.parametrize(("kind", "tolerance"), [(np.float64, 1e-10), (np.float32, 1e-5)])
@given(pairs, shapes, st.integers(1, 3), st.sampled_from([1, 3, 8, 16, 17, 32]))
def test_equals_the_textbook(
    kind: type, tolerance: float, pair: tuple[Size, Size], shape: Size, batch: int, channels: int
) -> None:
    x, weight, bias = (values.astype(kind) for values in drawn(shape, batch, channels, pair[0]))
    best, winner = convolve_pool(x, weight, bias, *pair)
    windows = textbook(x, weight, *pair) + bias
    allowed = tolerance * np.abs(windows).max()
    assert best.dtype == kind
    assert best.shape == winner.shape == (*windows.shape[:4], channels)
    np.testing.assert_allclose(best, windows.max(axis=4), rtol=0, atol=allowed)
    won = np.take_along_axis(windows, winner[..., None, :].astype(int), axis=4)[..., 0, :]
    np.testing.assert_allclose(won, windows.max(axis=4), rtol=0, atol=allowed)  # rounding may swap near equals


@given(pairs, shapes, st.integers(1, 2), st.integers(1, 5))
def test_of_equals_the_first_wins(pair: tuple[Size, Size], shape: Size, batch: int, channels: int) -> None:
    """Whole numbers have exact sums, and many windows have several that are the greatest."""
    x, weight, bias = drawn(shape, batch, channels, pair[0], whole=True)
    best, winner = convolve_pool(x, weight, bias, *pair)
    windows = textbook(x, weight, *pair) + bias
    np.testing.assert_array_equal(best, windows.max(axis=4))
    np.testing.assert_array_equal(winner, windows.argmax(axis=4))


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="numba has one thread")
def test_threads_change_nothing() -> None:
    case = drawn((23, 24, 25), 3, 16, (2, 3, 1))
    found = []
    for count in (1, 2):
        with threads(count):
            found.append(convolve_pool(*case, (2, 3, 1), (3, 1, 2)))
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_window_with_a_nan_is_nan_as_in_pytorch() -> None:
    x, weight, bias = drawn((8, 8, 8), 1, 5, (3, 3, 3))
    x[0, 2, 2, 2] = np.nan
    best, winner = convolve_pool(x, weight, bias, (3, 3, 3), (3, 3, 3))
    expected = torch.nn.functional.conv3d(
        torch.from_numpy(x)[:, None], torch.from_numpy(np.ascontiguousarray(weight.T)).reshape(5, 1, 3, 3, 3)
    )
    values, places = torch.nn.functional.max_pool3d(expected, 3, return_indices=True)
    np.testing.assert_array_equal(np.isnan(best[..., 0, 0, 0, :]), values[:, :, 0, 0, 0].isnan().numpy())
    assert np.isnan(best).sum() == values.isnan().sum() == 5
    i, j, k = np.unravel_index(places[0, :, 0, 0, 0].numpy(), (6, 6, 6))
    np.testing.assert_array_equal(winner[0, 0, 0, 0], (i * 3 + j) * 3 + k)


@pytest.mark.parametrize(
    ("name", "features", "lanes", "sums"),
    [("haswell", "+avx,+avx2,+fma,-avx512f", 8, 12), ("nehalem", "+sse4.2,-avx,-avx512f", 4, 12)],
)
@pytest.mark.skipif(platform.machine() != "x86_64", reason="processors of another kind")
def test_older_processors_get_the_same(name: str, features: str, lanes: int, sums: int) -> None:
    """They have fewer and shorter registers, so that a window is done in several rounds."""
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import numpy as np
import test_convolve_pool as here
from pellucid.kernels.convolve_pool import convolve_pool
from pellucid.kernels.vectors import registers
pair = (3, 3, 3), (3, 3, 3)
assert registers(4) == ({lanes}, {sums}), registers(4)
x, weight, bias = (v.astype(np.float32) for v in here.drawn((9, 10, 11), 2, 11, pair[0], whole=True))
best, winner = convolve_pool(x, weight, bias, *pair)
windows = here.textbook(x, weight, *pair) + bias
np.testing.assert_array_equal(best, windows.max(axis=4))
np.testing.assert_array_equal(winner, windows.argmax(axis=4))
"""
    environment = os.environ | {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": features}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=120)
