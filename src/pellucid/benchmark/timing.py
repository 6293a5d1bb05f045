"""How long: calls that take turns, so that whatever else the machine does befalls all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial

import torch

Tick = Callable[[str], None]
"""Told what has been done."""

GEMM_SIZE = 2048


def alternate(calls: Mapping[str, Callable[[], object]], repeats: int, tick: Tick) -> dict[str, list[float]]:
    """Call each once to warm up, then all in turn, `repeats` times.

    Parameters
    ----------
    calls
        What to call, by name.
    repeats
        Rounds.
    tick
        Told the number of each finished round; the warm-up is round 0.

    Returns
    -------
    dict
        The seconds of every call, by name, in the order of rounds.
    """
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for n in range(repeats + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if n:
                seconds[name].append(time.perf_counter() - start)
        tick(f"round {n}")
    return seconds


def gemm() -> Callable[[], object]:
    """Return a float32 product of two square matrices, ready to be called: the machine's rate of arithmetic."""
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.rand((GEMM_SIZE, GEMM_SIZE), generator=generator) for _ in range(2))
    return partial(torch.mm, left, right)


def gemm_rate(seconds: float) -> float:
    """Return the GFLOP/s of one call of `gemm` that took that long."""
    return 2 * GEMM_SIZE**3 / seconds / 1e9
