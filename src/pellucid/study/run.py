"""A study run in its directory, from wherever it stopped."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits

from pellucid.atlas.find import find_atlas
from pellucid.attribution.methods import method_from_text
from pellucid.attribution.naming import imported_by
from pellucid.engine.cluster import ClusterSettings, check_cluster, open_pool, threads_of
from pellucid.engine.dispatch import execute_on
from pellucid.engine.tasks import Result, Task, Watcher, execute, ordered, outdated
from pellucid.ground.errors import InputError
from pellucid.ground.files import is_leftover, remove_leftovers, write_text
from pellucid.ground.lock import NAME as LOCK
from pellucid.ground.lock import locked
from pellucid.ground.plugins import load_plugins
from pellucid.ground.progress import Progress
from pellucid.ground.staying import staying
from pellucid.rundir.folder import RunFolder
from pellucid.rundir.outputs import changed_spec, damaged_tasks, read_record
from pellucid.rundir.record import Record
from pellucid.spec.reading import read_spec
from pellucid.spec.rivals import without_bright_voxels
from pellucid.spec.spec import Spec
from pellucid.study.extend import beyond_extension, extend_run, stale_paths
from pellucid.study.members import Members
from pellucid.study.networks import check_networks, own_code
from pellucid.study.plan import Plan
from pellucid.study.steps.all_tables import table_tasks
from pellucid.study.steps.baselines import baseline_tasks
from pellucid.study.steps.cohorts import check_cohorts, cohort_tasks
from pellucid.study.steps.deleting import deletion_tasks
from pellucid.study.steps.explaining import explain_tasks
from pellucid.study.steps.nulls import null_tasks
from pellucid.study.steps.trials import trial_tasks


def study_tasks(plan: Plan, *, workers: int = 1) -> list[Task]:
    """Return every task of a study in the order in which they run."""
    tasks = ordered(
        [
            *cohort_tasks(plan, workers=workers),
            *trial_tasks(plan),
            *baseline_tasks(plan),
            *null_tasks(plan),
            *explain_tasks(plan),
            *deletion_tasks(plan),
            *table_tasks(plan),
        ]
    )
    names = plan.spec.study.plugins
    return [replace(task, run=partial(_with_plugins, names, task.run)) for task in tasks] if names else tasks


def _with_plugins(names: Sequence[str], run: Callable[[Progress], None], progress: Progress) -> None:
    """Run a task where its study's plugins are loaded, also in a process that has not loaded them yet."""
    load_plugins(names, where="study.plugins")
    run(progress)


def check_study(
    spec: Spec,
    *,
    trusted: Collection[str] | None = None,
    watch: Callable[[str, Members], None] | None = None,
) -> dict[str, Members]:
    """Check all that can be known before anything runs; return the scans of each cohort that is there.

    Parameters
    ----------
    spec
        The study.
    trusted
        Which of the networks that are not Pellucid's, and of the plugins, may be imported; all if None. A name is as
        good as its author.
    watch
        As `check_cohorts` has it.

    Raises
    ------
    InputError
        If a dataset, the atlas, the method, or a plugin or network of the user's own cannot be used.
    LeakageError
        If two datasets share participants.
    """
    load_plugins([name for name in spec.study.plugins if trusted is None or name in trusted], where="study.plugins")
    for method in spec.explain.methods if spec.explain else ():
        if trusted is not None and not set(imported_by(method)) <= set(trusted):
            continue
        try:
            method_from_text(method)
        except InputError as error:
            what = error.what if error.where == "method" else f"{method!r}: {error.where} {error.what}"
            raise InputError("explain.methods", what, error.fix) from error
    for atlas in spec.analysis.atlases if spec.explain else ():
        find_atlas(atlas, merge=spec.analysis.merge)
    check_networks(spec, trusted=trusted)
    return check_cohorts(spec, watch=watch)


def run_study(
    spec: Spec,
    out: Path,
    *,
    watcher: Watcher,
    command: Sequence[str],
    workers: int = 1,
    cluster: str | None = None,
    settings: ClusterSettings | None = None,
    extend: bool = False,
) -> list[Result]:
    """Run what is not complete of a study in the directory `out`; return what became of each task.

    A run that was killed at any moment goes on where it stopped and ends with the same numbers.

    Parameters
    ----------
    spec
        What to run.
    out
        The run directory: new, empty, or an earlier run of the same study.
    watcher
        Told of each task's start and end.
    command
        What the user typed, for the record.
    workers
        Processes that simulate and prepare scans, while training uses PyTorch's threads; with a local cluster the
        processes that run tasks, which share the cores.
    cluster
        Where tasks run: in this process if not given, or as in `cluster.open_pool`.
    settings
        What to ask Slurm for.
    extend
        Go on with a run of a smaller specification: of fewer trials, arms or baselines, or of another explanation or
        analysis. What was fitted stays; what speaks of all trials is made again (`extension`).

    Raises
    ------
    InputError
        If the directory holds something else or a run of another specification (with `extend`, of one that this does
        not merely add to), another process runs there, or the cluster cannot be used.
    """
    check_study(spec)
    if cluster is not None:
        check_cluster(cluster, settings)
    folder = RunFolder(out.resolve())
    plan = Plan(spec, folder)
    claimed(plan, extend=extend)  # before anything is written there
    folder.root.mkdir(parents=True, exist_ok=True)
    # Dask's workers may have no processes of their own.
    tasks = study_tasks(plan, workers=workers if cluster is None else 1)
    with locked(folder.root), staying(folder.root):
        added: list[str] = []
        if not claimed(plan, extend=extend):  # again, now that nobody else can be at it
            write_text(folder.spec, spec.to_toml())
        elif added := spec.differences(begun := read_spec(folder.spec)):
            extend_run(plan, begun)
        elif folder.record.is_file() and changed_spec(read_record(folder.record), folder.root):
            logging.getLogger("pellucid").warning("not as the run left it, and written again: study.toml")
            write_text(folder.spec, spec.to_toml())
        remove_leftovers(folder.root.rglob(".*"))
        record = Record(folder.record, study=spec.study.name, seed=spec.study.seed)
        threads = _fixed_threads(record, cluster, workers, settings)
        record.begin(
            list(command),
            code=_own_code(spec, record),
            tasks=[task.name for task in tasks],
            extended=added,
            remarks=without_bright_voxels(spec),
            damaged=_discard_damaged(tasks, record, folder, extended=bool(added)),
        )
        check = partial(record.check, {task.name: task for task in tasks})
        try:
            if cluster is None or all(task.complete for task in tasks):
                with _computing_on(threads):
                    results = execute(tasks, watcher=watcher, note=record.note, check=check)
            else:
                with open_pool(cluster, workers=workers, threads=threads, settings=settings, keys=folder.root) as pool:
                    results = execute_on(pool, tasks, watcher=watcher, note=record.note, check=check)
                remove_leftovers(folder.root.rglob(".*"))  # after workers that died
        except BaseException:
            remove_leftovers(folder.root.rglob(".*"))  # of workers that were ended at their work
            record.end("interrupted")
            raise
        record.end("done" if all(result.state == "done" for result in results) else "incomplete")
    return results


def _own_code(spec: Spec, record: Record) -> dict[str, str | None]:
    """Return the digests of the user's own code; warn of each file that has changed since the last start."""
    code = own_code(spec)
    for name in [name for name, digest in code.items() if record.code.get(name, digest) != digest]:
        logging.getLogger("pellucid").warning(
            "the file of %s has changed since the last start of this run. Results of the earlier version are kept. If "
            "the change matters, run the study again from the beginning",
            name,
        )
    return code


def _fixed_threads(record: Record, cluster: str | None, workers: int, settings: ClusterSettings | None) -> int | None:
    """Return how many threads each process computes on: as many as when the run began, or else as many as it would.

    Sums over other numbers of threads differ in their last bits, and training lets that grow.
    """
    own = threads_of(cluster, workers=workers, settings=settings) if cluster else torch.get_num_threads()
    if record.threads is None:
        record.fix_threads(own)
    elif own is not None and own != record.threads:
        logging.getLogger("pellucid").warning(
            "%d thread(s) a process, as when the run began, and not %d: the last bits of its numbers depend on that",
            record.threads,
            own,
        )
    return record.threads


@contextmanager
def _computing_on(threads: int | None) -> Iterator[None]:
    """Compute on so many threads within the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        with threadpool_limits(threads):
            yield
    finally:
        torch.set_num_threads(before)


def _discard_damaged(tasks: Sequence[Task], record: Record, folder: RunFolder, *, extended: bool) -> list[str]:
    """Delete what is not as its task left it, so that it is made again; say what that is, and what cannot be known."""
    log, said = logging.getLogger("pellucid"), []
    by_name = {task.name: task for task in tasks}
    for name, bad in record.damaged(tasks).items():
        if not extended or by_name[name].complete:  # an extension takes out what speaks of all trials
            more = f", and {len(bad) - 3} more" if len(bad) > 3 else ""
            said.append(f"{name}: {', '.join(one.words(folder.root) for one in bad[:3])}{more}")
        by_name[name].discard([one.path for one in bad])
    for words in said:
        log.warning("not as the run left it, and made again: %s", words)
    if unknown := record.unknown(tasks):
        log.warning(
            "the record does not say what these wrote, so it is used unchanged: %s%s",
            ", ".join(unknown[:3]),
            f" and {len(unknown) - 3} more" if len(unknown) > 3 else "",
        )
    return said


def claimed(plan: Plan, *, extend: bool = False) -> bool:
    """Tell whether a directory holds a run of this study, or of one that it may extend; False if it is new or empty.

    Raises
    ------
    InputError
        If it holds something else, or a run of another specification; says which keys differ.
    """
    if plan.folder.spec.is_file():
        begun = read_spec(plan.folder.spec)
        beyond = beyond_extension(plan.spec, begun)
        differing = beyond if extend else plan.spec.differences(begun)
        if differing:
            raise InputError(
                plan.folder.root,
                f"it contains a run of another specification ({'; '.join(differing)})",
                "Use another --out, or put the old values back"
                + ("" if beyond else ", or add to this run: `pellucid study run ... --extend`"),
            )
        return True
    if plan.folder.record.is_file():
        if read_record(plan.folder.record).get("spec_sha256") == sha256(plan.spec.to_toml().encode()).hexdigest():
            return False  # its study.toml is lost, and this is what stood there
        raise InputError(plan.folder.spec, "is missing, and the run had another specification", "Restore it")
    there = list(plan.folder.root.iterdir()) if plan.folder.root.is_dir() else []
    strangers = sorted(path.name for path in there if path.name != LOCK and not is_leftover(path))
    if strangers:
        raise InputError(
            plan.folder.root,
            f"it is not a run directory and not empty ({', '.join(strangers[:3])})",
            "Use another --out",
        )
    return False


def complete_tasks(plan: Plan, *, extend: bool = False) -> set[str]:
    """Return the names of the tasks of a study that a directory holds and `run_study` would not run again.

    Raises
    ------
    InputError
        As for `claimed`.
    """
    if not claimed(plan, extend=extend):
        return set()
    begun = read_spec(plan.folder.spec)
    stale = stale_paths(plan, begun) if plan.spec.differences(begun) else []
    tasks = study_tasks(plan)
    again = {task.name for task in outdated(tasks)}
    damaged = damaged_tasks(read_record(plan.folder.record), plan.folder.root) if plan.folder.record.is_file() else {}
    return {
        task.name
        for task in tasks
        if task.complete
        and task.name not in again
        and task.name not in damaged
        and not any(output.is_relative_to(path) for output in task.outputs for path in stale)
    }
