"""Calls that take turns."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from pellucid.benchmark import timing


def test_calls_take_turns_and_the_first_round_does_not_count() -> None:
    called: list[str] = []
    ticks: list[str] = []
    calls = {name: partial(called.append, name) for name in "ab"}
    seconds = timing.alternate(calls, 3, ticks.append)
    assert "".join(called) == "abababab"
    assert ticks == ["round 0", "round 1", "round 2", "round 3"]
    assert {name: len(times) for name, times in seconds.items()} == {"a": 3, "b": 3}
    assert all(time >= 0 for times in seconds.values() for time in times)


def test_the_product_of_matrices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "GEMM_SIZE", 8)
    product = timing.gemm()()
    assert isinstance(product, torch.Tensor)
    assert product.shape == (8, 8)
    assert timing.gemm_rate(1e-9) == pytest.approx(2 * 8**3)
