"""The tables of a study by name: what makes each, of what, and how one is registered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from pellucid.engine.tasks import Task, task_name
from pellucid.ground.errors import InputError
from pellucid.ground.files import write_tsv
from pellucid.ground.progress import Progress
from pellucid.ground.registry import Registry
from pellucid.rundir.tables import TABLES, Columns, as_declared, declare
from pellucid.spec.spec import Spec
from pellucid.study.plan import Plan

Make = Callable[[Plan, Progress], pd.DataFrame]
"""Makes a table of a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """The tasks that a table is made of, by name.

    Parameters
    ----------
    tasks
        All of them must be done.
    parts
        Groups of further ones: of those whose tasks are all done the table has the rows, and one such group is needed.
    """

    tasks: tuple[str, ...] = ()
    parts: tuple[tuple[str, ...], ...] = ()


NeedsOf = Callable[[Spec], Needs | None]
"""What a table needs in a study; None if the study has no such table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyTable:
    """A table of a study: what makes it, and what it needs."""

    make: Make
    needs: NeedsOf


STUDY_TABLES: Registry[StudyTable] = Registry("study table")
"""Every table by name; of those that a study has, each is a task."""


def study_table(name: str, *, needs: NeedsOf, columns: Sequence[Columns] = ()) -> Callable[[Make], Make]:
    """Register the function below as the table RUN/tables/NAME.tsv.

    Parameters
    ----------
    name
        Of the table.
    needs
        The tasks that it is made of, in a study; `after` names other tables.
    columns
        Its columns, if `rundir.tables` does not declare them.

    Raises
    ------
    InputError
        If the name is taken or is none (`Registry.register`), or nothing says which columns it has.
    """

    def register(make: Make) -> Make:
        if not columns and name not in TABLES:
            what = f"nothing says which columns {name!r} has"
            raise InputError("study table", what, "Give `columns`, as in `columns=(texts('arm'), numbers('value'))`")
        STUDY_TABLES.register(name, StudyTable(make=make, needs=needs))
        if columns:
            declare(name, *columns)
        return make

    return register


def after(*names: str) -> NeedsOf:
    """Return what a table needs that is made of other tables: a study has it if it has them all."""

    def needs(spec: Spec) -> Needs | None:
        there = all(STUDY_TABLES.find(name).needs(spec) is not None for name in names)
        return Needs(tasks=tuple(task_name("table", name) for name in names)) if there else None

    return needs


def table_tasks(plan: Plan) -> list[Task]:
    """Return one task a table of the study, each with what it needs and no more.

    What cannot be fitted does not cost the others their rows.
    """
    needed = {name: table.needs(plan.spec) for name, table in STUDY_TABLES.items()}
    makes = {name: table.make for name, table in STUDY_TABLES.items()}
    return [table_task(name, makes[name], plan, needs) for name, needs in needed.items() if needs is not None]


def table_task(name: str, make: Make, plan: Plan, needs: Needs) -> Task:
    """Return the task that makes one table, with the columns that are declared of it."""

    def run(progress: Progress) -> None:
        write_tsv(plan.folder.table(name), as_declared(make(plan, progress), name))

    return Task(
        kind="table", about=name, outputs=(plan.folder.table(name),), needs=needs.tasks, parts=needs.parts, run=run
    )
