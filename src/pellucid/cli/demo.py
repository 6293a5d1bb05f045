"""`pellucid demo`: simulate, train, explain, judge, report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pellucid.cli.options import Workers
from pellucid.cli.runs import run_study

EXAMPLE = "Example: pellucid demo --out demo"


def demo(
    *,
    out: Annotated[Path, typer.Option(help="The run directory. A stopped demo in it is resumed.")] = Path("demo"),
    workers: Workers = None,
) -> None:
    """Run the demo study: simulate two cohorts, train, explain, judge and report. No data are needed."""
    run_study("demo", out=out, workers=workers)
