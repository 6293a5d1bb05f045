"""Many scans, one after the other: a bad one is named and left out, and never stops the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import typer

from pellucid.cli import console
from pellucid.errors import trouble
from pellucid.words import printable


def each(paths: Sequence[Path], work: Callable[[Path], None], *, label: str) -> dict[Path, str]:
    """Do `work` for every path; return what was wrong with those that failed.

    A bug of ours costs one path too, and is named with its line in the code; only an interruption ends all.
    """
    from pellucid.cli.inputs import no_images

    failed: dict[Path, str] = {}
    with console.Bars() as bars, bars.step(label) as progress:
        for done, path in enumerate(paths, start=1):
            try:
                if path.is_dir():
                    raise no_images(path)
                work(path)
            except Exception as error:
                failed[path] = trouble(error)
            progress(done, len(paths), path.name)
    return failed


def name(failed: dict[Path, str], total: int) -> None:
    """Name what failed of how many."""
    for path, error in failed.items():
        # An error names its own file, which may be another one than the scan, such as its mask.
        console.warn(f"failed: {error}" if printable(str(path)) in error else f"failed: {path}: {error}")
    if failed and total > 1:
        rest = "nothing is done" if len(failed) == total else "the others are done"
        console.warn(f"{len(failed)} of {total} failed; {rest}")


def finish(failed: dict[Path, str], total: int) -> None:
    """Exit: with 1 if something of a batch failed, 2 if the only input did; else return."""
    if failed:
        raise typer.Exit(2 if total == 1 else 1)
