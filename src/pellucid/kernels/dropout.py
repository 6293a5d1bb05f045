"""Dropout whose mask is never kept, and the way back through ELU and dropout in one pass.

The mask is a hash of a seed and a value's index, drawn again on the way back. It does not depend on the number of
threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from pellucid.ground.arrays import FloatArray
from pellucid.kernels.compile import parallel, serial


def drop(values: FloatArray, seed: int, p: float) -> None:
    """Multiply each of `values` by `m / (1 - p)` in place, the mask m being 0 with probability p, else 1.

    Parameters
    ----------
    values
        (N, C), C-contiguous, fewer than 2**32 in all.
    seed
        Decides the mask; 0 to 2**64 - 1.
    p
        In [0, 1); 0 changes nothing.
    """
    if p > 0.0:
        _drop(values, *_words(seed), _threshold(p), _gain(values, p))


def elu_dropout_backward(gradient: FloatArray, values: FloatArray, seed: int, p: float) -> FloatArray:
    """Return the gradient of v from that of `y = m elu(v) / (1 - p)`, m the mask of `drop`.

    It is `g m elu'(v) / (1 - p)`, and elu'(v) is 1 where elu(v) > 0, else elu(v) + 1: v itself is not needed.

    Parameters
    ----------
    gradient, values
        Of y, and y: (N, C), C-contiguous, of one data type.
    seed, p
        What `drop` was given.

    Returns
    -------
    array
        (N, C).
    """
    before = np.empty_like(values)
    _backward(gradient, values, before, *_words(seed), _threshold(p), _gain(values, p))
    return before


def _words(seed: int) -> tuple[np.uint32, np.uint32]:
    return np.uint32(seed & 0xFFFFFFFF), np.uint32(seed >> 32)


def _threshold(p: float) -> np.uint32:
    """Return the number that a hash lies below with probability p."""
    return np.uint32(min(round(p * 2.0**32), 2**32 - 1))


def _gain(values: FloatArray, p: float) -> Any:
    return values.dtype.type(1.0 / (1.0 - p))


@serial
def _hash(index: np.uint32, low: np.uint32, high: np.uint32) -> np.uint32:
    """Mix an index with the two words of a seed, twice by Wellons' lowbias32."""
    h = np.uint32(index ^ low)
    h = np.uint32((h ^ (h >> np.uint32(16))) * np.uint32(0x7FEB352D))
    h = np.uint32((h ^ (h >> np.uint32(15))) * np.uint32(0x846CA68B))
    h = np.uint32((h ^ (h >> np.uint32(16))) + high)
    h = np.uint32((h ^ (h >> np.uint32(16))) * np.uint32(0x7FEB352D))
    h = np.uint32((h ^ (h >> np.uint32(15))) * np.uint32(0x846CA68B))
    return np.uint32(h ^ (h >> np.uint32(16)))


@parallel
def _drop(values: FloatArray, low: np.uint32, high: np.uint32, below: np.uint32, gain: Any) -> None:
    N, C = values.shape
    for n in prange(N):
        row = values[n]
        for c in range(C):
            kept = _hash(np.uint32(n * C + c), low, high) >= below
            row[c] = row[c] * gain if kept else 0.0


@parallel
def _backward(
    gradient: FloatArray,
    values: FloatArray,
    before: FloatArray,
    low: np.uint32,
    high: np.uint32,
    below: np.uint32,
    gain: Any,
) -> None:
    N, C = values.shape
    zero, one, back = gain * 0, gain / gain, 1 / gain
    for n in prange(N):
        y, g, out = values[n], gradient[n], before[n]
        for c in range(C):
            elu = y[c] * back
            slope = gain * (one if elu > zero else elu + one)
            kept = (below == 0) | (_hash(np.uint32(n * C + c), low, high) >= below)
            out[c] = g[c] * slope if kept else zero
