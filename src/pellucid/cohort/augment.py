"""Augmentation: mirror left and right, shift left or right; drawn apart from its application, so it can be replayed."""

from __future__ import annotations

import numpy as np

from pellucid.ground.arrays import BoolArray, Float32Array, IndexArray, Int64Array

MAX_SHIFT = 2
"""The largest shift, in voxels (Eitel 2019's code)."""


def draw(generator: np.random.Generator, n: int) -> tuple[BoolArray, Int64Array]:
    """Draw the augmentation of `n` volumes: flips with probability 1/2, shifts uniform on -2..2 voxels.

    Returns
    -------
    flip, shift
        Arrays (n,), of bool and of int64.
    """
    return generator.random(n) < 0.5, generator.integers(-MAX_SHIFT, MAX_SHIFT, size=n, endpoint=True)


def apply(
    images: Float32Array,
    index: IndexArray,
    flip: BoolArray,
    shift: Int64Array,
    *,
    stops: tuple[int, ...] | None = None,
) -> Float32Array:
    """Take volumes out of `images`, mirror some along axis i, then shift them along axis i, zeros moving in.

    `out[b, i] = v[i - shift[b]]` with `v = images[index[b]]`, or `v` read backwards along i where `flip[b]`; planes
    that come from outside the volume are 0. Axis i is left-right on every grid of this package. Flip comes before shift
    (Eitel 2019's code).

    With `stops` only the corner `[:I', :J', :K']` of each result is made, equal to cropping the full result, and only
    what it needs is read: from a memory-mapped array, a network that sees half of its input reads half of the file.

    Parameters
    ----------
    images
        (N, I, J, K), in memory or memory-mapped.
    index
        (B,) rows of `images`.
    flip, shift
        (B,), as `draw` gives them; shift in voxels, positive towards larger i.
    stops
        The corner to keep, at most (I, J, K); None keeps all.

    Returns
    -------
    ndarray
        (B, I', J', K'), a new array.
    """
    width = images.shape[1]
    wide, deep, high = stops or images.shape[1:]
    out = np.zeros((len(index), wide, deep, high), dtype=images.dtype)
    for result, row, mirrored, by in zip(out, index, flip, shift, strict=True):
        first, stop = max(0, int(by)), min(wide, width + int(by))  # planes of the result that lie inside the volume
        if stop <= first:
            continue
        source = images[row, :, :deep, :high]
        if mirrored:
            source = source[::-1]
        result[first:stop] = source[first - int(by) : stop - int(by)]
    return out


def untouched(n: int) -> tuple[BoolArray, Int64Array]:
    """Return the augmentation of `n` volumes that changes nothing."""
    return np.zeros(n, dtype=np.bool_), np.zeros(n, dtype=np.int64)
