"""`pellucid study`: a whole experiment from its specification."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pellucid.cli import console, verify
from pellucid.cli.options import Workers, worker_count
from pellucid.ground.numbers import count, duration

if TYPE_CHECKING:
    from pellucid.rundir.folder import RunFolder
    from pellucid.spec.spec import Spec
    from pellucid.study.members import Members

app = typer.Typer(help="Run, check or look at a whole experiment.", no_args_is_help=True)
app.command(epilog=verify.EXAMPLE)(verify.verify)

SpecArgument = Annotated[
    str,
    typer.Argument(
        metavar="STUDY.toml", help="A specification, the name of a shipped one, or a run directory, which has its own."
    ),
]
OutOption = Annotated[
    Path | None, typer.Option(help="The run directory. If not given: the one that STUDY.toml names, or runs/NAME.")
]
TrialsOption = Annotated[
    int | None,
    typer.Option(min=1, help="At most this many trials of each arm and baseline: a part of the study, and said so."),
]
ClusterOption = Annotated[
    str | None,
    typer.Option(
        metavar="WHERE",
        help="Run tasks at once on Dask: `local` (--workers processes share the cores), `slurm`, or a scheduler's "
        "address, tcp://host:port. In this process if not given.",
    ),
]
ExtendOption = Annotated[
    bool,
    typer.Option(
        "--extend",
        help="Add to the run in --out: more trials, arms or baselines than it was begun with, or other explanations "
        "and analyses. What was fitted stays; maps and tables are made again.",
    ),
]
NetworkOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="MODULE:NAME",
        help="A network of your own that may be imported, though STUDY.toml is a run directory's: that is code, so "
        "nothing is imported on the word of a directory. For each one option.",
    ),
]


@app.command("run", epilog="Example: pellucid study run mystudy.toml --out runs/mystudy")
def run_command(
    study: SpecArgument,
    *,
    out: OutOption = None,
    trials: TrialsOption = None,
    workers: Workers = None,
    cluster: ClusterOption = None,
    extend: ExtendOption = False,
    network: NetworkOption = None,
) -> None:
    """Run a study; what is complete already is not run again, and a stopped run goes on."""
    run(study, out=out, trials=trials, workers=workers, cluster=cluster, extend=extend, networks=network or [])


@app.command("check", epilog="Example: pellucid study check mystudy.toml")
def check(
    study: SpecArgument,
    *,
    out: OutOption = None,
    trials: TrialsOption = None,
    extend: ExtendOption = False,
    network: NetworkOption = None,
) -> None:
    """Check a specification and its data before anything runs; say what would run, how long, and what it needs.

    Exits with 1 if somebody is left out, or files of the run are not as it left them.
    """
    from pellucid.rundir.folder import RunFolder
    from pellucid.spec.rivals import without_bright_voxels
    from pellucid.study.estimate import estimate
    from pellucid.study.run import check_study, complete_tasks, study_tasks

    path, spec, folder = _read(study, trials, out)
    trusted = _trusted(spec, path, network or [])
    unknown = _say_networks(spec, trusted)
    left_out = 0

    def show(name: str, members: Members) -> None:  # before an error: it may be theirs
        nonlocal left_out
        cohort = spec.cohorts[name]
        where = f"{count(len(members.usable), 'scan')} in {cohort.bids}"
        console.say(f"cohort {name}: {cohort.modality}, {cohort.positive} against {cohort.negative}, {where}")
        left_out += _show_people(members)

    found = check_study(spec, trusted=trusted, watch=show)
    scans = {name: len(members.usable) for name, members in found.items()}
    for name, cohort in spec.cohorts.items():
        if name not in scans:
            console.say(f"cohort {name}: {cohort.modality}, {cohort.positive} against {cohort.negative}, simulated")
    for name, arm in spec.training.items():
        start = f"from {arm.start_from}" if arm.start_from else "from random weights"
        folds = spec.split_of(name).numbers
        trials_of = count(arm.trials, "trial") + (f" in each of {folds} folds" if folds > 1 else "")
        console.say(f"arm {name}: {trials_of} on {arm.cohort}, {start}{'' if arm.fit else ', not trained'}")
    for name, baseline in spec.baselines.items():
        console.say(f"baseline {name}: {baseline.settings.kind} on {baseline.cohort}")
    for remark in without_bright_voxels(spec):
        console.say(remark)
    run_folder = RunFolder(folder.resolve())
    done = complete_tasks(spec, run_folder, extend=extend)
    damaged = _say_damage(run_folder)
    console.say(f"{len(study_tasks(spec, run_folder))} tasks, {len(done)} of them complete; run directory {folder}")
    if unknown:
        console.say(f"time, disk and memory are not estimated, for {', '.join(unknown)} would have to be imported")
    else:
        console.say("measuring this machine ...")
        expected = estimate(spec, scans, complete=done.__contains__, folder=run_folder, workers=worker_count(None))
        console.say(expected.words(folder))
    if left_out:
        console.say(f"{path}: {count(left_out, 'scan or person', 'scans or people')} left out (named above)")
    if damaged:
        console.warn(f"{count(damaged, 'file')} of {folder} damaged; `pellucid study run` makes them again")
    if left_out or damaged:
        raise typer.Exit(1)
    console.say(f"{path}: nothing wrong was found")


def _show_people(members: Members) -> int:
    """Print who is left out of a cohort and what was mended; return how many are left out."""
    for subject, message in members.left_out:
        console.say(f"  left out: {subject}: {message}")
    for subject, message in members.remarks:
        console.say(f"  remark: {subject}: {message}")
    return len(members.left_out)


@app.command("status", epilog="Example: pellucid study status runs/mystudy")
def status(study: SpecArgument, *, out: OutOption = None, trials: TrialsOption = None) -> None:
    """Show which tasks of a run are complete, and what failed."""
    from pellucid.ground.errors import InputError
    from pellucid.rundir.folder import RunFolder
    from pellucid.rundir.outputs import damaged_tasks, read_record
    from pellucid.study.run import claimed, study_tasks

    _, spec, root = _read(study, trials, out)
    folder = RunFolder(root)
    if not claimed(spec, folder):
        raise InputError(
            folder.root,
            "there is no run of this study",
            "Start it with `pellucid study run`, or give the run directory, such as ./demo",
        )
    record = read_record(folder.record) if folder.record.is_file() else {}
    known, damaged = record.get("tasks", {}), damaged_tasks(record, folder.root)
    tasks = study_tasks(spec, folder)
    for task in tasks:
        entry = known.get(task.name, {})
        state = "complete" if task.complete else entry.get("state", "waiting")
        state = "damaged" if task.name in damaged else state
        # What runs now and what was killed look alike here: neither has said that it ended.
        state = "begun" if state == "running" else "waiting" if state == "done" else state
        note = entry.get("error", "") if state in ("failed", "blocked") else ""
        tried = f"(tried {entry['attempts']} times)" if "attempts" in entry else ""
        seconds = duration(entry["seconds"]) if state == "complete" and "seconds" in entry else ""
        console.say(" ".join(part for part in (f"{state:9}", task.name, note or seconds, tried) if part))
        for kind, said in (("problems", "left out"), ("remarks", "remark")):
            for problem in entry.get(kind, []):
                console.say(f"          {said}: {problem['subject']}: {problem['message']}")
        for bad in damaged.get(task.name, []):
            console.say(f"          {bad.words(folder.root)}")
    complete = sum(task.complete and task.name not in damaged for task in tasks)
    console.say(f"{complete} of {len(tasks)} tasks are complete")


def run(
    study: str,
    *,
    out: Path | None,
    workers: int | None,
    trials: int | None = None,
    cluster: str | None = None,
    extend: bool = False,
    networks: Sequence[str] = (),
) -> None:
    """Run a study and its report; exit 1 if a task failed or a subject was left out."""
    from pellucid.cli.report import write_report
    from pellucid.ground.errors import InputError
    from pellucid.study.networks import own_networks
    from pellucid.study.run import run_study

    if workers is not None and cluster not in (None, "local"):
        raise InputError("--workers", f"has no meaning with --cluster {cluster}", "Leave it out")
    path, spec, folder = _read(study, trials, out)
    trusted = _trusted(spec, path, networks)
    if unknown := [name for name in own_networks(spec) if name not in trusted]:
        named = " ".join(f"--network {name}" for name in unknown)
        raise InputError(
            path,
            f"it is a run directory's and names code to import: {', '.join(unknown)}",
            f"If you trust that code, add {named}; or give your own specification: "
            f"`pellucid study run STUDY.toml --out {folder}`",
        )
    command = ["pellucid", *sys.argv[1:]]
    try:
        with console.Bars() as bars:
            results = run_study(
                spec,
                folder,
                watcher=bars,
                workers=worker_count(workers),
                command=command,
                cluster=cluster,
                settings=spec.cluster,
                extend=extend,
            )
    except KeyboardInterrupt as stop:
        console.warn("stopped; the same command goes on from here")
        raise typer.Exit(console.code_of(stop)) from None
    open_tasks = [result for result in results if result.state != "done"]
    left_out = [problem for result in results for problem in result.problems if problem.left_out]
    for problem in left_out:
        console.warn(f"left out: {problem.subject}: {problem.message}")
    for result in open_tasks:
        if result.state == "failed":
            console.warn(f"failed: {result.task.name}: {result.trouble}")
    page, whole = write_report(folder)  # of a run with failures too: the page names them
    console.say(f"run directory: {folder}")
    console.say(f"report: {page}")
    if open_tasks:
        console.warn(f"{len(open_tasks)} of {len(results)} tasks are not done; the same command goes on with them")
    elif spec.explain:
        own = spec.training[spec.explain.arms[0]].own_network
        words = f"{folder / 'models' / spec.explain.arms[0]} IMAGE{f' --network {own}' if own else ''}"
        console.say(f"explain a scan of your own: pellucid explain {words}")
    if open_tasks or left_out or not whole:
        raise typer.Exit(1)


def _read(study: str, trials: int | None, out: Path | None) -> tuple[Path, Spec, Path]:
    """Return the specification's file, the specification, and the run directory."""
    from pellucid.spec.reading import check_unchanged, find_spec, of_a_run, read_spec

    path = find_spec(study)
    if of_a_run(path):
        check_unchanged(path)
    spec = read_spec(path)
    folder = out or (path.parent if of_a_run(path) else Path("runs") / spec.study.name)
    return path, spec if trials is None else spec.at_most(trials), folder


def _say_damage(folder: RunFolder) -> int:
    """Say what of a run is not as its tasks left it; return how many files."""
    from pellucid.rundir.outputs import damaged_tasks, read_record

    record = read_record(folder.record) if folder.record.is_file() else {}
    bad = [one for some in damaged_tasks(record, folder.root).values() for one in some]
    for one in bad:
        console.warn(f"not as the run left it: {one.words(folder.root)}")
    return len(bad)


def _trusted(spec: Spec, path: Path, named: Sequence[str]) -> set[str]:
    """Return the networks that may be imported: those named by the user, and all of a specification of the user's."""
    from pellucid.ground.errors import InputError
    from pellucid.spec.reading import of_a_run

    own = {arm.own_network for arm in spec.training.values() if arm.own_network is not None}
    if strange := [name for name in named if name not in own]:
        there = ", ".join(sorted(own)) or "none"
        raise InputError("--network", f"{strange[0]} is no network of this study (those are: {there})", "Leave it out")
    return own & set(named) if of_a_run(path) else own


def _say_networks(spec: Spec, trusted: Collection[str]) -> list[str]:
    """Say which classes a check imports, and from where, before it does; return those that it does not."""
    from pellucid.study.networks import own_networks

    for name, source in own_networks(spec).items():
        where = f"network {name}: class of {source.file}, line {source.line}"
        if name in trusted:
            console.say(f"{where}; its module is imported and the class made")
        else:
            console.say(f"{where}; not imported, for only a run directory names it: add --network {name} to try it")
    return [name for name in own_networks(spec) if name not in trusted]
