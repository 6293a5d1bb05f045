"""`pellucid bench`: how fast the engine is on this machine, and how much memory it needs, beside its rivals."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pellucid.cli import console
from pellucid.cli.benchmarks import show_benchmark
from pellucid.ground.errors import InputError

EXAMPLE = "Example: pellucid bench --out bench.json"

CHANNELS = 64  # the paper's; tests take fewer


class Work(StrEnum):
    """A work to measure."""

    TRAIN = "train"
    PREDICT = "predict"
    EXPLAIN = "explain"


def bench(
    *,
    out: Annotated[Path | None, typer.Option(help="A JSON file with all times and the machine.")] = None,
    work: Annotated[
        list[Work] | None, typer.Option(help="What to measure; can be repeated. Default: everything.")
    ] = None,
    repeats: Annotated[int, typer.Option(help="Number of timed calls of each; the median is reported.")] = 5,
    threads: Annotated[int | None, typer.Option(help="Number of threads. Default: PyTorch's own.")] = None,
    keep_memory: Annotated[
        bool,
        typer.Option("--keep-memory", help="Do not return freed memory to the system, as in Pellucid's training."),
    ] = False,
) -> None:
    """Measure a training step, a prediction and a relevance map, compared with plain PyTorch and another LRP.

    All compute the same with the same weights, which is checked first, and take turns. Exits 1 if a rival's result is
    not ours.
    """
    for option, value in (("--repeats", repeats), ("--threads", 1 if threads is None else threads)):
        if value < 1:
            raise InputError(option, f"is {value}", "Give a whole number of at least 1")
    if out is not None and out.suffix != ".json":
        raise InputError("--out", f"{out} is not a JSON file", "Give a name that ends in .json")
    import torch

    from pellucid.benchmark.run import Settings, run
    from pellucid.ground.files import write_json

    settings = Settings(
        works=tuple(Work(name).value for name in work or Work),
        repeats=repeats,
        channels=CHANNELS,
        threads=threads or torch.get_num_threads(),
        keep_memory=keep_memory,
    )
    with console.Bars() as bars, bars.step("benchmark") as report:
        found = run(settings, report)
    if out is not None:
        write_json(out, found.as_json())
    show_benchmark(found)
    console.written([] if out is None else [out])
    wrong = [duel for duel in found.duels if not duel.agrees]
    for duel in wrong:
        console.warn(
            f"{duel.ours.setup.work}: the result of {duel.rival.setup.entrant} differs from ours by "
            f"{duel.difference:.1e} of the largest value, so their times cannot be compared"
        )
    if wrong:
        raise typer.Exit(1)
