"""A study's tasks handed out to worker processes: what can run at once does, and what dies is tried again."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import fields, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from pellucid.engine.cluster import Pool
from pellucid.engine.tasks import (
    ATTEMPTS,
    Check,
    Note,
    Result,
    Task,
    Watcher,
    attempt,
    discard,
    failure,
    known,
    ordered,
    outdated,
    overtaken,
)
from pellucid.ground.errors import InputError, PellucidError
from pellucid.ground.progress import Progress
from pellucid.ground.staying import folders_staying, staying

SECONDS_BETWEEN_LOOKS = 1.0  # at workers that may have come or gone; results wake the driver at once
SECONDS_UNTIL_SEEN = 90.0  # network file systems remember for up to a minute that a file was not there


def execute_on(
    pool: Pool, tasks: Sequence[Task], *, watcher: Watcher, note: Note, check: Check = lambda _: None
) -> list[Result]:
    """Run every task that is not complete, at once where they do not need each other; else as `tasks.execute`.

    A task whose process dies is tried again in another, three times at most, unexpected exceptions included. No more
    tasks are handed out than there are processes, so that a death is blamed on the task that ran there.

    Parameters
    ----------
    pool
        Where. All processes see the same files.
    tasks, watcher, note, check
        As in `tasks.execute`; the last three are called in this thread.

    Raises
    ------
    InputError
        If the connection or the last process is lost, or a process would run several tasks at once.
    """
    discard(outdated(tasks))
    run = _Run(pool, ordered(tasks), watcher, note, check)
    try:
        while run.hand_out():
            run.hear()
    except BaseException:
        run.cancel()
        raise
    return [run.results[task.name] for task in run.order]


class _Run:
    """What the driver knows of a run under way."""

    def __init__(self, pool: Pool, order: list[Task], watcher: Watcher, note: Note, check: Check) -> None:
        self.order = order
        self.results: dict[str, Result] = {}
        self._pool, self._watcher, self._note, self._check = pool, watcher, note, check
        self._changed: set[str] = set()
        self._numbers = {task.name: number for number, task in enumerate(order, start=1)}
        self._running: dict[str, tuple[Task, Any]] = {}
        self._tries: dict[str, int] = {}
        self._progress: dict[str, Progress] = {}
        self._alive = time.monotonic()  # when a worker was last seen
        # Dask speaks in a thread of its own; what it says waits here for the driver's.
        self._inbox: SimpleQueue[tuple[str, int, int, str] | str] = SimpleQueue()
        self._topic = f"pellucid-{uuid.uuid4().hex}"
        pool.client.subscribe_topic(self._topic, lambda event: self._inbox.put(tuple(event[1])))

    def hand_out(self) -> bool:
        """Settle what needs no run, hand out what can run while a process is free; tell whether anything is open."""
        free: int | None = None
        for task in self.order:
            if task.name in self.results or task.name in self._running:
                continue
            if not all(name in self.results for name in task.waits_for):
                continue
            discard(overtaken(task, self._changed))
            result = known(task, self.results)
            if result is not None:
                self._settle(result)
                continue
            free = self._free() if free is None else free
            if free > 0:
                try:
                    self._check(task)
                except PellucidError as error:
                    self._settle(failure(task, error))
                    continue
                free -= 1
                self._submit(task)
        return len(self.results) < len(self.order)

    def hear(self) -> None:
        """Take the next report of progress or end, if one comes soon."""
        try:
            message = self._inbox.get(timeout=SECONDS_BETWEEN_LOOKS)
        except Empty:
            self._free()  # a task that was handed out may wait in the scheduler for a process that never comes
            return
        if isinstance(message, tuple):
            name, done, total, what = message
            if name in self._running:
                self._progress[name](done, total, what)
            return
        task, future = self._running.pop(message)
        result, times = _outcome(task, future)
        self._tries[task.name] = self._tries.get(task.name, 0) + times
        if not result.unexpected or self._tries[task.name] >= ATTEMPTS:
            self._settle(replace(result, attempts=self._tries[task.name]))

    def cancel(self) -> None:
        """Take back what was handed out."""
        self._pool.client.cancel([future for _, future in self._running.values()], force=True)

    def _free(self) -> int:
        threads = self._pool.client.nthreads()
        for address, count in threads.items():
            if count > 1:
                raise InputError(
                    address, f"the worker runs {count} tasks at once", "Start workers with `dask worker --nthreads 1`"
                )
        if self._pool.refill:
            self._pool.refill()
        now = time.monotonic()
        if threads:
            self._alive = now
        elif now - self._alive > self._pool.patience:
            raise InputError(
                "cluster", "no worker is left", "Start workers again; then the same command resumes the run"
            )
        return len(threads) - len(self._running)

    def _submit(self, task: Task) -> None:
        number = self._numbers[task.name]
        if task.name not in self._progress:
            self._note(task)
            self._progress[task.name] = self._watcher.begin(task, number, len(self.order))
        future = self._pool.client.submit(
            _run_task, task, self._topic, self._pool.threads, list(folders_staying()), pure=False, priority=-number
        )
        self._running[task.name] = (task, future)
        future.add_done_callback(lambda _: self._inbox.put(task.name))

    def _settle(self, result: Result) -> None:
        self.results[result.task.name] = result
        if self._note(result):
            self._changed.add(result.task.name)
        self._watcher.end(result, self._numbers[result.task.name], len(self.order))


def _run_task(task: Task, topic: str, threads: int | None, folders: Sequence[Path]) -> dict[str, Any]:
    """Run a task in a worker process; return the fields of its result but the task, which the driver has.

    `folders` stay here too; what they are is asked here, for other machines number the folders of a shared disk
    otherwise.
    """
    import torch
    from distributed import get_worker
    from threadpoolctl import threadpool_limits

    worker = get_worker()
    if threads is not None:
        threadpool_limits(threads)  # of BLAS
        torch.set_num_threads(threads)

    def report(done: int, total: int, what: str) -> None:
        worker.log_event(topic, (task.name, int(done), int(total), what))

    try:
        with ExitStack() as stack:
            for folder in folders:
                stack.enter_context(staying(folder))
            result = attempt(task, report)
    except InputError as error:  # one of them is gone already
        result = failure(task, error)
    return {field.name: getattr(result, field.name) for field in fields(result) if field.name != "task"}


def _outcome(task: Task, future: Any) -> tuple[Result, int]:
    """Return what became of a task that was handed out, and how often it was tried."""
    from distributed import CancelledError, KilledWorker

    try:
        result = Result(task=task, **future.result())
    except KilledWorker as error:  # a scheduler that is not ours may have tried again by itself
        died = f"its worker process died ({error.last_worker.address})"
        return Result(task=task, state="failed", fresh=True, error=died, trace=str(error)), error.allowed_failures + 1
    except CancelledError:
        raise InputError(
            "cluster", "the scheduler was lost", "Start it again; then the same command resumes the run"
        ) from None
    except Exception as error:  # what the worker could not even read
        return failure(task, error), 1
    if result.state == "done" and not _seen(task):
        where = next(path for path in task.outputs if not path.exists())
        unseen = InputError(where, "a worker wrote it, but it is not here", "Use an --out that all workers share")
        return failure(task, unseen), 1
    return result, 1


def _seen(task: Task) -> bool:
    """Wait until the outputs that another machine may have written are seen on this one."""
    end = time.monotonic() + SECONDS_UNTIL_SEEN
    while not task.complete and time.monotonic() < end:
        time.sleep(0.2)
    return task.complete
