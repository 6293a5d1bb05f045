"""A whole benchmark: rivals checked against ours, then timed in turn, then their memory."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from math import prod
from statistics import median
from typing import Any

import torch

from pellucid.benchmark.memory import measure
from pellucid.benchmark.timing import GEMM_SIZE, alternate, gemm, gemm_rate
from pellucid.benchmark.works import WORKS, Setup, call_of, difference, gflop, prepare, result_of
from pellucid.ground.machine import environment
from pellucid.ground.progress import Progress
from pellucid.network.allocator import keep_freed_memory
from pellucid.network.paper import PaperNetwork
from pellucid.rundir.record import now

TOLERANCE = 1e-4
"""How far a rival's result may be from ours, as a share of the greatest absolute value."""

STEADY = 1.5
"""How many times longer than the shortest the longest call may take on a machine that has nothing else to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What to measure.

    Parameters
    ----------
    works
        Keys of `WORKS`.
    repeats
        Timed calls of each work by each entrant; medians are reported.
    channels
        Filters of each convolution.
    batch
        Volumes of a training step and a prediction; relevance maps are made one by one.
    threads
        For PyTorch and the kernels.
    keep_memory
        Whether freed memory stays in the process while times are measured, whoever freed it, as in this package's
        training. Rivals gain by it where the system is slow to hand out pages. It lasts until the process ends.
    """

    works: tuple[str, ...] = tuple(WORKS)
    repeats: int = 5
    channels: int = 64
    batch: int = 4
    threads: int = field(default_factory=torch.get_num_threads)
    keep_memory: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What one entrant needed for one work: every time in seconds; bytes at the peak, None if unknown."""

    setup: Setup
    seconds: list[float]
    memory: int | None

    @property
    def median(self) -> float:
        """The median time in seconds."""
        return median(self.seconds)

    @property
    def steady(self) -> bool:
        """Whether the times are close enough to each other for their median to mean something."""
        return max(self.seconds) <= STEADY * min(self.seconds)

    @property
    def voxels(self) -> int:
        """The voxels of the batch."""
        return self.setup.batch * prod(self.setup.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Duel:
    """Ours and a rival at one work, and how far the rival's result is from ours (a share of the greatest value)."""

    ours: Measurement
    rival: Measurement
    difference: float

    @property
    def agrees(self) -> bool:
        """Whether both computed the same."""
        return self.difference <= TOLERANCE  # NaN does not

    @property
    def speedup(self) -> float:
        """How many times longer the rival takes."""
        return self.rival.median / self.ours.median

    @property
    def saving(self) -> float | None:
        """How many times more memory the rival needs, None if unknown."""
        if not self.ours.memory or self.rival.memory is None:
            return None
        return self.rival.memory / self.ours.memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """The results of a run.

    Parameters
    ----------
    settings
        What was asked for.
    date, environment
        When, and on what: versions, processor, threads.
    load
        Processes that wanted to run on the machine in the minute before, None if the system does not tell.
    paths
        How each convolution of ours runs: fused, or why not.
    gflop
        The arithmetic of one volume's forward pass, 10^9 operations.
    gemm_seconds
        Every time of the float32 product of matrices that took its turn with a work, by work.
    duels
        Ours beside each rival, work by work.
    """

    settings: Settings
    date: str
    environment: dict[str, Any]
    load: float | None
    paths: dict[str, str]
    gflop: float
    gemm_seconds: dict[str, list[float]]
    duels: list[Duel]

    def gemm_rate(self, work: str) -> float:
        """Return the median rate of the product of matrices that took turns with a work, in GFLOP/s."""
        return gemm_rate(median(self.gemm_seconds[work]))

    def rate(self, measured: Measurement) -> float:
        """Return the GFLOP/s of the network: the forward pass's arithmetic, whatever the work, over the time."""
        return self.gflop * measured.setup.batch / measured.median

    def share_of_limit(self, measured: Measurement) -> float:
        """Return the time of the forward pass's arithmetic at the rate of a product of matrices, over the time."""
        return self.rate(measured) / self.gemm_rate(measured.setup.work)

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON types: what was measured, call by call, and what follows from it."""
        return {
            "date": self.date,
            "environment": self.environment,
            "load_before": self.load,
            "settings": asdict(self.settings),
            "paths": self.paths,
            "gflop_per_volume": self.gflop,
            "gemm": {
                "size": GEMM_SIZE,
                "seconds": self.gemm_seconds,
                "gflop_per_second": {work: self.gemm_rate(work) for work in self.gemm_seconds},
            },
            "duels": [
                {
                    "work": duel.ours.setup.work,
                    "rival": duel.rival.setup.entrant,
                    "difference": duel.difference if duel.difference == duel.difference else None,
                    "agrees": duel.agrees,
                    "speedup": duel.speedup,
                    "memory_ratio": duel.saving,
                    "gflop_per_second": self.rate(duel.ours),
                    "share_of_limit": self.share_of_limit(duel.ours),
                    "ours": _as_json(duel.ours),
                    "theirs": _as_json(duel.rival),
                }
                for duel in self.duels
            ],
        }


def run(settings: Settings, report: Progress) -> Benchmark:
    """Measure what the settings ask for.

    Each rival's result is compared with ours before the clock starts. Then ours, the rivals and a product of matrices
    take turns. Memory is measured afterwards, in a fresh process for each.
    """
    progress = _Progress(report, _steps(settings))
    if settings.keep_memory:
        keep_freed_memory()
    before = torch.get_num_threads()
    torch.set_num_threads(settings.threads)
    try:
        found, load = environment(), _load()
        network = PaperNetwork(channels=settings.channels, seed=0)
        gemm_seconds: dict[str, list[float]] = {}
        duels: list[Duel] = []
        for work in settings.works:
            duels += _duels(work, settings, gemm_seconds, progress)
        return Benchmark(
            settings=settings,
            date=now(),
            environment=found,
            load=load,
            paths=network.eval().paths(torch.zeros((1, 1, *network.grid.shape))),
            gflop=gflop(network),
            gemm_seconds=gemm_seconds,
            duels=duels,
        )
    finally:
        torch.set_num_threads(before)


class _Progress:
    """Counts steps."""

    def __init__(self, report: Progress, total: int) -> None:
        self._report = report
        self._done = 0
        self._total = total

    def tick(self, what: str) -> None:
        self._done += 1
        self._report(self._done, self._total, what)


def _steps(settings: Settings) -> int:
    """Return how many times `_Progress.tick` will be called."""
    return sum(settings.repeats + 1 + 1 + len(_rivals(work)) for work in settings.works)


def _load() -> float | None:
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):  # Windows has no such function
        return None


def _rivals(work: str) -> tuple[str, ...]:
    return ("dense",) if work == "explain" else ("plain", "plain-best")


def _duels(work: str, settings: Settings, gemm_seconds: dict[str, list[float]], progress: _Progress) -> list[Duel]:
    """Check, time and weigh ours and every rival at one work; the times of the product of matrices are added."""
    setups = {
        name: Setup(
            work=work, entrant=name, channels=settings.channels, batch=1 if work == "explain" else settings.batch
        )
        for name in ("ours", *_rivals(work))
    }
    entrants = {name: prepare(setup) for name, setup in setups.items()}
    results = {name: result_of(work, entrant) for name, entrant in entrants.items()}
    calls = {name: call_of(work, entrant) for name, entrant in entrants.items()}

    def tick(what: str) -> None:
        progress.tick(f"{WORKS[work]}, {what}")

    seconds = alternate({"gemm": gemm(), **calls}, settings.repeats, tick)
    gemm_seconds[work] = seconds["gemm"]
    measured = {}
    for name, setup in setups.items():
        measured[name] = Measurement(setup=setup, seconds=seconds[name], memory=measure(setup, settings.threads))
        tick(f"memory of {name}")
    return [
        Duel(ours=measured["ours"], rival=measured[name], difference=difference(results["ours"], results[name]))
        for name in _rivals(work)
    ]


def _as_json(measured: Measurement) -> dict[str, Any]:
    setup = measured.setup
    return {
        **asdict(setup),
        "seconds": measured.seconds,
        "median_seconds": measured.median,
        "voxels_per_second": measured.voxels / measured.median,
        "subjects_per_hour": 3600 * setup.batch / measured.median,
        "steady": measured.steady,
        "peak_memory_bytes": measured.memory,
    }
