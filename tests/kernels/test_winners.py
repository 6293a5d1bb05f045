from __future__ import annotations

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.ground.arrays import FloatArray
from pellucid.kernels import winners
from pellucid.kernels.arrays import Size, Winners
from pellucid.kernels.compile import threads
from pellucid.kernels.winners import input_gradient, weight_gradient

PAIRS: list[tuple[Size, Size]] = [  # few, for each is compiled by itself
    ((3, 3, 3), (3, 3, 3)),
    ((2, 3, 1), (3, 1, 2)),
    ((1, 1, 1), (2, 2, 2)),
]
pairs = st.sampled_from(PAIRS)
inputs = st.sampled_from([1, 3, 17])  # one has a kernel of its own; 17 need two blocks of lanes
Case = tuple[FloatArray, FloatArray, FloatArray, Winners]


def drawn(pair: tuple[Size, Size], spare: Size, batch: int, c_in: int, c_out: int, kind: type = np.float64) -> Case:
    """Return x, weight, gradient and winner: two windows along each axis, and `spare` voxels that none reaches."""
    kernel, pool = pair
    rng = np.random.default_rng([*spare, batch, c_in, c_out])
    shape = [k - 1 + 2 * p + n for k, p, n in zip(kernel, pool, spare, strict=True)]
    x = rng.normal(size=(batch, *shape, c_in)).astype(kind)
    weight = rng.normal(size=(c_out, int(np.prod(kernel)), c_in)).astype(kind)
    windows = (batch, *((n - k + 1) // p for n, k, p in zip(shape, kernel, pool, strict=True)), c_out)
    gradient = rng.normal(size=windows).astype(kind)
    gradient[rng.random(windows) < 0.3] = 0.0  # as dropout leaves it
    return x, weight, gradient, rng.integers(0, int(np.prod(pool)), windows).astype(np.uint8)


def textbook(case: Case, kernel: Size, pool: Size) -> tuple[FloatArray, FloatArray]:
    """Return the gradients of x and weight: each winner sends its own back through the taps, one by one."""
    x, weight, gradient, winner = case
    dx, dw = np.zeros(x.shape), np.zeros(weight.shape)
    for b, i, j, k, o in np.ndindex(gradient.shape):
        u, v, w = np.unravel_index(winner[b, i, j, k, o], pool)
        for t, (r, s, q) in enumerate(np.ndindex(kernel)):
            at = (b, pool[0] * i + u + r, pool[1] * j + v + s, pool[2] * k + w + q)
            dx[at] += gradient[b, i, j, k, o] * weight[o, t]
            dw[o, t] += gradient[b, i, j, k, o] * x[at]
    return dx, dw


def close(found: FloatArray, expected: FloatArray, tolerance: float) -> None:
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max())


@given(pairs, st.tuples(*[st.integers(0, 2)] * 3), st.integers(1, 2), inputs, st.integers(1, 5))
def test_equals_the_textbook(pair: tuple[Size, Size], spare: Size, batch: int, c_in: int, c_out: int) -> None:
    case = x, weight, gradient, winner = drawn(pair, spare, batch, c_in, c_out)
    dx, dw = textbook(case, *pair)
    close(input_gradient(x.shape, weight, gradient, winner, *pair), dx, 1e-10)
    found, sums = weight_gradient(x, gradient, winner, *pair)
    close(found, dw, 1e-10)
    assert sums.dtype == np.float64
    close(sums, gradient.sum(axis=(0, 1, 2, 3)), 1e-10)


@pytest.mark.parametrize("c_in", [1, 17])
def test_equals_the_textbook_in_single_precision(c_in: int) -> None:
    pair = PAIRS[0]
    case = x, weight, gradient, winner = drawn(pair, (0, 1, 2), 2, c_in, 5, np.float32)
    dx, dw = textbook(case, *pair)
    found_x = input_gradient(x.shape, weight, gradient, winner, *pair)
    found_w, _ = weight_gradient(x, *case[2:], *pair)
    assert found_x.dtype == found_w.dtype == np.float32
    close(found_x, dx, 1e-5)
    close(found_w, dw, 1e-4)


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("c_in", [1, 3])
def test_nothing_is_read_or_written_behind_the_end(
    pair: tuple[Size, Size], c_in: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compiled kernels do not look; Python does."""

    def copy(target: FloatArray, at: int, source: FloatArray, start: int, count: int, lanes: int) -> None:
        assert min(at, start, len(target) - at - count, len(source) - start - count) >= 0
        target[at : at + count] = source[start : start + count]

    def add_scaled(
        target: FloatArray, at: int, source: FloatArray, start: int, factor: float, count: int, lanes: int
    ) -> None:
        assert min(at, start, len(target) - at - count, len(source) - start - count) >= 0
        target[at : at + count] += factor * source[start : start + count]

    monkeypatch.setattr(winners, "copy", copy)
    monkeypatch.setattr(winners, "add_scaled", add_scaled)
    for name in ("_weight", "_weight_of_one", "_input", "_input_of_one"):
        compiled = getattr(winners, name)
        monkeypatch.setattr(winners, name, lambda *sizes, compiled=compiled: compiled(*sizes).py_func)
    case = x, weight, gradient, winner = drawn(pair, (0, 0, 0), 1, c_in, 2)
    winner[:] = np.prod(pair[1]) - 1
    dx, dw = textbook(case, *pair)
    close(weight_gradient(x, gradient, winner, *pair)[0], dw, 1e-10)
    close(input_gradient(x.shape, weight, gradient, winner, *pair), dx, 1e-10)


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="numba has one thread")
@pytest.mark.parametrize("c_in", [1, 17])
def test_threads_change_nothing(c_in: int) -> None:
    pair = PAIRS[1]
    x, weight, gradient, winner = drawn(pair, (20, 20, 20), 3, c_in, 16)
    found = []
    for count in (1, 2):
        with threads(count):
            dx = input_gradient(x.shape, weight, gradient, winner, *pair)
            found.append((dx, *weight_gradient(x, gradient, winner, *pair)))
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)
