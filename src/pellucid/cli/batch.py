"""How the verbs end that work on several inputs: what failed is named, and the exit code tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from pellucid.cli import console
from pellucid.ground.words import printable

if TYPE_CHECKING:
    from pellucid.maps.batch import Ended


def name(ended: Ended, total: int, *, label: str) -> None:
    """Say that work was interrupted, if it was, and name what failed of how many; `label` is what was being done."""
    if ended.stopped is not None:
        console.warn(f"stopped while {label}; finished results are written")
    name_failed(ended.failed, total)


def name_failed(failed: Mapping[Path, str], total: int) -> None:
    """Name what failed of how many."""
    for path, error in failed.items():
        # An error names its own file, which may be another one than the scan, such as its mask.
        where = printable(str(path))
        console.warn(f"failed: {error}" if where in error else f"failed: {where}: {error}")
    if failed and total > 1:
        rest = "nothing was done" if len(failed) == total else "the others are done"
        console.warn(f"{len(failed)} of {total} failed; {rest}")


def finish(ended: Ended, total: int) -> None:
    """Exit: as one who was stopped, if so; else as `finish_failed` does."""
    if ended.stopped is not None:
        raise ended.stopped
    finish_failed(len(ended.failed), total)


def finish_failed(failed: int, total: int) -> None:
    """Exit with 1 if something of a batch failed, 2 if the only input did."""
    if failed:
        raise typer.Exit(2 if total == 1 else 1)
