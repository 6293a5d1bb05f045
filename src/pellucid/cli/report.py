"""`pellucid report`: a run directory to one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pellucid.cli import console

EXAMPLE = "Example: pellucid report demo"


def report(run: Annotated[Path, typer.Argument(help="A run directory, as `pellucid study run` leaves it.")]) -> None:
    """Write report.html: one self-contained page with what was run, results, maps, regions, lesions and limits."""
    with console.Bars() as bars, bars.step("report"):
        page = write_report(run)
    console.say(f"report: {page}")


def write_report(run: Path) -> Path:
    """Write a run's report and return its path."""
    from pellucid.report.page import write_report as write

    return write(run)
