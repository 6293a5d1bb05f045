"""A run that goes on with a larger specification: what it may add, and which results it makes stale."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from pellucid.ground.files import write_text
from pellucid.spec.arms import Arm, Baseline
from pellucid.spec.spec import Spec
from pellucid.study.plan import Plan

A = TypeVar("A", Arm, Baseline)


def beyond_extension(spec: Spec, begun: Spec) -> list[str]:
    """Say which keys differ that an extension may not change, as `Spec.differences` does; none if it is one.

    It may have more trials, new arms and baselines, and another title, explanation or analysis,
    or other plugins. Everything that models
    were fitted with stays, and so does every arm.

    Parameters
    ----------
    spec
        What to go on with.
    begun
        What the run was begun with.
    """
    return _cut_to(begun, spec).differences(begun)


def extend_run(plan: Plan, begun: Spec) -> None:
    """Take out of a run what does not hold for a larger specification, and write that one in.

    People, stores, trials and fits stay. Selections, maps, tables and figures go, for they speak of all trials; and so
    do the trials of an arm that starts from the best trial of one that gets more, for another may now be the best.
    Killed at any moment, the same call goes on.

    Parameters
    ----------
    plan
        What to go on with, and the run, locked. `beyond_extension` must find nothing.
    begun
        What the run was begun with.
    """
    for path in stale_paths(plan, begun):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    write_text(plan.folder.spec, plan.spec.to_toml())


def stale_paths(plan: Plan, begun: Spec) -> list[Path]:
    """Return the files and directories, there or not, that `extend_run` takes out of a run."""
    selections = [plan.folder.selection(name) for name in begun.training]
    trials = [
        plan.folder.trial(name, number)
        for name in begun.training
        if _starts_anew(name, plan.spec, begun)
        for number in range(begun.trial_count(name))
    ]
    return [
        *selections,
        *trials,
        plan.folder.all_maps,
        plan.folder.all_deletions,
        plan.folder.tables,
        plan.folder.figures,
    ]


def _cut_to(begun: Spec, spec: Spec) -> Spec:
    """Return a specification without what an extension may add to the one that a run was begun with."""
    return replace(
        spec,
        study=replace(spec.study, title=begun.study.title, plugins=begun.study.plugins),
        training=_no_more(spec.training, begun.training),
        baselines=_no_more(spec.baselines, begun.baselines),
        explain=begun.explain,
        analysis=begun.analysis,
    )


def _no_more(arms: dict[str, A], begun: dict[str, A]) -> dict[str, A]:
    """Return the arms that a run was begun with, none with more trials than there."""
    return {
        name: replace(arm, trials=min(arm.trials, begun[name].trials)) for name, arm in arms.items() if name in begun
    }


def _starts_anew(name: str, spec: Spec, begun: Spec) -> bool:
    """Tell whether an arm starts, by however many others, from one that gets more trials."""
    start = begun.training[name].start_from
    if start is None:
        return False
    return spec.training[start].trials > begun.training[start].trials or _starts_anew(start, spec, begun)
