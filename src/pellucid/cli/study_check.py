"""`pellucid study check`: what a study would run, before anything runs."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import typer

from pellucid.cli import console
from pellucid.cli.options import worker_count
from pellucid.cli.specs import (
    ExtendOption,
    NetworkOption,
    OutOption,
    PluginOption,
    SpecArgument,
    TrialsOption,
    read,
    trusted,
)
from pellucid.ground.numbers import count

if TYPE_CHECKING:
    from pellucid.rundir.folder import RunFolder
    from pellucid.spec.spec import Spec
    from pellucid.study.members import Members

EXAMPLE = "Example: pellucid study check mystudy.toml"


def check(
    study: SpecArgument,
    *,
    out: OutOption = None,
    trials: TrialsOption = None,
    extend: ExtendOption = False,
    network: NetworkOption = None,
    plugin: PluginOption = None,
) -> None:
    """Check a specification and its data before anything runs; report what would run, how long, and what it needs.

    Exit with 1 if a scan or participant is excluded, or files of the run were changed.
    """
    from pellucid.rundir.folder import RunFolder
    from pellucid.spec.rivals import without_bright_voxels
    from pellucid.study.estimate import estimate
    from pellucid.study.plan import Plan
    from pellucid.study.run import check_study, complete_tasks, study_tasks

    path, spec, folder = read(study, trials, out)
    may_import = trusted(spec, path, network or [], plugin or [])
    _say_plugins(spec, may_import)
    unknown = _say_networks(spec, may_import)
    left_out = 0

    def show(name: str, members: Members) -> None:  # before an error: it may be theirs
        nonlocal left_out
        cohort = spec.cohorts[name]
        where = f"{count(len(members.usable), 'scan')} in {cohort.bids}"
        console.say(f"cohort {name}: {cohort.modality}, {cohort.positive} against {cohort.negative}, {where}")
        left_out += _show_people(members)

    found = check_study(spec, trusted=may_import, watch=show)
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
    plan = Plan(spec, run_folder)
    done = complete_tasks(plan, extend=extend)
    damaged = _say_damage(run_folder)
    console.say(f"{len(study_tasks(plan))} tasks, {len(done)} of them complete; run directory {folder}")
    if unknown:
        console.say(f"time, disk and memory are not estimated, for {', '.join(unknown)} would have to be imported")
    else:
        expected = estimate(spec, scans, complete=done.__contains__, folder=run_folder, workers=worker_count(None))
        console.say(expected.words(folder))
    if left_out:
        console.say(
            f"{path}: {count(left_out, 'scan or participant is', 'scans or participants are')} excluded (named above)"
        )
    if damaged:
        console.warn(f"{count(damaged, 'file')} of {folder} damaged; `pellucid study run` makes them again")
    if left_out or damaged:
        raise typer.Exit(1)
    console.say(f"{path}: no error was found")


def _show_people(members: Members) -> int:
    """Print the exclusions and corrections of a cohort; return the number of exclusions."""
    for subject, message in members.left_out:
        console.say(f"  excluded: {subject}: {message}")
    for subject, message in members.remarks:
        console.say(f"  remark: {subject}: {message}")
    return len(members.left_out)


def _say_damage(folder: RunFolder) -> int:
    """Print the files of a run that were changed; return their number."""
    from pellucid.rundir.outputs import damaged_tasks, read_record

    record = read_record(folder.record) if folder.record.is_file() else {}
    bad = [one for some in damaged_tasks(record, folder.root).values() for one in some]
    for one in bad:
        console.warn(f"changed since the run wrote it: {one.words(folder.root)}")
    return len(bad)


def _say_plugins(spec: Spec, trusted: Collection[str]) -> None:
    """Print which plugins a check imports."""
    for name in spec.plugins:
        if name in trusted:
            console.say(f"plugin {name}: it is imported")
        else:
            console.say(
                f"plugin {name}: not imported, because only a run directory names it; its tables are not counted: add "
                f"--plugin {name} to try it"
            )


def _say_networks(spec: Spec, trusted: Collection[str]) -> list[str]:
    """Print which classes a check imports, and from where, before it does; return those that it does not import."""
    from pellucid.study.networks import own_networks

    for name, source in own_networks(spec).items():
        where = f"network {name}: class of {source.file}, line {source.line}"
        if name in trusted:
            console.say(f"{where}; it is imported, and a network is made")
        else:
            console.say(f"{where}; not imported, because only a run directory names it: add --network {name} to try it")
    return [name for name in own_networks(spec) if name not in trusted]
