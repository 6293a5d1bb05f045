"""A study's baselines: every fit of every classifier that is no network."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial

from pellucid.engine.tasks import Problem, Task, task_name
from pellucid.ground.files import read_json
from pellucid.ground.progress import Progress
from pellucid.ground.seeds import derive_seed
from pellucid.rundir.folder import files_in
from pellucid.rundir.stores import store_of
from pellucid.spec.arms import Baseline
from pellucid.spec.spec import Spec
from pellucid.study.plan import Plan
from pellucid.study.steps.trials import cohort_rows, fold_of
from pellucid.training.baselines.fit import run_baseline

BASELINE_FILES = ("history.tsv", "predictions.tsv", "model.json")


def baseline_tasks(plan: Plan) -> list[Task]:
    """Return a task for each fit of each baseline."""
    return [
        _baseline_task(name, baseline, number, plan)
        for name, baseline in plan.spec.baselines.items()
        for number in range(plan.spec.trial_count(name))
    ]


def fits(name: str, spec: Spec) -> tuple[str, ...]:
    """Return the names of a baseline's tasks."""
    return tuple(task_name("baseline", name, number) for number in range(spec.trial_count(name)))


def is_fitted(name: str, plan: Plan) -> bool:
    """Tell whether every fit of a baseline is there."""
    return all(task.complete for task in baseline_tasks(plan) if task.name in fits(name, plan.spec))


def _baseline_task(name: str, baseline: Baseline, number: int, plan: Plan) -> Task:
    out, fold = plan.folder.baseline(name, number), fold_of(number, plan.spec.splits[baseline.cohort])

    def run(progress: Progress) -> None:
        store, rows = cohort_rows(name, plan, fold=fold)
        settings = dataclasses.replace(baseline.settings, seed=derive_seed(plan.spec.study.seed, "trial", number))
        run_baseline(store, rows, settings, out, progress=progress)

    def problems() -> Sequence[Problem]:
        excluded = read_json(out / "model.json")["excluded"]
        return [Problem(str(one["participant_id"]), f"{name}: {one['reason']}") for one in excluded]

    return Task(
        kind="baseline",
        about=name,
        trial=number,
        outputs=tuple(out / file for file in BASELINE_FILES),
        leaves=partial(files_in, out),
        timed=("model.json",),
        needs=("splits", f"store/{store_of(baseline, plan.spec).name}"),
        run=run,
        # The same subjects are missing in every fit: said once.
        problems=problems if number == 0 else None,
    )
