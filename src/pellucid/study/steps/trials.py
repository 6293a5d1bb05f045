"""A study's models: every trial of every arm, and the one of each arm that is taken further."""

from __future__ import annotations

import dataclasses
from itertools import zip_longest
from typing import Any

import numpy as np
import pandas as pd

from pellucid.analysis.calibration import calibrate
from pellucid.analysis.classification import one_a_person
from pellucid.cohort.splits import draw_some, rows_of
from pellucid.cohort.store import Store, open_store
from pellucid.engine.tasks import Task
from pellucid.ground.arrays import Float64Array, IndexArray
from pellucid.ground.files import read_json, read_tsv, write_json
from pellucid.ground.progress import Progress
from pellucid.ground.seeds import derive_seed
from pellucid.image.scaling import UNSCALED
from pellucid.network.files import load_model
from pellucid.rundir.folder import RunFolder
from pellucid.rundir.stores import store_of
from pellucid.spec.arms import Arm
from pellucid.spec.sections import Split
from pellucid.study.plan import Plan
from pellucid.training.trial import read_trial, run_trial, selected_trial

TRIAL_FILES = ("history.tsv", "predictions.tsv", "model.safetensors", "model.json")


def trial_tasks(plan: Plan) -> list[Task]:
    """Return a task for each trial of each arm, and one an arm that selects the trial of lowest validation loss.

    The first trial of every arm comes before the second of any, so that a run that is stopped can compare arms.
    """
    trials = {
        name: [_trial_task(name, arm, number, plan) for number in range(plan.spec.trial_count(name))]
        for name, arm in plan.spec.training.items()
    }
    by_number = [task for some in zip_longest(*trials.values()) for task in some if task is not None]
    selections = [_select_task(name, plan, needs=tuple(task.name for task in some)) for name, some in trials.items()]
    return [*by_number, *selections]


def cohort_rows(name: str, plan: Plan, *, fold: int = 0) -> tuple[Store, dict[str, IndexArray]]:
    """Return the store that an arm or a baseline reads, its images of the kind that it wants, and its rows by role.

    The roles are those of a fold. Roles without anybody are left out, and so are scans without a lesion mask where one
    is needed.
    """
    user = plan.spec.arm(name)
    store, images = open_store(plan.folder.store(store_of(user, plan.spec).name)), user.images
    if images in ("lesion-mask", "brain-mask"):
        masks: Any = store.masks if images == "lesion-mask" else store.brain  # read as 0 and 1
        store = dataclasses.replace(store, images=masks, modality=images, scaling=UNSCALED)
    splits = read_tsv(plan.folder.splits)
    rows = rows_of(store.table, splits[(splits["cohort"] == user.cohort) & (splits["fold"] == fold)])
    if images == "lesion-mask":
        drawn = store.table["has_lesion_mask"].to_numpy(dtype=bool)
        rows = {role: index[drawn[index]] for role, index in rows.items()}
    return store, {role: index for role, index in rows.items() if len(index)}


def trial_rows(name: str, number: int, plan: Plan) -> tuple[Store, dict[str, IndexArray]]:
    """Return what `cohort_rows` gives for a trial of an arm, with no more training participants than it may have."""
    arm = plan.spec.training[name]
    store, rows = cohort_rows(name, plan, fold=fold_of(number, plan.spec.splits[arm.cohort]))
    if arm.subjects is not None:
        people = store.table[["participant_id", "group"]].iloc[rows["train"]]
        seed = derive_seed(plan.spec.study.seed, "subjects", number)
        chosen = draw_some(people, arm.subjects, seed=seed)
        rows["train"] = rows["train"][people["participant_id"].isin(chosen).to_numpy()]
    return store, rows


def is_selected(arm: str, folder: RunFolder) -> bool:
    """Tell whether all trials of an arm are there, and one of them is selected."""
    return folder.selection(arm).is_file()


def read_selected(arm: str, folder: RunFolder, *, fold: int | None = None) -> str:
    """Return the name of an arm's selected trial, such as `trial-00`: of all, or of one fold."""
    selected = read_json(folder.selection(arm), {"trial": str, "folds?": dict})
    return str(selected["trial"] if fold is None else selected["folds"][str(fold)])


def fold_of(trial: int, how: Split) -> int:
    """Return the number of the fold that a trial is trained on: folds take turns.

    >>> [fold_of(trial, Split(scheme="cross-validation", folds=2)) for trial in range(4)]
    [0, 1, 0, 1]
    """
    return trial % how.numbers


def holdout_predictions(name: str, plan: Plan) -> pd.DataFrame:
    """Return what the trials of an arm or a baseline say of those who were held out, one row a scan and `trial`.

    In a cross-validation the folds of a repeat make one trial together: in it everyone is predicted once, by the model
    that was trained without them, whose `fold` is a column. Trial t of these is made of the arm's trials t * folds to
    t * folds + folds - 1.
    """
    how = plan.spec.split_of(name)
    together = how.folds if how.scheme == "cross-validation" else 1
    place = plan.folder.trial if name in plan.spec.training else plan.folder.baseline
    tables = [
        read_tsv(place(name, number) / "predictions.tsv").assign(trial=number // together, fold=number % together)
        for number in range(plan.spec.trial_count(name))
    ]
    predictions = pd.concat(tables, ignore_index=True)
    return predictions[predictions["role"] == "holdout"]


def calibrated_probabilities(name: str, plan: Plan) -> Float64Array:
    """Return the calibrated probability of each person of an arm's `holdout_predictions`, as `one_a_person` has them.

    Each trial's logits are calibrated by its own validation subjects, whom its weights were not fitted to; a person
    counts once, with the mean logit of its scans.
    """
    found = []
    for number in range(plan.spec.trial_count(name)):
        table = read_tsv(plan.folder.trial(name, number) / "predictions.tsv")
        table = table.assign(trial=number)
        validation, holdout = (one_a_person(table[table["role"] == role]) for role in ("validation", "holdout"))
        platt = calibrate(validation["label"].to_numpy(), validation["logit"].to_numpy())
        found.append(platt.probability(holdout["logit"].to_numpy()))
    return np.concatenate(found)


def _trial_task(name: str, arm: Arm, number: int, plan: Plan) -> Task:
    out, fold = plan.folder.trial(name, number), fold_of(number, plan.spec.splits[arm.cohort])

    def run(progress: Progress) -> None:
        store, rows = trial_rows(name, number, plan)
        initial = None
        if arm.start_from:
            # The best start of all would have seen, in another fold, who is held out in this one.
            same = fold if plan.spec.training[arm.start_from].cohort == arm.cohort else None
            initial = load_model(
                plan.folder.arm(arm.start_from) / read_selected(arm.start_from, plan.folder, fold=same),
                network=arm.own_network,
            )
        seed = derive_seed(plan.spec.study.seed, "trial", number)
        settings = dataclasses.replace(arm.settings, seed=seed)
        run_trial(
            store,
            rows,
            settings,
            out,
            initial=initial,
            architecture=arm.network,
            channels=arm.channels,
            options=arm.options,
            images=arm.images,
            untrained=not arm.fit,
            progress=progress,
        )

    return Task(
        kind="train",
        about=name,
        trial=number,
        outputs=tuple(out / file for file in TRIAL_FILES),
        needs=(
            "splits",
            f"store/{store_of(arm, plan.spec).name}",
            *([f"select/{arm.start_from}"] if arm.start_from else []),
        ),
        run=run,
        timed=("history.tsv", "model.json"),
    )


def _select_task(name: str, plan: Plan, *, needs: tuple[str, ...]) -> Task:
    how = plan.spec.split_of(name)

    def run(_: Progress) -> None:
        results = [read_trial(plan.folder.trial(name, number)) for number in range(plan.spec.trial_count(name))]
        folds = {
            fold: selected_trial([result for n, result in enumerate(results) if fold_of(n, how) == fold]).folder.name
            for fold in range(how.numbers)
        }
        write_json(
            plan.folder.selection(name),
            {
                "trial": selected_trial(results).folder.name,
                "folds": {str(fold): trial for fold, trial in folds.items()},
                "criterion": "lowest validation loss",
                "validation_loss": {result.folder.name: result.validation_loss for result in results},
            },
        )

    return Task(kind="select", about=name, outputs=(plan.folder.selection(name),), needs=needs, run=run)
