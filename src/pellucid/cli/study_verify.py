"""`pellucid study verify`: every file of a run against what its task left."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pellucid.cli import console
from pellucid.ground.numbers import count

EXAMPLE = "Example: pellucid study verify runs/mystudy"


def verify(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")],
) -> None:
    """Compare every file of a run with what its task wrote; exit with 1 if one is damaged or no task wrote it."""
    from pellucid.ground.errors import InputError
    from pellucid.rundir.folder import RunFolder
    from pellucid.rundir.outputs import (
        changed_spec,
        damaged_tasks,
        read_record,
        stamps_of,
        strangers,
        unrecorded,
    )

    folder = RunFolder(run)
    if not folder.record.is_file():
        raise InputError(run, "has no record.json, so it is not a run directory", "Give the folder that a study wrote")
    record = read_record(folder.record)
    spec, tasks = changed_spec(record, run), damaged_tasks(record, run)
    bad = [*([spec] if spec else []), *(one for some in tasks.values() for one in some)]
    others, silent = strangers(record, run), unrecorded(record, run)
    for one in bad:
        console.say(f"{'missing' if one.what == 'is missing' else 'damaged'}: {one.words(run)}")
    for path in others:
        console.say(f"stranger: {path.relative_to(run).as_posix()} was not written by a task of this run")
    for name in silent:
        console.say(f"unknown: the record does not say what {name} wrote")
    files = sum(len(stamps_of(entry, run) or {}) for entry in record.get("tasks", {}).values())
    if not (bad or others or silent):
        console.say(f"{run}: {count(files, 'file')} unchanged")
        return
    console.warn(
        f"{run}: of {count(files, 'file')} {len(bad)} damaged or missing; {len(others)} not written by a task; "
        f"{count(len(silent), 'task')} without recorded outputs"
    )
    if tasks:
        console.warn(
            f"`pellucid study run` makes the damaged files, and those made from them, again: {', '.join(tasks)}"
        )
    raise typer.Exit(1)
