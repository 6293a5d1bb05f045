"""`pellucid report`: a run directory to one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pellucid.cli import console
from pellucid.cli.options import Plugins
from pellucid.cli.runs import write_report

EXAMPLE = "Example: pellucid report demo"


def report(
    run: Annotated[Path, typer.Argument(help="A run directory, as `pellucid study run` writes it.")],
    *,
    plugin: Plugins = None,
) -> None:
    """Write report.html: one self-contained page with methods, results, maps, regions, lesions and limits.

    Exit with 1 if a file of the run was changed, or a section could not be made; the page has the other sections.
    """
    from pellucid.ground.plugins import load_plugins

    load_plugins(plugin or [], where="--plugin")
    page, whole = write_report(run)
    console.say(f"report: {page}")
    if not whole:
        raise typer.Exit(1)
