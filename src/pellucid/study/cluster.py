"""A study's tasks on worker processes of Dask: some of this machine, a scheduler that is there, or jobs of Slurm."""

from __future__ import annotations

import logging
import math
import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields, replace
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

from pellucid.errors import InputError
from pellucid.study.tasks import ATTEMPTS, Progress, Result, Task, Watcher, attempt, failure, known, ordered

SECONDS_BETWEEN_LOOKS = 1.0  # at workers that may have come or gone; results wake the driver at once
SECONDS_TO_ANSWER = 10.0
SECONDS_WITHOUT_WORKERS = 120.0  # Dask waits 15 s for a process to come back before it lets it be replaced
SECONDS_UNTIL_SEEN = 90.0  # network file systems remember for up to a minute that a file was not there


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSettings:
    """What to ask Slurm for.

    Parameters
    ----------
    queue
        The partition.
    memory
        Of each job: `16GB`.
    walltime
        Of each job, `HH:MM:SS`. A task that its end cuts off runs again in another job, three times at most.
    cores
        Of each job; all go to PyTorch, for a job runs one task at a time.
    workers
        Number of jobs.
    account
        Whom to charge.
    directives
        Further `#SBATCH` lines, without that word: `--gres=gpu:1`.
    """

    queue: str
    memory: str
    walltime: str
    cores: int
    workers: int
    account: str | None = None
    directives: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("cores", "workers"):
            if getattr(self, name) < 1:
                raise InputError(name, f"is {getattr(self, name)}", "Give a whole number of at least 1")


@dataclass(frozen=True, slots=True)
class Pool:
    """Worker processes of one Dask thread each: PyTorch's generator is global to a process, so no two trials share one.

    Parameters
    ----------
    client
        The connection to their scheduler: a `distributed.Client`.
    threads
        PyTorch's threads in each; None leaves them as the workers were started.
    patience
        Seconds without any process after which a run is given up. Jobs may wait for days; a process of this machine
        that does not come back never will.
    refill
        Called while tasks wait, to replace processes that are gone for good: a death while it starts, a job's end.
    """

    client: Any
    threads: int | None
    patience: float = SECONDS_WITHOUT_WORKERS
    refill: Callable[[], object] | None = None


def check_cluster(cluster: str, settings: ClusterSettings | None) -> None:
    """Check all that can be known of a cluster before it is reached.

    Raises
    ------
    InputError
        If it is of no known kind, or Slurm is asked for without settings or without its package.
    """
    if cluster == "slurm":
        _slurm_class()
        if settings is None:
            raise InputError("cluster", "slurm has no settings", "Say queue, memory, walltime, cores and workers")
    elif cluster != "local" and not cluster.startswith(("tcp://", "tls://")):
        raise InputError("cluster", f"is {cluster!r}", "Give local, slurm or a scheduler's address, tcp://host:port")


@contextmanager
def open_pool(
    cluster: str, *, workers: int = 1, threads: int | None = None, settings: ClusterSettings | None = None
) -> Iterator[Pool]:
    """Connect to worker processes; those that were started here end with the block.

    Parameters
    ----------
    cluster
        `local`, `slurm`, or the address of a scheduler, `tcp://host:port`.
    workers
        Processes of a local cluster.
    threads
        PyTorch's threads in each process of a local cluster; if not given, its share of the cores.
    settings
        What to ask Slurm for.

    Raises
    ------
    InputError
        As `check_cluster`, and for a scheduler that does not answer or has no workers.
    """
    import dask.config
    from distributed import Client

    check_cluster(cluster, settings)
    own = {
        "distributed.scheduler.allowed-failures": 0,  # deaths are counted here, with exceptions
        "distributed.worker.profile.enabled": False,  # would look at the task a hundred times a second
    }
    patience, refill = SECONDS_WITHOUT_WORKERS, None
    with ExitStack() as stack:
        if cluster == "local":
            stack.enter_context(dask.config.set(own))
            where = stack.enter_context(_local_cluster(workers))
            threads = threads or max(1, _cores() // workers)
            refill = partial(where.scale, workers)
        elif cluster == "slurm":
            assert settings is not None
            stack.enter_context(dask.config.set(own))
            where = stack.enter_context(slurm_cluster(settings))
            threads, patience = settings.cores, math.inf
            refill = partial(where.scale, jobs=settings.workers)
            refill()
        else:
            where = cluster
            threads = None
        try:
            client: Any = Client(where, timeout=SECONDS_TO_ANSWER)  # type: ignore[no-untyped-call]
        except (OSError, ValueError) as error:
            raise InputError(cluster, f"no scheduler answers ({error})", "Start `dask scheduler` there") from None
        stack.enter_context(client)
        if where == cluster and not client.nthreads():
            raise InputError(cluster, "the scheduler has no workers", "Start `dask worker --nthreads 1`")
        yield Pool(client, threads, patience, refill)


def _local_cluster(workers: int) -> Any:
    from distributed import LocalCluster

    return LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        memory_limit=None,
        dashboard_address=None,
        scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # it listens all the same; 8787 may be taken
        silence_logs=logging.CRITICAL,  # of deaths and retries the results tell
        preload=[__name__],
    )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def slurm_cluster(settings: ClusterSettings) -> Any:
    """Return a cluster whose workers will be jobs of Slurm, none of them submitted yet."""
    return _slurm_class()(
        queue=settings.queue,
        account=settings.account,
        cores=1,  # Dask's threads
        processes=1,
        job_cpu=settings.cores,
        memory=settings.memory,
        walltime=settings.walltime,
        job_extra_directives=list(settings.directives),
        scheduler_options={"dashboard": False, "dashboard_address": ":0"},  # it listens all the same
        worker_extra_args=["--memory-limit", "0"],  # Slurm has its own; Dask would count mapped files
    )


def dask_setup(_: Any) -> None:
    """Leave Ctrl-C to the driver. Dask calls this when a worker process of a local cluster starts."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def execute_on(
    pool: Pool, tasks: Sequence[Task], *, watcher: Watcher, note: Callable[[Result | Task], None]
) -> list[Result]:
    """Run every task that is not complete, at once where they do not need each other; else as `tasks.execute`.

    A task whose process dies is tried again in another, three times at most, unexpected exceptions included. No more
    tasks are handed out than there are processes, so that a death is blamed on the task that ran there.

    Parameters
    ----------
    pool
        Where. All processes see the same files.
    tasks, watcher, note
        As in `tasks.execute`; watcher and note are called in this thread.

    Raises
    ------
    InputError
        If the connection or the last process is lost, or a process would run several tasks at once.
    """
    run = _Run(pool, ordered(tasks), watcher, note)
    try:
        while run.hand_out():
            run.hear()
    except BaseException:
        run.cancel()
        raise
    return [run.results[task.name] for task in run.order]


class _Run:
    """What the driver knows of a run under way."""

    def __init__(self, pool: Pool, order: list[Task], watcher: Watcher, note: Callable[[Result | Task], None]) -> None:
        self.order = order
        self.results: dict[str, Result] = {}
        self._pool, self._watcher, self._note = pool, watcher, note
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
            if not all(need in self.results for need in task.needs):
                continue
            result = known(task, self.results)
            if result is not None:
                self._settle(result)
                continue
            free = self._free() if free is None else free
            if free > 0:
                free -= 1
                self._submit(task)
        return len(self.results) < len(self.order)

    def hear(self) -> None:
        """Take the next report of progress or end, if one comes soon."""
        try:
            message = self._inbox.get(timeout=SECONDS_BETWEEN_LOOKS)
        except Empty:
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
            raise InputError("cluster", "no worker is left", "Start workers again; the same command goes on")
        return len(threads) - len(self._running)

    def _submit(self, task: Task) -> None:
        number = self._numbers[task.name]
        if task.name not in self._progress:
            self._note(task)
            self._progress[task.name] = self._watcher.begin(task, number, len(self.order))
        future = self._pool.client.submit(
            _run_task, task, self._topic, self._pool.threads, pure=False, priority=-number
        )
        self._running[task.name] = (task, future)
        future.add_done_callback(lambda _: self._inbox.put(task.name))

    def _settle(self, result: Result) -> None:
        self.results[result.task.name] = result
        self._note(result)
        self._watcher.end(result, self._numbers[result.task.name], len(self.order))


def _run_task(task: Task, topic: str, threads: int | None) -> dict[str, Any]:
    """Run a task in a worker process; return the fields of its result but the task, which the driver has."""
    import torch
    from distributed import get_worker
    from threadpoolctl import threadpool_limits

    worker = get_worker()
    if threads is not None:
        threadpool_limits(threads)  # of BLAS
        torch.set_num_threads(threads)

    def report(done: int, total: int, what: str) -> None:
        worker.log_event(topic, (task.name, int(done), int(total), what))

    result = attempt(task, report)
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
        raise InputError("cluster", "the scheduler was lost", "Start it again; the same command goes on") from None
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


def _slurm_class() -> Any:
    try:
        from dask_jobqueue import SLURMCluster
    except ImportError:
        raise InputError(
            "cluster", "slurm needs a package that is not installed", "Run `pip install 'pellucid[slurm]'`"
        ) from None
    return SLURMCluster
