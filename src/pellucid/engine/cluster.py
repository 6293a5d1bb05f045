"""Worker processes of Dask for a study's tasks: some of this machine, a scheduler that is there, or jobs of Slurm."""

from __future__ import annotations

import logging
import math
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

from pellucid.ground.checked import checked
from pellucid.ground.errors import InputError, PellucidError
from pellucid.ground.limits import LINE, Text, Whole
from pellucid.ground.machine import cores
from pellucid.ground.processes import keep_folder_out

SECONDS_TO_ANSWER = 10.0
SECONDS_WITHOUT_WORKERS = 120.0  # Dask waits 15 s for a process to come back before it lets it be replaced


ScriptLine = Annotated[str, Text(LINE, "one line of plain text: it becomes a line of a script")]
"""A line break would begin a line of the job's script."""


@checked
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
        The account that is billed.
    directives
        Further `#SBATCH` lines, without that word: `--gres=gpu:1`.
    """

    queue: ScriptLine
    memory: ScriptLine
    walltime: ScriptLine
    cores: Annotated[int, Whole(1, 10_000)]
    workers: Annotated[int, Whole(1, 10_000)]
    account: ScriptLine | None = None
    directives: tuple[ScriptLine, ...] = ()


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
            raise InputError(
                "cluster",
                "slurm has no settings",
                "Give a specification with a section [cluster] with queue, memory, walltime, cores and workers; a "
                "run directory has none",
            )
    elif cluster != "local" and not cluster.startswith(("tcp://", "tls://")):
        raise InputError("cluster", f"is {cluster!r}", "Give local, slurm or a scheduler's address, tcp://host:port")


@contextmanager
def open_pool(
    cluster: str,
    *,
    workers: int = 1,
    threads: int | None = None,
    settings: ClusterSettings | None = None,
    keys: Path | None = None,
) -> Iterator[Pool]:
    """Connect to worker processes; those that were started here end with the block.

    A scheduler runs whatever anybody sends who reaches it, and every user of a machine reaches its sockets. One that is
    started here therefore speaks TLS, and only with those who hold the key that it made up for this block.

    Parameters
    ----------
    cluster
        `local`, `slurm`, or the address of a scheduler, `tcp://host:port`.
    workers
        Processes of a local cluster.
    threads
        PyTorch's threads in each process; if not given, those of `threads_of`.
    settings
        What to ask Slurm for.
    keys
        A folder that the machines of a Slurm cluster share, for the key of this block; nobody else can read it there.

    Raises
    ------
    InputError
        As `check_cluster`, and for a scheduler that does not answer or has no workers.
    PellucidError
        If a worker process ends while the cluster starts.
    """
    import dask.config
    from distributed import Client, Security

    check_cluster(cluster, settings)
    keep_folder_out()
    own = {
        "distributed.scheduler.allowed-failures": 0,  # deaths are counted here, with exceptions
        "distributed.worker.profile.enabled": False,  # would look at the task a hundred times a second
        # Pages on what runs, for whoever asks.
        **{f"distributed.{who}.http.routes": [] for who in ("scheduler", "worker", "nanny")},
    }
    security: Any = None
    patience, refill = SECONDS_WITHOUT_WORKERS, None
    with ExitStack() as stack:
        stack.enter_context(_quiet())
        if cluster == "local":
            stack.enter_context(dask.config.set(own))
            security = Security.temporary()  # type: ignore[no-untyped-call]
            where = stack.enter_context(_local_cluster(workers, security))
            threads = threads or threads_of(cluster, workers=workers, settings=None)
            refill = partial(where.scale, workers)
        elif cluster == "slurm":
            assert settings is not None
            stack.enter_context(dask.config.set(own))
            security = Security.temporary()  # type: ignore[no-untyped-call]
            folder = stack.enter_context(TemporaryDirectory(prefix=".keys-", dir=keys))
            where = stack.enter_context(slurm_cluster(settings, security=security, keys=Path(folder)))
            threads, patience = threads or settings.cores, math.inf
            refill = partial(where.scale, jobs=settings.workers)
            refill()
        else:
            where = cluster
        try:
            client: Any = Client(where, timeout=SECONDS_TO_ANSWER, security=security)  # type: ignore[no-untyped-call]
        except (OSError, ValueError) as error:
            raise InputError(cluster, f"no scheduler answers ({error})", "Start `dask scheduler` there") from None
        except TypeError:
            fix = "Name them in Dask's configuration: distributed.comm.tls"
            raise InputError(cluster, "it speaks TLS, and there are no certificates for it", fix) from None
        stack.enter_context(client)
        if where == cluster and not client.nthreads():
            raise InputError(cluster, "the scheduler has no workers", "Start `dask worker --nthreads 1`")
        yield Pool(client, threads, patience, refill)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what Dask says of connections that close off the terminal, until the last of them has closed."""
    logger = logging.getLogger("distributed")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _local_cluster(workers: int, security: Any) -> Any:
    from distributed import LocalCluster

    try:
        return LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            memory_limit=None,
            dashboard_address=None,
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # it listens all the same; 8787 may be taken
            silence_logs=logging.CRITICAL,  # of deaths and retries the results tell
            preload=[__name__],
            security=security,
            protocol="tls://",
        )
    except (RuntimeError, TimeoutError, OSError) as error:
        raise PellucidError(
            f"The worker processes of the local cluster did not start ({error}); perhaps one was stopped from "
            "outside, or memory is too small. The same command resumes the run; with fewer --workers it needs less "
            "memory."
        ) from error


def threads_of(cluster: str, *, workers: int, settings: ClusterSettings | None) -> int | None:
    """Return how many threads each process of a cluster would use; None if that is up to who started them."""
    if cluster == "local":
        return max(1, cores() // workers)
    return settings.cores if cluster == "slurm" and settings is not None else None


def slurm_cluster(settings: ClusterSettings, *, security: Any, keys: Path) -> Any:
    """Return a cluster whose workers will be jobs of Slurm, none of them submitted yet; their keys lie in `keys`."""
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
        job_script_prologue=["export PYTHONSAFEPATH=1"],  # no modules of the folder where the command was typed
        security=security,
        protocol="tls://",
        shared_temp_directory=str(keys),
    )


def dask_setup(_: Any) -> None:
    """Leave Ctrl-C and words to the driver. Dask calls this when a worker process of a local cluster starts."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # Dask's own silence ends before its connections do


def _slurm_class() -> Any:
    try:
        from dask_jobqueue import SLURMCluster
    except ImportError:
        raise InputError(
            "cluster", "slurm needs a package that is not installed", "Run `pip install 'pellucid[slurm]'`"
        ) from None
    return SLURMCluster
