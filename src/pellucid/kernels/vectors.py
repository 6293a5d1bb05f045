"""Arithmetic on whole vector registers inside kernels, where numba does not make vectors of a loop by itself."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic

WORD, INDEX, BYTE = ir.IntType(64), ir.IntType(32), ir.IntType(8)


def registers(itemsize: int) -> tuple[int, int]:
    """Return how many numbers of so many bytes a vector register holds, and how many registers sums may take.

    AVX-512 has 32 registers of 64 bytes, AVX 16 of 32, others 16 to 32 of 16; a few are needed for other things.
    """
    asked = str(config.CPU_FEATURES or "")  # type: ignore[attr-defined]
    features = dict(llvmlite.binding.get_host_cpu_features())
    if asked or config.CPU_NAME not in (None, "host"):  # type: ignore[attr-defined]
        features = {feature[1:]: feature[0] == "+" for feature in asked.split(",") if feature}
    size = 64 if features.get("avx512f") else 32 if features.get("avx") else 16
    sums = 27 if features.get("avx512f") or platform.machine() in ("arm64", "aarch64") else 12
    return size // itemsize, sums


@intrinsic(prefer_literal=True)
def copy(typing: Any, target: Any, at: Any, source: Any, start: Any, count: Any, lanes: Any) -> Any:
    """Do `target[at + n] = source[start + n]` for n < count, a literal; the arrays are 1D and contiguous."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
        into, out_of = (context.make_array(signature.args[n])(context, builder, values[n]).data for n in (0, 2))
        for emit, n in _pieces(builder, into.type.pointee, count.literal_value, lanes.literal_value):
            emit.store(emit.load(_after(builder, out_of, values[3], n)), _after(builder, into, values[1], n))
        return context.get_dummy_value()

    return types.void(target, types.intp, source, types.intp, count, lanes), generate


@intrinsic(prefer_literal=True)
def add_scaled(typing: Any, target: Any, at: Any, source: Any, start: Any, factor: Any, count: Any, lanes: Any) -> Any:
    """Do `target[at + n] += factor * source[start + n]` for n < count, a literal; the arrays are 1D and contiguous."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
        into, out_of = (context.make_array(signature.args[n])(context, builder, values[n]).data for n in (0, 2))
        for emit, n in _pieces(builder, into.type.pointee, count.literal_value, lanes.literal_value):
            place = _after(builder, into, values[1], n)
            here = emit.load(_after(builder, out_of, values[3], n))
            emit.store(emit.add_product(emit.load(place), here, emit.spread(values[4])), place)
        return context.get_dummy_value()

    return types.void(target, types.intp, source, types.intp, target.dtype, count, lanes), generate


def _pieces(builder: ir.IRBuilder, kind: ir.Type, count: int, lanes: int) -> Iterator[tuple[Emitter, int]]:
    """Cut `count` numbers into vectors, the longest first; yield what writes each and where it begins."""
    start = 0
    while start < count:
        while lanes > count - start:
            lanes //= 2
        yield Emitter(builder, kind, lanes), start
        start += lanes


def _after(builder: ir.IRBuilder, data: Any, start: Any, n: int) -> Any:
    """Return the address of `data[start + n]`."""
    return builder.gep(builder.gep(data, [start]), [ir.Constant(WORD, n)])


class Emitter:
    """Writes instructions on vectors of `lanes` numbers of a kind."""

    def __init__(self, builder: ir.IRBuilder, kind: ir.Type, lanes: int) -> None:
        self.builder, self.lanes = builder, lanes
        self.vector, self.indices = ir.VectorType(kind, lanes), ir.VectorType(INDEX, lanes)
        self.bytes = 8 if isinstance(kind, ir.DoubleType) else 4
        self._product_and_sum = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
            builder.module,
            ir.FunctionType(self.vector, [self.vector] * 3),
            f"llvm.fma.v{lanes}f{8 * self.bytes}",
        )

    def add_product(self, total: Any, one: Any, other: Any) -> Any:
        """Return `total + one * other`, rounded once."""
        return self.builder.call(self._product_and_sum, [one, other, total])

    def spread(self, value: Any) -> Any:
        """Return a vector that has `value` everywhere."""
        nothing = ir.Constant(self.vector, ir.Undefined)
        one = self.builder.insert_element(nothing, value, ir.Constant(INDEX, 0))
        return self.builder.shuffle_vector(one, nothing, ir.Constant(self.indices, [0] * self.lanes))

    def load(self, pointer: Any) -> Any:
        """Return the vector that begins at `pointer`."""
        loaded = self.builder.load(self.builder.bitcast(pointer, self.vector.as_pointer()))
        loaded.align = self.bytes
        return loaded

    def store(self, vector: Any, pointer: Any) -> None:
        """Write a vector to where `pointer` points."""
        self.builder.store(vector, self.builder.bitcast(pointer, vector.type.as_pointer())).align = 1
