"""`pellucid doctor`."""

from __future__ import annotations

import sys

import numba
import pytest

from pellucid.benchmark.self_tests import SELF_TESTS
from pellucid.network.fused_functions import numba_version


def test_doctor_finds_everything_and_is_well(pellucid) -> None:
    shown = pellucid("doctor")
    assert shown.code == 0
    for words in ("torch", "threads", "memory_gb", "gpus", "neuromorphometrics", "MNI152NLin6Asym brain"):
        assert words in shown.out
    assert shown.out.count("passed: ") == len(SELF_TESTS)
    assert f"kernels        fused (numba {numba.__version__})" in shown.out
    assert "kernels        conv1: fused" in shown.out
    assert "kernels        conv3: layer by layer: no max-pool follows" in shown.out


def test_doctor_says_that_numba_is_missing(pellucid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    numba_version.cache_clear()
    shown = pellucid("doctor")
    numba_version.cache_clear()
    assert shown.code == 0
    assert "kernels        none: numba is not installed" in shown.out
    assert "kernels        conv1: layer by layer: numba is missing" in shown.out


def test_doctor_fails_where_a_self_test_fails(pellucid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SELF_TESTS, "the same seed gives the same gradients", lambda: "they differ")
    shown = pellucid("doctor")
    assert shown.code == 1
    assert "FAILED: the same seed gives the same gradients: they differ" in shown.err
