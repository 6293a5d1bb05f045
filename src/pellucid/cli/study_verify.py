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
    """Read every file of a run again and compare it with what its task left; exit 1 if one is damaged or a stranger."""
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
        raise InputError(run, "holds no record.json, so it is no run directory", "Give the folder that a study wrote")
    record = read_record(folder.record)
    spec, tasks = changed_spec(record, run), damaged_tasks(record, run)
    bad = [*([spec] if spec else []), *(one for some in tasks.values() for one in some)]
    others, silent = strangers(record, run), unrecorded(record, run)
    for one in bad:
        console.say(f"{'missing' if one.what == 'is missing' else 'damaged'}: {one.words(run)}")
    for path in others:
        console.say(f"stranger: {path.relative_to(run).as_posix()} was left by no task of this run")
    for name in silent:
        console.say(f"unknown: the record does not say what {name} left")
    files = sum(len(stamps_of(entry, run) or {}) for entry in record.get("tasks", {}).values())
    if not (bad or others or silent):
        console.say(f"{run}: {count(files, 'file')} as the run left them")
        return
    console.warn(
        f"{run}: of {count(files, 'file')} {len(bad)} damaged or missing; {len(others)} of strangers; "
        f"{count(len(silent), 'task')} without a word on outputs"
    )
    if tasks:
        console.warn(f"`pellucid study run` makes what is damaged again, and what was made from it: {', '.join(tasks)}")
    raise typer.Exit(1)
