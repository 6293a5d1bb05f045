"""`pellucid report`: a run directory to one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pellucid.cli import console
from pellucid.cli.runs import write_report

EXAMPLE = "Example: pellucid report demo"


def report(run: Annotated[Path, typer.Argument(help="A run directory, as `pellucid study run` leaves it.")]) -> None:
    """Write report.html: one self-contained page with what was run, results, maps, regions, lesions and limits.

    Exits with 1 if a file is not as the run left it, or a section could not be drawn; the page has the others.
    """
    page, whole = write_report(run)
    console.say(f"report: {page}")
    if not whole:
        raise typer.Exit(1)
