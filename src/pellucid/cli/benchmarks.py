"""How `pellucid bench` prints what it measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.cli import console
from pellucid.ground.numbers import count, fixed, percent

if TYPE_CHECKING:
    from pellucid.benchmark.run import Benchmark, Duel

RIVALS = {
    "plain": "PyTorch in its simplest form, on the whole images",
    "plain-best": "the same layers, channels last, on images cropped to the voxels that the network sees",
    "dense": "LRP layer by layer on the plain network",
}


def show_benchmark(found: Benchmark) -> None:
    """Print what ran, on what, and the tables."""
    from pellucid.benchmark.works import WORKS

    machine = found.environment
    versions = {"pellucid": machine["pellucid"]} | {
        name: machine["packages"].get(name, "missing") for name in ("torch", "numba")
    }
    console.say(f"{machine['processor']}, {count(found.settings.threads, 'thread')}, {found.date}")
    console.say(", ".join(f"{name} {version}" for name, version in versions.items()))
    rates = ", ".join(f"{found.gemm_rate(work):.0f} beside {WORKS[work]}" for work in found.gemm_seconds)
    console.say(f"matrix product, fp32, GFLOP/s: {rates}")
    console.say(f"forward pass on the seen voxels: {found.gflop:.2f} GFLOP per volume")
    for name, path in found.paths.items():
        console.say(f"{name}: {path}")
    console.say("")
    console.show_table(
        (
            *("work", "ours s", "rival", "rival s", "ratio", "differ by", "GFLOP/s", "of limit", "voxels/s"),
            *("scans/h", "ours MB", "rival MB", "MB ratio"),
        ),
        [(f"{WORKS[duel.ours.setup.work]}, batch {duel.ours.setup.batch}", *_row(found, duel)) for duel in found.duels],
    )
    console.say("")
    for name in dict.fromkeys(duel.rival.setup.entrant for duel in found.duels):
        console.say(f"{name}: {RIVALS[name]}")
    console.say("of limit: the time of the forward pass at the rate of a matrix product, as a share of our time")
    if found.settings.keep_memory:
        console.say("freed memory was kept in the process, for all implementations")
    console.say("MB: peak above model and images, 10^6 bytes")
    _show_unrest(found)


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
        console.warn(f"the machine was busy (load {load} before), run it again when it is idle: {', '.join(unsteady)}")


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


def _megabytes(size: int | None) -> str:
    return "n/a" if size is None else f"{size / 1e6:.0f}"
