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

import numba
import numpy as np
from numba import prange

from pellucid.ground.arrays import Float64Array, FloatArray, Int64Array
from pellucid.kernels.arrays import Size, Winners
from pellucid.kernels.compile import parallel
from pellucid.kernels.vectors import add_scaled, copy, registers

_LANES = 16  # float32 values in the widest vector register
_SHORT = 4  # in the narrowest: taps along Z of one channel, padded
_PARTS = 64  # of a sum over all windows, each done alone
_SLAB = 256 * 1024  # bytes of x that stay in a core's second cache


def weight_gradient(
    x: FloatArray, gradient: FloatArray, winner: Winners, kernel: Size, pool: Size
) -> tuple[FloatArray, Float64Array]:
    """Return the gradients of a convolution's weights and biases from that of the pool behind it.

    `dw[o, t, c] = sum g[b, p, o] x[b, pool p + winner[b, p, o] + t, c]` over all b and windows p, and
    `db[o] = sum g[b, p, o]`.

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
    dw, db
        (C_out, taps, C_in), taps in C order of `kernel`, and (C_out,) in float64.
    """
    sums = np.zeros((_PARTS, gradient.shape[4]))
    _channel_sums(gradient.reshape(-1, gradient.shape[4]), sums)
    weights = _weight_gradient_of_one if x.shape[4] == 1 else _weight_gradient_of_many
    return weights(x, gradient, winner, kernel, pool), sums.sum(axis=0)


def _weight_gradient_of_many(
    x: FloatArray, gradient: FloatArray, winner: Winners, kernel: Size, pool: Size
) -> FloatArray:
    """Do it for several input channels: an output channel at a time, a few rows of windows for all of them in turn."""
    inputs, outputs = x.shape[4], gradient.shape[4]
    places = np.array(list(np.ndindex(pool)))
    out = np.zeros((outputs, kernel[0] * kernel[1], kernel[2] * inputs), dtype=x.dtype)
    groups = min(outputs, 2 * numba.get_num_threads())  # more would read x more often
    plane = (kernel[0] + pool[0] - 1) * x.shape[3] * inputs * x.itemsize
    rows = max(1, _SLAB // (plane * pool[1]))
    _weight(kernel, pool, inputs)(x.reshape(*x.shape[:3], -1), places, gradient, winner, groups, rows, out)
    return out.reshape(outputs, prod(kernel), inputs)


def _weight_gradient_of_one(
    x: FloatArray, gradient: FloatArray, winner: Winners, kernel: Size, pool: Size
) -> FloatArray:
    """Do it for one input channel: a partial sum for each plane of windows, added up in float64."""
    width = _padded(kernel[2])
    taps = kernel[0] * kernel[1] * width
    planes = np.zeros((len(x) * gradient.shape[1], gradient.shape[4] * taps), dtype=x.dtype)
    lanes, _ = registers(x.dtype.itemsize)
    _weight_of_one(kernel, pool, lanes)(x[..., 0], _sources(kernel, pool), gradient, winner, planes)
    total: FloatArray = planes.sum(axis=0, dtype=np.float64).reshape(gradient.shape[4], -1, width)[..., : kernel[2]]
    return total.reshape(len(total), prod(kernel), 1).astype(x.dtype)


def input_gradient(
    shape: tuple[int, ...], weight: FloatArray, gradient: FloatArray, winner: Winners, kernel: Size, pool: Size
) -> FloatArray:
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
    of = _input_gradient_of_one if shape[4] == 1 else _input_gradient_of_many
    return of(shape, weight, gradient, winner, kernel, pool)


def _input_gradient_of_many(
    shape: tuple[int, ...], weight: FloatArray, gradient: FloatArray, winner: Winners, kernel: Size, pool: Size
) -> FloatArray:
    """Do it for several input channels: a volume and a block of channels at a time."""
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


def _input_gradient_of_one(
    shape: tuple[int, ...], weight: FloatArray, gradient: FloatArray, winner: Winners, kernel: Size, pool: Size
) -> FloatArray:
    """Do it for one input channel: planes of windows that share no voxel at a time."""
    width = _padded(kernel[2])
    padded = np.zeros((len(weight), kernel[0] * kernel[1], width), dtype=weight.dtype)
    padded[..., : kernel[2]] = weight.reshape(len(weight), -1, kernel[2])
    out = np.zeros(shape, dtype=weight.dtype)
    lanes, _ = registers(weight.dtype.itemsize)
    _input_of_one(kernel, pool, lanes)(padded.ravel(), _targets(kernel, pool), gradient, winner, out[..., 0])
    return out


@parallel
def _channel_sums(gradient: FloatArray, sums: Float64Array) -> None:
    N, C = gradient.shape
    parts = len(sums)
    for part in prange(parts):
        total = sums[part]
        for n in range(part * N // parts, (part + 1) * N // parts):
            for c in range(C):
                total[c] += gradient[n, c]


@cache
def _weight(kernel: Size, pool: Size, inputs: int) -> Callable[..., None]:
    taps, run, across = kernel[0] * kernel[1], kernel[2] * inputs, kernel[1]
    step_i, step_j, step_k = pool

    @parallel
    def weight(
        x: FloatArray,
        places: Int64Array,
        gradient: FloatArray,
        winner: Winners,
        groups: int,
        rows: int,
        out: FloatArray,
    ) -> None:
        """Fill dw; x is (B, X, Y, Z * C_in), where the taps along Z lie side by side."""
        B, X, Y, Z, C = gradient.shape
        slabs = -(-Y // rows)  # of one plane of windows
        for group in prange(groups):
            for slab in range(B * X * slabs):
                b, i, first = slab // slabs // X, slab // slabs % X, slab % slabs * rows
                for o in range(group * C // groups, (group + 1) * C // groups):
                    total = out[o]
                    for j in range(first, min(first + rows, Y)):
                        for k in range(Z):
                            g = gradient[b, i, j, k, o]
                            if g == 0:
                                continue
                            q = winner[b, i, j, k, o]
                            u, v = step_i * i + places[q, 0], step_j * j + places[q, 1]
                            w = (step_k * k + places[q, 2]) * inputs
                            for a in range(taps):
                                # Slices, for only then is it plain that no index is negative.
                                line = x[b, u + a // across, v + a % across, w : w + run]
                                sums = total[a]
                                for n in range(run):
                                    sums[n] += g * line[n]

    return weight


def _padded(taps: int) -> int:
    """Return a number of taps along Z, padded to whole vectors."""
    return -(-taps // _SHORT) * _SHORT


def _sources(kernel: Size, pool: Size) -> Int64Array:
    """Return where in a window's patch, its lines padded, each line of taps begins: for each place, then each line."""
    reach = kernel[1] + pool[1] - 1
    line = pool[2] - 1 + _padded(kernel[2])
    lines = [(a, b) for a in range(kernel[0]) for b in range(kernel[1])]
    return np.array([((u + a) * reach + v + b) * line + w for u, v, w in np.ndindex(pool) for a, b in lines])


def _targets(kernel: Size, pool: Size) -> Int64Array:
    """Return where in (pool Z, reach X, reach Y, padded taps) each plane of taps begins: for each place and plane."""
    reach_i, reach_j = kernel[0] + pool[0] - 1, kernel[1] + pool[1] - 1
    width = _padded(kernel[2])
    places = np.ndindex(pool)
    return np.array([((w * reach_i + u + a) * reach_j + v) * width for u, v, w in places for a in range(kernel[0])])


@cache
def _weight_of_one(kernel: Size, pool: Size, lanes: int) -> Callable[..., None]:
    width = _padded(kernel[2])
    step_i, step_j, step_k = pool
    reach_i, reach_j, reach_k = (k + p - 1 for k, p in zip(kernel, pool, strict=True))
    padded = step_k - 1 + width  # of a line of the patch, so that a padded tap reads nothing else
    taps = kernel[0] * kernel[1] * width

    @parallel
    def weight_of_one(
        x: FloatArray, sources: Int64Array, gradient: FloatArray, winner: Winners, planes: FloatArray
    ) -> None:
        """Fill partial sums (B * X', C_out * padded taps): gather what each place in a window reads, then add up."""
        B, X, Y, Z, C = gradient.shape
        for plane in prange(B * X):
            b, i = plane // X, plane % X
            sums = planes[plane]
            patch = np.zeros(reach_i * reach_j * padded, dtype=x.dtype)
            read = np.empty(step_i * step_j * step_k * taps, dtype=x.dtype)
            for j in range(Y):
                for k in range(Z):
                    for u in range(reach_i):
                        for v in range(reach_j):
                            line = x[b, step_i * i + u, step_j * j + v, step_k * k : step_k * k + reach_k]
                            at = (u * reach_j + v) * padded
                            for w in range(reach_k):
                                patch[at + w] = line[w]
                    for n in range(len(sources)):
                        copy(read, n * width, patch, sources[n], width, lanes)  # type: ignore[call-arg]
                    g, first = gradient[b, i, j, k], winner[b, i, j, k]
                    for o in range(C):
                        if g[o] != 0:
                            add_scaled(sums, o * taps, read, taps * int(first[o]), g[o], taps, lanes)  # type: ignore[call-arg]

    return weight_of_one


@cache
def _input_of_one(kernel: Size, pool: Size, lanes: int) -> Callable[..., None]:
    width = _padded(kernel[2])
    kernel_i, kernel_j, kernel_k = kernel
    step_i, step_j, step_k = pool
    reach_i, reach_j, _ = (k + p - 1 for k, p in zip(kernel, pool, strict=True))
    taps, line = kernel_i * kernel_j * width, kernel_j * width
    turns = -(-reach_i // step_i)  # planes this far apart share no voxel

    @parallel
    def input_of_one(
        weight: FloatArray, targets: Int64Array, gradient: FloatArray, winner: Winners, out: FloatArray
    ) -> None:
        """Fill dx (B, X, Y, Z): add up what each place in a window sends back, then send it."""
        B, X, Y, Z, C = gradient.shape
        for turn in range(turns):
            planes = (X - turn + turns - 1) // turns
            for plane in prange(B * planes):
                b, i = plane // planes, turn + plane % planes * turns
                sent = np.empty(step_i * step_j * step_k * taps, dtype=out.dtype)
                # Taps along Z stand apart for each place along Z, so that vectors never overlap.
                patch = np.empty(step_k * reach_i * reach_j * width, dtype=out.dtype)
                for j in range(Y):
                    for k in range(Z):
                        sent[:] = 0
                        g, first = gradient[b, i, j, k], winner[b, i, j, k]
                        for o in range(C):
                            if g[o] != 0:
                                add_scaled(sent, taps * int(first[o]), weight, o * taps, g[o], taps, lanes)  # type: ignore[call-arg]
                        patch[:] = 0
                        for n in range(len(targets)):
                            add_scaled(patch, targets[n], sent, n * line, 1, line, lanes)  # type: ignore[call-arg]
                        for u in range(reach_i):
                            for v in range(reach_j):
                                target = out[b, step_i * i + u, step_j * j + v, step_k * k :]
                                for w in range(step_k):
                                    at = ((w * reach_i + u) * reach_j + v) * width
                                    for n in range(kernel_k):
                                        target[w + n] += patch[at + n]

    return input_of_one


@cache
def _input(kernel: Size, pool: Size) -> Callable[..., None]:
    rows, run, across = kernel[0] * kernel[1], kernel[2] * _LANES, kernel[1]
    reach_j, reach_k = kernel[1] + pool[1] - 1, kernel[2] + pool[2] - 1
    reached = (kernel[0] + pool[0] - 1) * reach_j * reach_k
    step_i, step_j, step_k = pool
    lanes = _LANES

    @parallel
    def input_of(split: FloatArray, starts: Int64Array, gradient: FloatArray, winner: Winners, out: FloatArray) -> None:
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
