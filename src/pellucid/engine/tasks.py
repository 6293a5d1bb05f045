"""A graph of tasks, each with its outputs, run in order in this process and never twice."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

from pellucid.ground.errors import PellucidError
from pellucid.ground.files import disk_trouble
from pellucid.ground.progress import Progress

State = Literal["done", "failed", "blocked"]

ATTEMPTS = 3
"""How often a task is tried before a failure that nobody raised on purpose counts."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One subject that a task had to leave out, and why; or, not left out, what is to be known of them."""

    subject: str
    message: str
    left_out: bool = True


def task_name(kind: str, about: str = "", trial: int | None = None) -> str:
    """Return the name of the task of a kind, path-like.

    >>> task_name("splits"), task_name("train", "scratch", 0)
    ('splits', 'train/scratch/trial-00')
    """
    return "/".join([kind, *([about] if about else []), *([] if trial is None else [f"trial-{trial:02d}"])])


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One step of a study.

    Parameters
    ----------
    kind, about, trial
        What it does, to what, and for which trial, if any; together unique.
    outputs
        The files that the task leaves, each written atomically. The task is complete when all of them exist; whatever
        else it writes must be in place before the last of them.
    needs
        Names of the tasks whose outputs it reads.
    parts
        Groups of further names: it waits for all of them, reads the outputs of every group whose tasks are all done,
        and needs one such group. So a table has the arms that could be trained when another could not.
    run
        Does the work. A run that was killed half-way may find its own leftovers and must end with the same numbers.
    problems
        Reads the subjects left out back from the outputs, so that they outlive a kill.
    leaves
        Returns every file that is there of it, where it leaves more than its `outputs`; its folders are its own.
    piece
        Returns the piece of its work that a file belongs to, where it makes what is missing piece by piece and finds
        the rest: damage then costs that piece alone. None for a file that all pieces hang on.
    timed
        Names of those files that say how long it took, which is another time in every run.
    """

    kind: str
    about: str = ""
    trial: int | None = None
    outputs: tuple[Path, ...]
    needs: tuple[str, ...]
    run: Callable[[Progress], None]
    problems: Callable[[], Sequence[Problem]] | None = None
    parts: tuple[tuple[str, ...], ...] = ()
    leaves: Callable[[], Iterable[Path]] | None = None
    piece: Callable[[Path], str | None] | None = None
    timed: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What people and the record call it: `train/scratch/trial-00`."""
        return task_name(self.kind, self.about, self.trial)

    @property
    def waits_for(self) -> tuple[str, ...]:
        """Names of the tasks of which it must be known what became before it can run."""
        return (*self.needs, *(name for part in self.parts for name in part))

    @property
    def complete(self) -> bool:
        """Tell whether every output exists."""
        return all(path.exists() for path in self.outputs)

    def files(self) -> list[Path]:
        """Return every file that is there of it, sorted."""
        there = {*self.outputs, *(self.leaves() if self.leaves else ())}
        return sorted(path for path in there if path.is_file())

    def discard(self, bad: Collection[Path] | None = None) -> None:
        """Delete what it left, or as much of it as has to be made again because of these `bad` files."""
        pieces = {self.piece(path) for path in bad} if self.piece and bad is not None else {None}
        for path in [*self.outputs, *self.files()]:
            if None in pieces or path in self.outputs or (self.piece and self.piece(path) in pieces):
                path.unlink(missing_ok=True)
                with suppress(OSError):  # a folder that is not empty, or not there
                    for folder in path.parents:
                        folder.rmdir()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one task."""

    task: Task
    state: State
    fresh: bool
    """False when the outputs were there already."""
    seconds: float = 0.0
    error: str = ""
    trace: str = ""
    """The traceback, where the error is not one that Pellucid raises on purpose."""
    problems: tuple[Problem, ...] = ()
    attempts: int = 1
    """How often it was tried."""
    threads: int | None = None
    """PyTorch's threads where it ran, on which the last bits of its numbers depend; None if it did not run."""

    @property
    def unexpected(self) -> bool:
        """Tell whether it failed by an accident, which may not happen again, and not by what the user has to mend."""
        return self.state == "failed" and self.trace != ""

    @property
    def trouble(self) -> str:
        """The error for people: with how often the task was tried, if more than once."""
        return f"{self.error} (tried {self.attempts} times)" if self.attempts > 1 else self.error


class Watcher(Protocol):
    """Who is told how a run goes: a progress bar, a log, or nobody."""

    def begin(self, task: Task, number: int, total: int) -> Progress:
        """Take note that task `number` of `total` (from 1) starts; return what to call as it goes."""

    def end(self, result: Result, number: int, total: int) -> None:
        """Take note of what became of it."""


def ordered(tasks: Sequence[Task]) -> list[Task]:
    """Return the tasks so that each comes after those it needs, else in the order given.

    It goes depth first: what a task needs comes right before it. `graphlib` sorts level by level, which would train
    every arm before the first is explained.

    Raises
    ------
    ValueError
        For two tasks of one name or with a common output, a need that is no task, or a circle.
    """
    by_name = {task.name: task for task in tasks}
    outputs = [path for task in tasks for path in task.outputs]
    if len(by_name) < len(tasks) or len(set(outputs)) < len(outputs):
        raise ValueError("two tasks share a name or an output")
    order: dict[str, Task] = {}
    path: list[str] = []

    def visit(name: str) -> None:
        if name in order:
            return
        if name not in by_name:
            raise ValueError(f"{path[-1]} needs {name}, which is no task")
        if name in path:
            raise ValueError(f"a circle of tasks: {' > '.join([*path, name])}")
        path.append(name)
        for need in by_name[name].waits_for:
            visit(need)
        path.pop()
        order[name] = by_name[name]

    for task in tasks:
        visit(task.name)
    return list(order.values())


def outdated(tasks: Sequence[Task]) -> list[Task]:
    """Return the complete tasks that would read more if they ran again: a part of theirs is not complete.

    What needs or takes part of such a task is outdated too.
    """
    found: dict[str, Task] = {}
    by_name = {task.name: task for task in tasks}
    for task in ordered(tasks):
        parts = {name for part in task.parts for name in part}
        more = any(not by_name[name].complete for name in parts)
        if task.complete and (more or not found.keys().isdisjoint(task.waits_for)):
            found[task.name] = task
    return list(found.values())


Note = Callable[[Result | Task], bool | None]
"""Takes note of a task before it runs, and of each result; true if its outputs are others than were noted before."""

Check = Callable[[Task], None]
"""Raises PellucidError if what a task reads is not as the tasks before it left it."""


def execute(tasks: Sequence[Task], *, watcher: Watcher, note: Note, check: Check = lambda _: None) -> list[Result]:
    """Run every task that is not complete; return what became of each, in order.

    A task that raises what Pellucid raises on purpose has failed, any other is tried up to three times: those that need
    it are blocked, the others go on. What is `outdated` is made again, and so is what waits for a task whose outputs
    are others than before.

    Parameters
    ----------
    tasks
        In any order.
    watcher
        Told of each task's start and end.
    note
        Called with each task before it runs and each result after, to keep the record.
    check
        Called before each task that runs.
    """
    order = ordered(tasks)
    discard(outdated(order))
    results: dict[str, Result] = {}
    changed: set[str] = set()
    for number, task in enumerate(order, start=1):
        discard(overtaken(task, changed))
        result = known(task, results)
        if result is None:
            note(task)
            progress = watcher.begin(task, number, len(order))
            for count in range(1, ATTEMPTS + 1):
                result = replace(attempt(task, progress, check), attempts=count)
                if not result.unexpected:
                    break
        assert result is not None
        results[task.name] = result
        if note(result):
            changed.add(task.name)
        watcher.end(result, number, len(order))
    return list(results.values())


def discard(tasks: Sequence[Task]) -> None:
    """Delete what tasks left, which are no longer complete then."""
    for task in tasks:
        task.discard()


def overtaken(task: Task, changed: Collection[str]) -> list[Task]:
    """Return the task if it is complete and what it read has become something else: it waits for one of `changed`."""
    return [task] if task.complete and not set(changed).isdisjoint(task.waits_for) else []


def known(task: Task, results: Mapping[str, Result]) -> Result | None:
    """Return what becomes of a task without a run: blocked, or done already; None if it has to run.

    Parameters
    ----------
    task
        What may have to run.
    results
        By name, among them those of all that the task waits for.
    """
    missing = [name for name in task.needs if results[name].state != "done"]
    if task.parts and not any(all(results[name].state == "done" for name in part) for part in task.parts):
        missing += [name for part in task.parts for name in part if results[name].state != "done"]
    if missing:
        return Result(task=task, state="blocked", fresh=False, error=f"needs {', '.join(missing)}")
    if task.complete:
        return Result(task=task, state="done", fresh=False, problems=_problems(task))
    return None


def attempt(task: Task, progress: Progress, check: Check = lambda _: None) -> Result:
    """Run one task once and say what became of it."""
    import torch  # late: who asks for the state of a run needs none

    start = time.perf_counter()
    try:
        check(task)
        task.run(progress)
        absent = [str(path) for path in task.outputs if not path.exists()]
        if absent:
            raise RuntimeError(f"{task.name} ended without writing {', '.join(absent)}")
        problems = _problems(task)
    except Exception as error:  # one failing task must not cost the others
        return failure(task, error, seconds=time.perf_counter() - start)
    return Result(
        task=task,
        state="done",
        fresh=True,
        seconds=time.perf_counter() - start,
        problems=problems,
        threads=torch.get_num_threads(),
    )


def failure(task: Task, error: Exception, *, seconds: float = 0.0) -> Result:
    """Return the result of a task that raised."""
    error = disk_trouble(error) or error
    expected = isinstance(error, PellucidError)
    return Result(
        task=task,
        state="failed",
        fresh=True,
        seconds=seconds,
        error=str(error) if expected else f"{type(error).__name__}: {error}",
        trace="" if expected else "".join(traceback.format_exception(error)),
    )


def _problems(task: Task) -> tuple[Problem, ...]:
    return tuple(task.problems()) if task.problems else ()
