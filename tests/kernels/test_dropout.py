from __future__ import annotations

import numba
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pellucid.ground.arrays import FloatArray
from pellucid.kernels.compile import threads
from pellucid.kernels.dropout import drop, elu_dropout_backward

seeds = st.integers(0, 2**64 - 1)
shares = st.floats(0.01, 0.99)


def mask(shape: tuple[int, int], seed: int, p: float) -> np.ndarray:
    """Return what is kept, as the kernel has it."""
    values = np.ones(shape)
    drop(values, seed, p)
    return values != 0.0


def textbook_hash(index: int, seed: int) -> int:
    """Mix twice by Wellons' lowbias32, in integers without end."""
    h = index ^ (seed & 0xFFFFFFFF)
    for add in (0, seed >> 32):
        h = (h + add) & 0xFFFFFFFF
        h = ((h ^ (h >> 16)) * 0x7FEB352D) & 0xFFFFFFFF
        h = ((h ^ (h >> 15)) * 0x846CA68B) & 0xFFFFFFFF
        h ^= h >> 16
    return h


@given(seeds, shares)
def test_the_mask_is_the_textbook_s(seed: int, p: float) -> None:
    expected = [textbook_hash(n, seed) >= round(p * 2**32) for n in range(7 * 5)]
    assert mask((7, 5), seed, p).ravel().tolist() == expected


@given(seeds, shares)
def test_keeps_a_share_of_one_less_p_and_the_expectation(seed: int, p: float) -> None:
    values = np.full((20_000, 10), 3.0)
    drop(values, seed, p)
    kept = values != 0.0
    tolerance = 5 * np.sqrt(p * (1 - p) / values.size)  # five standard deviations of a binomial share
    assert abs(kept.mean() - (1 - p)) < tolerance
    np.testing.assert_allclose(values[kept], 3.0 / (1 - p), rtol=1e-12)
    assert abs(values.mean() - 3.0) < 3.0 * tolerance / (1 - p)


def test_neighbours_are_independent() -> None:
    kept = mask((50_000, 8), 12345, 0.3) - 0.7
    for other in (np.roll(kept, 1, axis=0), np.roll(kept, 1, axis=1), mask((50_000, 8), 12346, 0.3) - 0.7):
        assert abs((kept * other).mean() / kept.var()) < 5 / np.sqrt(kept.size)


@given(seeds, st.integers(0, 63))
def test_every_bit_of_the_seed_matters(seed: int, bit: int) -> None:
    one, other = mask((500, 4), seed, 0.5), mask((500, 4), seed ^ (1 << bit), 0.5)
    assert 0.4 < (one != other).mean() < 0.6
    np.testing.assert_array_equal(one, mask((500, 4), seed, 0.5))


def test_nothing_is_dropped_at_0() -> None:
    values = np.random.default_rng(0).normal(size=(50, 3))
    before = values.copy()
    drop(values, 7, 0.0)
    np.testing.assert_array_equal(values, before)


def textbook_backward(v: FloatArray, gradient: FloatArray, kept: np.ndarray, p: float) -> tuple[FloatArray, FloatArray]:
    """Return dropout(elu(v)) and the gradient of v, by PyTorch."""
    leaf = torch.tensor(v, dtype=torch.float64, requires_grad=True)
    values = torch.nn.functional.elu(leaf) * torch.from_numpy(kept) / (1 - p)
    (before,) = torch.autograd.grad(values, leaf, torch.tensor(gradient, dtype=torch.float64))
    return values.detach().numpy(), before.numpy()


@pytest.mark.parametrize(("kind", "tolerance"), [(np.float64, 1e-10), (np.float32, 1e-5)])
@given(seeds, st.sampled_from([0.0, 0.3, 0.9]), st.integers(1, 200), st.integers(1, 7))
def test_the_way_back_has_the_same_mask(
    kind: type, tolerance: float, seed: int, p: float, rows: int, channels: int
) -> None:
    rng = np.random.default_rng([rows, channels])
    v, gradient = rng.normal(size=(2, rows, channels))
    v[rng.random(v.shape) < 0.1] = 0.0
    expected_values, expected = textbook_backward(v, gradient, mask(v.shape, seed, p), p)
    values = torch.nn.functional.elu(torch.from_numpy(v)).numpy().astype(kind)
    drop(values, seed, p)
    np.testing.assert_allclose(values, expected_values, rtol=0, atol=tolerance * np.abs(expected_values).max())
    before = elu_dropout_backward(gradient.astype(kind), values, seed, p)
    assert before.dtype == kind
    np.testing.assert_allclose(before, expected, rtol=0, atol=tolerance * np.abs(expected).max())


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="numba has one thread")
def test_threads_change_nothing() -> None:
    gradient, start = np.random.default_rng(0).normal(size=(2, 5_001, 16)).astype(np.float32)
    found = []
    for count in (1, 2):
        with threads(count):
            values = start.copy()
            drop(values, 5, 0.3)
            found.append((values, elu_dropout_backward(gradient, values, 5, 0.3)))
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)
