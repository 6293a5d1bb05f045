"""The way back through a max-pool and the convolution before it, along the winners alone.

Of each window one position per channel has a gradient, 1 in 27 for pools of 3x3x3, so a sparse pass costs a fraction of
a dense one. No two threads add to the same number and every sum has a fixed order: results do not depend on the number
of threads.

Sizes are closed over by each kernel: numba then knows them when it compiles, and makes vectors of the inner loops.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import prod

import numpy as np
import numpy.typing as npt
from numba import prange

from pellucid.kernels.arrays import Floats, Size, Winners
from pellucid.kernels.compile import parallel

_LANES = 16  # float32 values in the widest vector register
_SHORT = 4  # in the narrowest: taps along one axis, padded


def weight_gradient(x: Floats, gradient: Floats, winner: Winners, kernel: Size, pool: Size) -> Floats:
    """Return `dw[o, t, c]`, the sum of `g[b, p, o] x[b, pool p + winner[b, p, o] + t, c]` over all b and windows p.

    Parameters
    ----------
    x
        Input of the convolution (B, X, Y, Z, C_in), C-contiguous.
    gradient, winner
        (B, X', Y', Z', C_out), C-contiguous: of the pool's output, and what `convolve_pool` or `pool` returned with it.
    kernel, pool
        Sizes along X, Y, Z; the convolution has stride 1 and no padding, windows do not overlap.

    Returns
    -------
    array
        (C_out, taps, C_in), taps in C order of `kernel`.
    """
    if x.shape[4] == 1:
        return _weight_gradient_of_one(x, gradient, winner, kernel, pool)
    places = np.array(list(np.ndindex(pool)))
    out = np.zeros((gradient.shape[4], kernel[0] * kernel[1], kernel[2] * x.shape[4]), dtype=x.dtype)
    _weight(kernel, pool, x.shape[4])(x.reshape(*x.shape[:3], -1), places, gradient, winner, out)
    return out.reshape(len(out), prod(kernel), x.shape[4])


def _weight_gradient_of_one(x: Floats, gradient: Floats, winner: Winners, kernel: Size, pool: Size) -> Floats:
    """Do it for one input channel: a partial sum for each row of windows, added up in float64."""
    B, X, Y, Z, _ = x.shape
    offsets = np.array([(u * Y + v) * Z + w for u, v, w in np.ndindex(pool)])
    width = -(-kernel[2] // _SHORT) * _SHORT
    flat = np.append(x.ravel(), np.zeros(width, dtype=x.dtype))  # a padded tap reads on, at the end into these
    rows = np.zeros((B * gradient.shape[1], gradient.shape[4], kernel[0] * kernel[1], width), dtype=x.dtype)
    _weight_of_one(kernel, pool)(flat, (X, Y, Z), offsets, gradient, winner, rows)
    total: Floats = rows.sum(axis=0, dtype=np.float64)[..., : kernel[2]]
    return total.reshape(len(total), prod(kernel), 1).astype(x.dtype)


def input_gradient(
    shape: tuple[int, ...], weight: Floats, gradient: Floats, winner: Winners, kernel: Size, pool: Size
) -> Floats:
    """Return `dx[b, s, c]`, the sum of `g[b, p, o] w[o, t, c]` over p, o, t with `pool p + winner[b, p, o] + t = s`.

    Parameters
    ----------
    shape
        Of x: (B, X, Y, Z, C_in).
    weight
        (C_out, taps, C_in), taps in C order of `kernel`.
    gradient, winner, kernel, pool
        Those of `weight_gradient`.

    Returns
    -------
    array
        (B, X, Y, Z, C_in).
    """
    outputs, taps, inputs = weight.shape
    blocks = -(-inputs // _LANES)
    padded = np.zeros((outputs, taps, blocks * _LANES), dtype=weight.dtype)
    padded[..., :inputs] = weight
    by_block = padded.reshape(outputs, taps, blocks, _LANES).transpose(2, 0, 1, 3)
    split = np.ascontiguousarray(by_block).reshape(blocks, outputs, kernel[0] * kernel[1], -1)
    reach = tuple(k + p - 1 for k, p in zip(kernel, pool, strict=True))
    starts = np.array([((u * reach[1] + v) * reach[2] + w) * _LANES for u, v, w in np.ndindex(pool)])
    out = np.zeros((*shape[:4], blocks * _LANES), dtype=weight.dtype)
    _input(kernel, pool)(split, starts, gradient, winner, out)
    return out if out.shape == tuple(shape) else np.ascontiguousarray(out[..., :inputs])


@cache
def _weight(kernel: Size, pool: Size, inputs: int) -> Callable[..., None]:
    rows, run, across = kernel[0] * kernel[1], kernel[2] * inputs, kernel[1]
    step_i, step_j, step_k = pool

    @parallel
    def weight(x: Floats, places: npt.NDArray[np.int64], gradient: Floats, winner: Winners, out: Floats) -> None:
        """Fill dw; x is (B, X, Y, Z * C_in), where the taps along Z lie side by side."""
        B, X, Y, Z, C = gradient.shape
        for o in prange(C):
            total = out[o]
            for b in range(B):
                for i in range(X):
                    for j in range(Y):
                        for k in range(Z):
                            g = gradient[b, i, j, k, o]
                            if g == 0:
                                continue
                            q = winner[b, i, j, k, o]
                            u, v = step_i * i + places[q, 0], step_j * j + places[q, 1]
                            w = (step_k * k + places[q, 2]) * inputs
                            for a in range(rows):
                                # Slices, for only then is it plain that no index is negative.
                                line = x[b, u + a // across, v + a % across, w : w + run]
                                sums = total[a]
                                for n in range(run):
                                    sums[n] += g * line[n]

    return weight


@cache
def _weight_of_one(kernel: Size, pool: Size) -> Callable[..., None]:
    rows, width, across = kernel[0] * kernel[1], -(-kernel[2] // _SHORT) * _SHORT, kernel[1]
    step_i, step_j, step_k = pool

    @parallel
    def weight_of_one(
        x: Floats, shape: Size, offsets: npt.NDArray[np.int64], gradient: Floats, winner: Winners, sums: Floats
    ) -> None:
        """Fill the partial sums (B * X', C_out, rows of taps, padded taps along Z); x is flat."""
        B, X, Y, Z, C = gradient.shape
        for row in prange(B * X):
            b, i = row // X, row % X
            total = sums[row]
            for j in range(Y):
                for k in range(Z):
                    corner = ((b * shape[0] + step_i * i) * shape[1] + step_j * j) * shape[2] + step_k * k
                    for o in range(C):
                        g = gradient[b, i, j, k, o]
                        if g == 0:
                            continue
                        start = corner + offsets[winner[b, i, j, k, o]]
                        for a in range(rows):
                            at = np.uint64(start + (a // across * shape[1] + a % across) * shape[2])
                            for n in range(width):
                                total[o, a, n] += g * x[at + np.uint64(n)]

    return weight_of_one


@cache
def _input(kernel: Size, pool: Size) -> Callable[..., None]:
    rows, run, across = kernel[0] * kernel[1], kernel[2] * _LANES, kernel[1]
    reach_j, reach_k = kernel[1] + pool[1] - 1, kernel[2] + pool[2] - 1
    reached = (kernel[0] + pool[0] - 1) * reach_j * reach_k
    step_i, step_j, step_k = pool
    lanes = _LANES

    @parallel
    def input_of(split: Floats, starts: npt.NDArray[np.int64], gradient: Floats, winner: Winners, out: Floats) -> None:
        """Fill dx, its channels padded to whole blocks; a job is one volume and one block."""
        B, X, Y, Z, C = gradient.shape
        blocks = len(split)
        for job in prange(B * blocks):
            b, block = job // blocks, job % blocks
            first = block * lanes
            # All that one window's winners reach: added up here, then to dx once.
            patch = np.zeros(reached * lanes, dtype=out.dtype)
            for i in range(X):
                for j in range(Y):
                    for k in range(Z):
                        patch[:] = 0
                        for o in range(C):
                            g = gradient[b, i, j, k, o]
                            if g == 0:
                                continue
                            start = starts[winner[b, i, j, k, o]]
                            for a in range(rows):
                                at = start + (a // across * reach_j + a % across) * reach_k * lanes
                                line = patch[at : at + run]
                                taps = split[block, o, a]
                                for n in range(run):
                                    line[n] += g * taps[n]
                        for r in range(reached):
                            u, v, w = r // (reach_j * reach_k), r // reach_k % reach_j, r % reach_k
                            target = out[b, step_i * i + u, step_j * j + v, step_k * k + w, first : first + lanes]
                            source = patch[r * lanes : (r + 1) * lanes]
                            for n in range(lanes):
                                target[n] += source[n]

    return input_of
