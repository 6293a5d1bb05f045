"""Many scans, one after the other: a bad one is named and left out, and never stops the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import typer

from pellucid.cli import console
from pellucid.ground.errors import trouble
from pellucid.ground.words import printable


def each(
    paths: Sequence[Path], work: Callable[[Path], None], *, label: str, failed: dict[Path, str] | None = None
) -> dict[Path, str]:
    """Do `work` for every path; return what was wrong with those that failed, which `failed` gathers if given.

    A bug of ours costs one path too, and is named with its line in the code; only an interruption ends all.
    """
    from pellucid.cli.inputs import no_images

    gathered: dict[Path, str] = {} if failed is None else failed
    with console.Bars() as bars, bars.step(label) as progress:
        for done, path in enumerate(paths, start=1):
            try:
                if path.is_dir():
                    raise no_images(path)
                work(path)
            except Exception as error:
                gathered[path] = trouble(error)
            progress(done, len(paths), path.name)
    return gathered


def each_until_stopped(
    paths: Sequence[Path], work: Callable[[Path], None], *, label: str
) -> tuple[dict[Path, str], KeyboardInterrupt | None]:
    """Do as `each`; where Ctrl-C stops it, return what failed until then and the interruption, to be raised later.

    What is done can then be written down before the command ends.
    """
    failed: dict[Path, str] = {}
    try:
        each(paths, work, label=label, failed=failed)
    except KeyboardInterrupt as stop:
        console.warn(f"stopped while {label}; what is done is written down")
        return failed, stop
    return failed, None


def name(failed: dict[Path, str], total: int) -> None:
    """Name what failed of how many."""
    for path, error in failed.items():
        # An error names its own file, which may be another one than the scan, such as its mask.
        where = printable(str(path))
        console.warn(f"failed: {error}" if where in error else f"failed: {where}: {error}")
    if failed and total > 1:
        rest = "nothing is done" if len(failed) == total else "the others are done"
        console.warn(f"{len(failed)} of {total} failed; {rest}")


def finish(failed: dict[Path, str], total: int, *, stopped: BaseException | None = None) -> None:
    """Exit: as one who was stopped, if so; with 1 if something of a batch failed, 2 if the only input did."""
    if stopped is not None:
        raise stopped
    if failed:
        raise typer.Exit(2 if total == 1 else 1)
