"""What null maps may know of each model's training participants, learned once and written beside the models."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.engine.tasks import Task, task_name
from pellucid.ground.files import sha256, write_json
from pellucid.ground.progress import Progress
from pellucid.ground.seeds import derive_seed
from pellucid.image.grid import Grid
from pellucid.image.nifti import sidecar_path, write_volume
from pellucid.maps.evidence import LEARNED, POPULATION
from pellucid.network.field_of_view import field_of_view
from pellucid.network.files import load_model
from pellucid.study.plan import Plan
from pellucid.study.steps.trials import trial_rows
from pellucid.trust.fitted_nulls import CRITERION, PERCENTS, FittedNulls, TrainingScan, fit_nulls
from pellucid.trust.lesion_chance import CONTRAST_MM, FEATURES, PRIOR_FLOOR, PRIOR_MM


def null_tasks(plan: Plan) -> list[Task]:
    """Return a task an arm, which learns what null maps of its models may know."""
    return [_null_task(name, plan) for name in plan.spec.training]


def learned_folders(arm: str, plan: Plan) -> dict[int, Path]:
    """Return where what was learned from the training participants of a trial lies: trial to folder.

    Trials of one division and no draw of their own have the same ones: the arm's folder has it for all. Else each model
    has its own beside it.
    """
    if plan.spec.split_of(arm).numbers == 1 and plan.spec.training[arm].subjects is None:
        return {0: plan.folder.arm(arm)}
    return {number: plan.folder.trial(arm, number) for number in range(plan.spec.trial_count(arm))}


def _null_task(name: str, plan: Plan) -> Task:
    places = learned_folders(name, plan)

    def run(progress: Progress) -> None:
        for done, (number, out) in enumerate(places.items(), start=1):
            fitted, grid = _fit(name, number, plan)
            write_learned(fitted, out, grid=grid)
            progress(done, len(places), out.name)

    def leaves() -> list[Path]:
        drawn = [out / POPULATION for out in places.values()]
        return [*drawn, *map(sidecar_path, drawn)]

    return Task(
        kind="nulls",
        about=name,
        outputs=tuple(out / LEARNED for out in places.values()),  # each after its mean lesion map
        needs=tuple(task_name("train", name, number) for number in places),
        run=run,
        leaves=leaves,
    )


def _fit(name: str, number: int, plan: Plan) -> tuple[FittedNulls, Grid]:
    """Learn from the training participants of a trial that have a lesion mask, within what its network sees."""
    store, rows = trial_rows(name, number, plan)
    drawn = [int(n) for n in rows["train"] if store.lesions(int(n)) is not None]
    model = load_model(plan.folder.trial(name, number), network=plan.spec.training[name].own_network)

    def scan(place: int) -> TrainingScan:
        n = drawn[place]
        return TrainingScan(image=store.images[n], brain=store.brain[n], lesions=store.masks[n].astype(bool))

    fitted = fit_nulls(
        store.table["participant_id"].iloc[drawn].tolist(),
        scan,
        field_of_view(model).mask(),
        voxel_sizes=store.grid.voxel_sizes,
        seed=derive_seed(plan.spec.study.seed, "nulls"),
    )
    return fitted, store.grid


def write_learned(fitted: FittedNulls, out: Path, *, grid: Grid) -> None:
    """Write the mean lesion map, if there is one, and then what else was learned."""
    population = out / POPULATION
    population.unlink(missing_ok=True)
    mean = fitted.learned.mean_lesion
    if mean is not None:
        write_volume(
            population,
            mean,
            grid,
            np.float32,
            description="Mean lesion mask of the training subjects",
            sidecar={
                "Description": "Share of the training scans with a lesion at each voxel; nobody else was counted",
                "Scans": fitted.scans,
                "Subjects": fitted.participants,
            },
        )
    write_json(out / LEARNED, _describe(fitted, None if mean is None else sha256(population)))


def _describe(fitted: FittedNulls, population: str | None) -> dict[str, Any]:
    """Return, as JSON types, what `evidence.read_learned` reads and whatever else a reader may ask."""
    logistic = fitted.learned.logistic
    regression = None
    if logistic is not None:
        parts = {key.capitalize(): value for key, value in dataclasses.asdict(logistic).items()}
        regression = {"Features": list(FEATURES), **parts}
        regression |= {"Voxels": fitted.voxels, "LesionVoxels": fitted.lesion_voxels}
    return {
        "Description": "What null maps may know of the training participants of the models here; nobody else was read",
        "Participants": fitted.participants,
        "Scans": fitted.scans,
        "ScansRead": fitted.scans_read,
        "ScansWithLesions": fitted.scans_with_lesions,
        "MeanLesionSha256": population,
        "Missing": fitted.learned.missing,
        "BrightestPercent": {
            "Percent": fitted.learned.percent,
            "Criterion": CRITERION if fitted.scores else "none: 1 %, for no training participant's lesions are known",
            "Candidates": {str(percent): score for percent, score in zip(PERCENTS, fitted.scores, strict=False)},
        },
        "IntensityXPrior": {"SmoothingSdMm": PRIOR_MM},
        "Logistic": regression,
        "Features": {
            "intensity": "the scaled image as the network sees it",
            "local_contrast": f"intensity less its mean in the brain around, by a Gaussian of {CONTRAST_MM} mm SD",
            "log10_prior": f"log10 of the mean lesion map smoothed by {PRIOR_MM} mm SD, plus {PRIOR_FLOOR}",
        },
    }
