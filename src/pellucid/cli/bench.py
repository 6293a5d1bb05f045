"""`pellucid bench`: how fast the engine is on this machine, and how much memory it needs, beside its rivals."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pellucid.cli import console
from pellucid.ground.errors import InputError
from pellucid.ground.numbers import count, fixed, percent

if TYPE_CHECKING:
    from pellucid.benchmark.run import Benchmark, Duel, Measurement

EXAMPLE = "Example: pellucid bench --out bench.json"

CHANNELS = 64  # the paper's; tests take fewer

RIVALS = {
    "plain": "PyTorch as anyone would write it, on the whole images",
    "plain-best": "the same layers, channels last, on the voxels that the network sees, cut out beforehand",
    "dense": "LRP layer by layer on the plain network, for zennit cannot be imported here",
    "zennit": "zennit's Epsilon rule on the plain network",
}


class Work(StrEnum):
    """A work to measure."""

    TRAIN = "train"
    PREDICT = "predict"
    EXPLAIN = "explain"


def bench(
    *,
    out: Annotated[Path | None, typer.Option(help="A JSON file for every time and what it was measured on.")] = None,
    work: Annotated[list[Work] | None, typer.Option(help="What to measure, all if not given; may be repeated.")] = None,
    repeats: Annotated[int, typer.Option(help="Timed calls of each; the median counts.")] = 5,
    threads: Annotated[int | None, typer.Option(help="Threads; PyTorch's own number if not given.")] = None,
    keep_memory: Annotated[
        bool,
        typer.Option("--keep-memory", help="Give no freed memory back to the system meanwhile, as in training here."),
    ] = False,
    growth: Annotated[
        bool, typer.Option("--growth", help="Also follow ours through batches of 1 to 32 and volumes of 48³ to 256³.")
    ] = False,
) -> None:
    """Measure a training step, a prediction and a relevance map beside plain PyTorch and another LRP.

    All compute the same with the same weights, which is checked first, and take turns. Exits 1 if a rival's result is
    not ours.
    """
    for option, value in (("--repeats", repeats), ("--threads", 1 if threads is None else threads)):
        if value < 1:
            raise InputError(option, f"is {value}", "Give a whole number of at least 1")
    if out is not None and out.suffix != ".json":
        raise InputError("--out", f"{out} is not a JSON file", "Give a name that ends in .json")
    import torch

    from pellucid.benchmark.run import BATCHES, CUBES, Settings, run
    from pellucid.ground.files import write_json

    settings = Settings(
        works=tuple(Work(name).value for name in work or Work),
        repeats=repeats,
        channels=CHANNELS,
        threads=threads or torch.get_num_threads(),
        keep_memory=keep_memory,
        batches=BATCHES if growth else (),
        cubes=CUBES if growth else (),
    )
    with console.Bars() as bars, bars.step("benchmark") as report:
        found = run(settings, report)
    _show(found)
    if out is not None:
        write_json(out, found.as_json())
        console.say(f"written: {out}")
    wrong = [duel for duel in found.duels if not duel.agrees]
    for duel in wrong:
        console.warn(
            f"{duel.ours.setup.work}: the result of {duel.rival.setup.entrant} differs from ours by "
            f"{duel.difference:.1e} of the greatest value, so their times are not comparable"
        )
    if wrong:
        raise typer.Exit(1)


def _show(found: Benchmark) -> None:
    """Print what ran, on what, and the tables."""
    from pellucid.benchmark.works import WORKS

    machine = found.environment
    versions = {"pellucid": machine["pellucid"]} | {
        name: machine["packages"].get(name, "missing") for name in ("torch", "numba")
    }
    console.say(f"{machine['processor']}, {count(found.settings.threads, 'thread')}, {found.date}")
    console.say(", ".join(f"{name} {version}" for name, version in versions.items()))
    rates = ", ".join(f"{found.gemm_rate(work):.0f} beside {WORKS[work]}" for work in found.gemm_seconds)
    console.say(f"product of matrices, fp32, GFLOP/s: {rates}")
    console.say(f"forward pass on what the network sees: {found.gflop:.2f} GFLOP a volume")
    for name, path in found.paths.items():
        console.say(f"{name}: {path}")
    console.say("")
    console.show_table(
        (
            *("work", "ours s", "rival", "rival s", "ratio", "differ by", "GFLOP/s", "of limit", "voxels/s"),
            *("subjects/h", "ours MB", "rival MB", "MB ratio"),
        ),
        [(f"{WORKS[duel.ours.setup.work]}, batch {duel.ours.setup.batch}", *_row(found, duel)) for duel in found.duels],
    )
    console.say("")
    for name in dict.fromkeys(duel.rival.setup.entrant for duel in found.duels):
        console.say(f"{name}: {RIVALS[name]}")
    console.say("of limit: the forward pass at the rate of the product of matrices, as a share of our time")
    if found.settings.keep_memory:
        console.say("freed memory was kept in the process, for all alike")
    console.say("MB: peak above model and images, 10^6 bytes")
    _show_unrest(found)
    if found.growth:
        console.say("")
        console.show_table(
            ("training step", "volume", "batch", "s", "ns a voxel", "MB", "bytes a voxel"),
            [_growth_row(measured) for measured in found.growth],
        )


def _show_unrest(found: Benchmark) -> None:
    """Say whose times differ so much that something else must have used the machine."""
    every = {(m.setup.work, m.setup.entrant): m for duel in found.duels for m in (duel.ours, duel.rival)}
    unsteady = [
        f"{work} {entrant} {min(m.seconds):.3f}-{max(m.seconds):.3f} s"
        for (work, entrant), m in every.items()
        if not m.steady
    ]
    if unsteady:
        load = "unknown" if found.load is None else f"{found.load:.1f}"
        console.warn(f"the machine was busy (load {load} before), run again when it is idle: {', '.join(unsteady)}")


def _row(found: Benchmark, duel: Duel) -> tuple[str, ...]:
    """Return a row of the table, but for its first cell."""
    ours, rival = duel.ours, duel.rival
    return (
        fixed(ours.median),
        rival.setup.entrant,
        fixed(rival.median),
        f"{duel.speedup:.2f}x",
        f"{duel.difference:.0e}",
        f"{found.rate(ours):.0f}",
        percent(found.share_of_limit(ours), 0),
        f"{ours.voxels / ours.median / 1e6:.1f} M",
        f"{3600 * ours.setup.batch / ours.median:.0f}",
        _megabytes(ours.memory),
        _megabytes(rival.memory),
        "n/a" if duel.saving is None else f"{duel.saving:.1f}x",
    )


def _growth_row(measured: Measurement) -> tuple[str, ...]:
    setup = measured.setup
    return (
        "first block" if setup.entrant == "block" else "network",
        "x".join(str(n) for n in setup.shape),
        str(setup.batch),
        fixed(measured.median),
        f"{1e9 * measured.median / measured.voxels:.1f}",
        _megabytes(measured.memory),
        "n/a" if measured.memory is None else f"{measured.memory / measured.voxels:.1f}",
    )


def _megabytes(size: int | None) -> str:
    return "n/a" if size is None else f"{size / 1e6:.0f}"
