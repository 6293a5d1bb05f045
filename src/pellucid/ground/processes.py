"""Worker processes: one thread each, no code of the current folder, and none outlives the one that started it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

from pellucid.ground.errors import PellucidError
from pellucid.ground.staying import Identity, folders_staying, keep_staying

J = TypeVar("J")
R = TypeVar("R")

# Spawned, not forked: a fork copies the locks of BLAS and PyTorch threads that the child does not have.
_SPAWN = multiprocessing.get_context("spawn")

_begun: Any = None
"""In a worker process: which jobs are begun and not done, in memory that all workers and their parent share."""


class WorkerDiedError(PellucidError):
    """Worker processes were ended from outside, again when their jobs were tried alone.

    Parameters
    ----------
    jobs
        The jobs that they were at.
    """

    def __init__(self, jobs: Sequence[object]) -> None:
        self.jobs = tuple(jobs)
        super().__init__(
            "A worker process was stopped from outside, perhaps because memory is too small. Finished work is kept: "
            "run the same command again, with one worker."
        )


class Stopped(KeyboardInterrupt):
    """The system told this process to end, as every scheduler does before it kills: taken as Ctrl-C is.

    Parameters
    ----------
    number
        Of the signal.
    """

    def __init__(self, number: int = signal.SIGTERM) -> None:
        self.number = number
        super().__init__(signal.Signals(number).name)


def keep_folder_out() -> None:
    """Have every Python that this process starts from here on find no modules in the current folder.

    A child of `multiprocessing` is a `python -c`, which looks for modules in the current folder before anywhere else. A
    dataset may lie there with a `json.py`, and a dataset is data.
    """
    os.environ["PYTHONSAFEPATH"] = "1"


def stop_on_signals() -> None:
    """Take SIGTERM, and SIGHUP unless it is ignored as under nohup, as Ctrl-C: what is begun is put in order first.

    Called once, in the main thread of a command.
    """
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # no SIGHUP on Windows
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)
    sys.unraisablehook = _unraisable


def _unraisable(lost: sys.UnraisableHookArgs) -> None:
    """Send a signal again that came while Python tidied up, where it drops whatever is raised."""
    if isinstance(lost.exc_value, KeyboardInterrupt):
        number = getattr(lost.exc_value, "number", signal.SIGINT)
        threading.Timer(0.05, os.kill, (os.getpid(), number)).start()
    else:
        sys.__unraisablehook__(lost)


def _stop(number: int, _: FrameType | None) -> None:
    raise Stopped(number)


def completed(
    call: Callable[[J], R], jobs: Sequence[J], *, workers: int, start: Callable[[], None] | None = None
) -> Iterator[tuple[J, R]]:
    """Yield each job with what `call` returns for it, as they end, in so many processes of their own.

    Whoever stops listening, by Ctrl-C or an error, has the workers killed: what a job writes must be whole or absent,
    and a job that is done twice must end with the same. Folders that are `staying` here are `staying` for them too.

    A worker that is ended from outside takes the others along. The jobs that they were at are tried again alone, each
    in a process of its own, after all others are done.

    Parameters
    ----------
    call, jobs
        What crosses to another process.
    workers
        How many processes at most.
    start
        Called in each process when it starts, after `start_worker`.

    Raises
    ------
    WorkerDiedError
        After all others are done, if a process ended before the job that it was at alone. Names such jobs.
    """
    waiting = dict(enumerate(jobs))
    suspects: dict[int, J] = {}
    while waiting:
        begun = _SPAWN.RawArray("b", len(jobs))
        try:
            for n, result in _pool(call, waiting, workers, start, begun):
                yield waiting.pop(n), result
        except BrokenProcessPool:
            # If no process came to its first job, the first job counts as the one that they were at.
            for n in [n for n in waiting if begun[n]] or list(waiting)[:1]:
                suspects[n] = waiting.pop(n)
    died = []
    for n, job in suspects.items():
        try:
            for _, result in _pool(call, {n: job}, 1, start, _SPAWN.RawArray("b", len(jobs))):
                yield job, result
        except BrokenProcessPool:
            died.append(job)
    if died:
        raise WorkerDiedError(died)


def _pool(
    call: Callable[[J], R], jobs: Mapping[int, J], workers: int, start: Callable[[], None] | None, begun: Any
) -> Iterator[tuple[int, R]]:
    """Yield the number and the result of each job; mark in `begun` those that a process has come to."""
    keep_folder_out()
    pool = ProcessPoolExecutor(
        min(workers, len(jobs)), mp_context=_SPAWN, initializer=_start, initargs=(start, folders_staying(), begun)
    )
    try:
        with _deaf_children():
            futures = {pool.submit(_do, call, n, job): n for n, job in jobs.items()}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BaseException:
        for process in list((pool._processes or {}).values()):
            process.kill()
        raise
    finally:
        pool.shutdown()


def start_worker() -> None:
    """Let this worker process use one thread, end when the process that started it ends, and leave Ctrl-C to that one.

    There is a worker for each core already: matrix products on several threads each were measured to take three times
    as long. And workers of a killed parent would wait for ever, each with its memory.
    """
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
    threadpool_limits(1)  # for libraries that are loaded already
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _start(start: Callable[[], None] | None, folders: Mapping[Path, Identity], begun: Any) -> None:
    global _begun
    _begun = begun
    start_worker()
    keep_staying(folders)
    if start is not None:
        start()


def _do(call: Callable[[J], R], n: int, job: J) -> R:
    """Do job `n` in a worker process."""
    _begun[n] = True
    result = call(job)
    _begun[n] = False
    return result


@contextmanager
def _deaf_children() -> Iterator[None]:
    """Start processes within that never hear Ctrl-C, not even before `start_worker` ran; on Windows they may."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
