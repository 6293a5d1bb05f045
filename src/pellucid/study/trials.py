"""A study's models: every trial of every arm, and the one of each arm that is taken further."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.analysis.averages import mean_map
from pellucid.cohort.splits import rows_of
from pellucid.cohort.store import Store, open_store
from pellucid.files import read_json, read_tsv, write_json
from pellucid.image.nifti import write_volume
from pellucid.network.files import load_model
from pellucid.study.evidence import POPULATION
from pellucid.study.folder import RunFolder
from pellucid.study.seeds import derive_seed
from pellucid.study.spec import Arm, Spec
from pellucid.study.tasks import Progress, Task
from pellucid.training.trial import read_trial, run_trial, selected_trial

SELECTED = "selected.json"
TRIAL_FILES = ("history.tsv", "predictions.tsv", "model.safetensors", "model.json")


def trial_tasks(spec: Spec, folder: RunFolder) -> list[Task]:
    """Return a task for each trial of each arm, and one an arm that selects the trial of lowest validation loss."""
    tasks = []
    for name, arm in spec.training.items():
        trials = [_trial_task(name, arm, number, spec, folder) for number in range(arm.trials)]
        tasks += [*trials, _select_task(name, arm, folder, needs=tuple(task.name for task in trials))]
    return tasks


def cohort_rows(name: str, folder: RunFolder) -> tuple[Store, dict[str, npt.NDArray[np.intp]]]:
    """Return a cohort's store and its rows by role, roles without anybody left out."""
    store = open_store(folder.store(name))
    splits = read_tsv(folder.splits)
    rows = rows_of(store.table, splits[splits["cohort"] == name])
    return store, {role: index for role, index in rows.items() if len(index)}


def read_selected(arm: str, folder: RunFolder) -> str:
    """Return the name of an arm's selected trial, such as `trial-00`."""
    return str(read_json(folder.arm(arm) / SELECTED)["trial"])


def arm_predictions(name: str, arm: Arm, folder: RunFolder) -> pd.DataFrame:
    """Return the predictions of all trials of an arm, with a column `trial`."""
    tables = [
        read_tsv(folder.trial(name, number) / "predictions.tsv").assign(trial=number) for number in range(arm.trials)
    ]
    return pd.concat(tables, ignore_index=True)


def _trial_task(name: str, arm: Arm, number: int, spec: Spec, folder: RunFolder) -> Task:
    out = folder.trial(name, number)

    def run(progress: Progress) -> None:
        store, rows = cohort_rows(arm.cohort, folder)
        initial = None
        if arm.start_from:
            initial = load_model(folder.arm(arm.start_from) / read_selected(arm.start_from, folder))
        seed = derive_seed(spec.study.seed, "trial", number)
        settings = dataclasses.replace(arm.settings, seed=seed)
        run_trial(
            store,
            rows,
            settings,
            out,
            initial=initial,
            architecture=arm.network,
            channels=arm.channels,
            progress=progress,
        )

    return Task(
        name=f"train/{name}/{out.name}",
        outputs=tuple(out / file for file in TRIAL_FILES),
        needs=("splits", *([f"select/{arm.start_from}"] if arm.start_from else [])),
        run=run,
    )


def _select_task(name: str, arm: Arm, folder: RunFolder, *, needs: tuple[str, ...]) -> Task:
    out = folder.arm(name)

    def run(_: Progress) -> None:
        results = [read_trial(folder.trial(name, number)) for number in range(arm.trials)]
        chosen = selected_trial(results)
        _write_population(arm, folder, name)
        write_json(
            out / SELECTED,
            {
                "trial": chosen.folder.name,
                "criterion": "lowest validation loss",
                "validation_loss": {result.folder.name: result.validation_loss for result in results},
            },
        )

    return Task(name=f"select/{name}", outputs=(out / SELECTED,), needs=needs, run=run)


def _write_population(arm: Arm, folder: RunFolder, name: str) -> None:
    """Write the mean lesion map of the training subjects beside the arm's models, if anybody drew their lesions."""
    store, rows = cohort_rows(arm.cohort, folder)
    drawn = [n for n in rows["train"] if store.lesions(int(n)) is not None]
    mean = mean_map(store.masks[n] for n in drawn) if drawn else np.zeros(store.grid.shape, dtype=np.float32)
    if not mean.any():
        return
    write_volume(
        folder.arm(name) / POPULATION,
        mean,
        store.grid,
        np.float32,
        description="Mean lesion mask of the training subjects",
        sidecar={
            "Description": "Share of the training subjects with a lesion at each voxel; nobody else was counted",
            "Subjects": len(drawn),
        },
    )
