"""A convolution of one channel and the max-pool behind it in one pass: the convolution's output never exists.

For each pooling window and each vector of channels all the window's outputs are summed at once: for kernels and pools
of 3x3x3 these are 27 running sums over 27 taps, which stay in registers. numba cannot be made to write this, so the
innermost loop is emitted as LLVM's instructions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from itertools import product
from math import prod
from typing import Any

import numpy as np
from llvmlite import ir
from numba import prange, types
from numba.extending import intrinsic

from pellucid.ground.arrays import FloatArray
from pellucid.kernels.arrays import Size, Winners
from pellucid.kernels.compile import parallel
from pellucid.kernels.vectors import BYTE, WORD, Emitter, registers


def convolve_pool(
    x: FloatArray, weight: FloatArray, bias: FloatArray, kernel: Size, pool: Size
) -> tuple[FloatArray, Winners]:
    """Return `max_q sum_t x[pool p + q + t] w[t, o] + b[o]` of each window p and channel o, and the q that had it.

    Parameters
    ----------
    x
        (B, X, Y, Z), C-contiguous.
    weight
        (taps, C), taps in C order of `kernel`, of x's data type.
    bias
        (C,).
    kernel, pool
        Sizes along X, Y, Z, at most 256 positions in a pool. The convolution has stride 1 and no padding; windows do
        not overlap, an incomplete one at the far end is dropped.

    Returns
    -------
    best, winner
        (B, X', Y', Z', C) each, X' = (X - kernel + 1) // pool; of equals the first wins, of NaNs the last.
    """
    channels = weight.shape[1]
    lanes, sums = registers(x.dtype.itemsize)
    groups = -(-prod(pool) // sums)
    spare = -channels % lanes
    weight, bias = np.pad(weight, [(0, 0), (0, spare)]), np.pad(bias, (0, spare))
    shape = tuple((n - k + 1) // p for n, k, p in zip(x.shape[1:], kernel, pool, strict=True))
    best = np.empty((len(x), *shape, channels + spare), dtype=x.dtype)
    winner = np.empty(best.shape, dtype=np.uint8)
    reach = _reach(kernel, pool)
    taps = np.array([_at(tap, reach) for tap in _positions(kernel)])
    _compiled(pool, reach, groups, lanes)(x, weight, bias, taps, best, winner)
    if spare:
        return np.ascontiguousarray(best[..., :channels]), np.ascontiguousarray(winner[..., :channels])
    return best, winner


@cache
def _compiled(pool: Size, reach: Size, groups: int, lanes: int) -> Callable[..., None]:
    step_i, step_j, step_k = pool
    reach_i, reach_j, reach_k = reach
    starts = [_at(place, reach) for place in _positions(pool)]
    size = -(-len(starts) // groups)
    # numba hands an intrinsic what it must know when it compiles as a literal, and knows no literal tuples.
    places = ";".join(",".join(map(str, starts[n : n + size])) for n in range(0, len(starts), size))

    @parallel
    def convolve_pool(
        x: FloatArray, weight: FloatArray, bias: FloatArray, taps: Any, best: FloatArray, winner: Winners
    ) -> None:
        B, X, Y, Z, C = best.shape
        for row in prange(B * X * Y):
            b, i, j = row // (X * Y), row // Y % X, row % Y
            patch = np.empty(reach_i * reach_j * reach_k, x.dtype)  # all that a window's outputs read
            for k in range(Z):
                at = 0
                for u in range(reach_i):
                    for v in range(reach_j):
                        line = x[b, step_i * i + u, step_j * j + v, step_k * k : step_k * k + reach_k]
                        for w in range(reach_k):
                            patch[at] = line[w]
                            at += 1
                for o in range(0, C, lanes):
                    _window(  # type: ignore[call-arg]  # numba gives the first argument
                        patch, weight, bias, taps, o, places, lanes, best[b, i, j, k], winner[b, i, j, k]
                    )

    return convolve_pool


@intrinsic(prefer_literal=True)
def _window(
    typing: Any,
    patch: Any,
    weight: Any,
    bias: Any,
    taps: Any,
    channel: Any,
    places: Any,
    lanes: Any,
    best: Any,
    winner: Any,
) -> Any:
    """Do one window and `lanes` channels from `channel` on: a loop over taps for each group of `places`.

    `best[channel + l] = max_q sum_t patch[places[q] + taps[t]] weight[t, channel + l] + bias[channel + l]`.
    """
    groups = [[int(place) for place in group.split(",")] for group in places.literal_value.split(";")]
    signature = types.void(patch, weight, bias, taps, types.intp, places, lanes, best, winner)

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
        patch, weight, bias, taps, best, winner = (
            context.make_array(signature.args[n])(context, builder, values[n]) for n in (0, 1, 2, 3, 7, 8)
        )
        emit = Emitter(builder, patch.data.type.pointee, lanes.literal_value)
        start = builder.gep(weight.data, [values[4]])
        top = first = None
        place = 0
        for group in groups:
            count, stride = (builder.extract_value(weight.shape, axis) for axis in (0, 1))
            for z in _sums(emit, patch.data, start, taps.data, count, stride, group):
                index = ir.Constant(emit.indices, [place] * emit.lanes)
                top, first = (z, index) if top is None else _greater(emit, z, index, top, first)
                place += 1
        top = builder.fadd(top, emit.load(builder.gep(bias.data, [values[4]])))
        emit.store(top, builder.gep(best.data, [values[4]]))
        emit.store(builder.trunc(first, ir.VectorType(BYTE, emit.lanes)), builder.gep(winner.data, [values[4]]))
        return context.get_dummy_value()

    return signature, generate


def _sums(emit: Emitter, patch: Any, weight: Any, taps: Any, count: Any, stride: Any, places: list[int]) -> list[Any]:
    """Write the loop over taps, and return the sum at each of `places`.

    A loop, not a list of products: written out, equal values of the patch would be loaded once, spread into
    vectors and kept, which takes more registers than there are.
    """
    builder = emit.builder
    before = builder.block
    loop, after = builder.append_basic_block("taps"), builder.append_basic_block("sums")
    builder.branch(loop)
    builder.position_at_end(loop)
    t = builder.phi(WORD)
    running = [builder.phi(emit.vector) for _ in places]
    w = emit.load(builder.gep(weight, [builder.mul(t, stride)]))
    corner = builder.gep(patch, [builder.load(builder.gep(taps, [t]))])
    sums = []
    for place, so_far in zip(places, running, strict=True):
        x = emit.spread(builder.load(builder.gep(corner, [ir.Constant(WORD, place)])))
        sums.append(emit.add_product(so_far, x, w))
        so_far.add_incoming(ir.Constant(emit.vector, [0.0] * emit.lanes), before)
        so_far.add_incoming(sums[-1], loop)
    following = builder.add(t, ir.Constant(WORD, 1))
    t.add_incoming(ir.Constant(WORD, 0), before)
    t.add_incoming(following, loop)
    builder.cbranch(builder.icmp_signed("<", following, count), loop, after)
    builder.position_at_end(after)
    return sums


def _greater(emit: Emitter, z: Any, index: Any, top: Any, first: Any) -> tuple[Any, Any]:
    """Return z and its index where z is greater than top, or NaN, else top and its."""
    wins = emit.builder.or_(emit.builder.fcmp_ordered(">", z, top), emit.builder.fcmp_unordered("uno", z, z))
    return emit.builder.select(wins, z, top), emit.builder.select(wins, index, first)


def _reach(kernel: Size, pool: Size) -> Size:
    """Return the size of what all outputs of a window read."""
    i, j, k = (a + b - 1 for a, b in zip(kernel, pool, strict=True))
    return i, j, k


def _at(place: Iterable[int], size: Size) -> int:
    """Return the index of a place in a box of a size, in C order."""
    i, j, k = place
    return (i * size[1] + j) * size[2] + k


def _positions(size: Iterable[int]) -> list[tuple[int, ...]]:
    """Return all positions in a box, in C order."""
    return list(product(*map(range, size)))
