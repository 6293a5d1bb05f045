from __future__ import annotations

from functools import cache
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.kernels.vectors import add_scaled, copy, registers


@cache
def compiled(count: int, lanes: int) -> tuple[Any, Any]:
    @numba.njit
    def run_copy(target, at, source, start):  # type: ignore[no-untyped-def]
        copy(target, at, source, start, count, lanes)

    @numba.njit
    def run_add(target, at, source, start, factor):  # type: ignore[no-untyped-def]
        add_scaled(target, at, source, start, factor, count, lanes)

    return run_copy, run_add


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@given(st.sampled_from([(1, 8), (4, 4), (12, 8), (36, 16), (37, 16)]), st.integers(0, 5), st.integers(0, 5))
def test_equal_numpy_and_touch_nothing_else(kind: type, sizes: tuple[int, int], at: int, start: int) -> None:
    count, lanes = sizes
    rng = np.random.default_rng([count, at, start])
    target, source = (rng.integers(-9, 9, 50).astype(kind) for _ in range(2))
    run_copy, run_add = compiled(count, lanes)
    expected = target.copy()
    expected[at : at + count] += 3 * source[start : start + count]
    found = target.copy()
    run_add(found, at, source, start, kind(3))
    np.testing.assert_array_equal(found, expected)
    expected[at : at + count] = source[start : start + count]
    run_copy(found, at, source, start)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("name", "features", "expected"),
    [
        ("haswell", "+avx,+avx2,-avx512f", (8, 12)),
        ("skylake-avx512", "+avx,+avx512f", (16, 27)),
        ("nehalem", "+sse4.2", (4, 12)),
    ],
)
def test_registers_are_those_of_the_processor_that_numba_compiles_for(
    name: str, features: str, expected: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numba.config, "CPU_NAME", name)
    monkeypatch.setattr(numba.config, "CPU_FEATURES", features)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert registers(4) == expected
    assert registers(8) == (expected[0] // 2, expected[1])
