"""A study's deletions: the voxels that maps rank first are filled, and the network is asked again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from pellucid.atlas.tissue_priors import tissue_priors
from pellucid.attribution.methods import find_method
from pellucid.engine.tasks import Task
from pellucid.ground.arrays import BoolArray, Float32Array, FloatArray
from pellucid.ground.errors import PellucidError
from pellucid.ground.files import read_tsv, write_tsv
from pellucid.ground.progress import Progress
from pellucid.ground.seeds import derive_seed
from pellucid.maps.evidence import find_learned
from pellucid.maps.explainer import Explainer, explain_image, mean_explained
from pellucid.rundir.folder import files_in
from pellucid.spec.sections import Explain
from pellucid.spec.spec import Spec
from pellucid.study.plan import Plan
from pellucid.study.steps.explaining import OF_MAP, HeldOut, held_out_scans, map_columns
from pellucid.study.steps.table_registry import Needs, after, study_table
from pellucid.trust.deletion import COLUMNS, FILLS, Predict, deletion, white_matter_like
from pellucid.trust.deletion_summary import COLUMNS as SUMMARY_COLUMNS
from pellucid.trust.deletion_summary import deletion_summary
from pellucid.trust.nulls import NULLS, null_maps

DELETION = "deletion.tsv"
"""All deletions by an arm's maps, beside those of each person."""

_ONE = "_deletion.tsv"

BY_GRADIENT = "input-x-gradient"
"""The method that each map is compared with."""

_TOLERANCE = 1e-3  # of a logit, as far as threads and crops add up in another order
_WHOSE = (*OF_MAP, "networks")


def deletion_tasks(plan: Plan) -> list[Task]:
    """Return a task for each arm whose maps are tested; none if the study tests none."""
    asked = plan.spec.explain
    return [_deletion_task(plan, asked, arm) for arm in asked.deletion] if asked else []


def of_deletions(spec: Spec) -> Needs | None:
    """Return what a table of deletions needs: those of the arms whose maps are tested."""
    arms = spec.explain.deletion if spec.explain else ()
    return Needs(parts=tuple((f"deletion/{arm}",) for arm in arms)) if arms else None


@study_table("deletion", needs=of_deletions)
def deletions(plan: Plan, progress: Progress) -> pd.DataFrame:
    """Return how far each person's logit falls: a row an arm, method, person, ranking, fill and k."""
    asked = plan.spec.explain
    assert asked is not None  # the task exists only then
    paths = [plan.folder.deletions(arm, method) / DELETION for arm in asked.deletion for method in asked.methods]
    return pd.concat([read_tsv(path) for path in paths if path.is_file()], ignore_index=True)


@study_table("deletion_summary", needs=after("deletion"))
def deletions_summary(plan: Plan, progress: Progress) -> pd.DataFrame:
    """Sum up the deletions of each arm and method over people; `deletion_summary` says how."""
    tables = [
        deletion_summary(table).assign(arm=str(arm), method=str(method))
        for (arm, method), table in read_tsv(plan.folder.table("deletion")).groupby(["arm", "method"], sort=False)
    ]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=["arm", "method", *SUMMARY_COLUMNS])


def _deletion_task(plan: Plan, asked: Explain, arm: str) -> Task:
    def run(progress: Progress) -> None:
        delete_holdout(plan, asked, arm, progress)

    folders = [plan.folder.deletions(arm, method) for method in asked.methods]
    return Task(
        kind="deletion",
        about=arm,
        outputs=tuple(out / DELETION for out in folders),  # each written when every person is done
        leaves=lambda: [path for out in folders for path in files_in(out)],
        piece=lambda path: str(path.parent / path.name.removesuffix(_ONE)),
        needs=(f"explain/{arm}", f"nulls/{arm}"),
        run=run,
    )


def delete_holdout(plan: Plan, asked: Explain, arm: str, progress: Progress) -> None:
    """Test the maps of every held-out scan of the positive group by deletion; who is done stays done."""
    for before, method in enumerate(asked.methods):
        scans = held_out_scans(plan, asked, arm, method)
        scans = [one for one in scans if one.store.table["label"].iloc[one.row] == 1]
        likely = _likely_white(scans[0].explainer) if scans else None
        out, tables = plan.folder.deletions(arm, method), []
        for done, one in enumerate(scans, start=1):
            path = out / f"{one.name}{_ONE}"
            if not path.is_file():
                assert likely is not None  # there is a scan
                seed = derive_seed(plan.spec.study.seed, "deletion", one.name)
                table = delete_scan(one, likely, voxels=asked.deletion_voxels, seed=seed)
                whose = map_columns(arm, one) | {"networks": one.networks}
                write_tsv(path, table.assign(**whose)[[*_WHOSE, *COLUMNS]])
            tables.append(read_tsv(path))
            progress(before * len(scans) + done, len(asked.methods) * len(scans), one.name)
        empty = pd.DataFrame(columns=[*_WHOSE, *COLUMNS])
        write_tsv(out / DELETION, pd.concat(tables, ignore_index=True) if tables else empty)


def delete_scan(one: HeldOut, likely: BoolArray, *, voxels: Sequence[int], seed: int) -> pd.DataFrame:
    """Test one map by deletion, beside input times gradient and the null maps; columns as `deletion` has them.

    Parameters
    ----------
    one
        The scan, whose map is there.
    likely
        Where white matter is likely, (X, Y, Z).
    voxels
        The numbers k.
    seed
        Of draws and of noise.

    Raises
    ------
    PellucidError
        The network's logit is not the one that the map explains.
    """
    store, n, explainer = one.store, one.row, one.explainer
    image, brain, seen = store.images[n].astype(np.float32), np.asarray(store.brain[n]), explainer.view.mask()
    predict, name, relevance = logits_of(one.explainers), one.method, one.relevance
    logit = float(predict(image[None])[0])
    if abs(logit - one.logit) > _TOLERANCE * max(1.0, abs(one.logit)):
        what = f"{one.path}: the map explains a logit of {one.logit:.4g}, but the network gives {logit:.4g}"
        raise PellucidError(f"{what}. Delete the map and run the study again.")
    maps: dict[str, npt.ArrayLike] = {name: relevance, f"|{name}|": np.abs(relevance)}
    if name != BY_GRADIENT:
        maps[BY_GRADIENT] = _by_gradient(one.explainers, image)
    learned = find_learned(explainer.folder, explainer.grid)
    nulls = null_maps(image, brain, seen, learned, voxel_sizes=explainer.grid.voxel_sizes, seed=seed)
    maps |= {rival: null for rival, null in nulls.maps.items() if NULLS.find(rival).deletion}
    lesions = store.lesions(n)
    table = deletion(
        image,
        maps,
        inside=brain & seen,
        white=white_matter_like(image, brain, likely),
        lesions=None if lesions is None else np.asarray(lesions, dtype=bool),
        voxels=voxels,
        voxel_sizes=explainer.grid.voxel_sizes,
        predict=predict,
        seed=seed,
    )
    absent: list[dict[str, Any]] = [
        {"ranking": rival, "fill": fill, "k": k, "voxels": 0, "draws": 0, "logit": logit, "missing": why}
        for rival, why in nulls.missing.items()
        if NULLS.find(rival).deletion
        for fill in FILLS
        for k in voxels
    ]
    return pd.DataFrame([*table.to_dict("records"), *absent], columns=list(COLUMNS))


def logits_of(explainers: Sequence[Explainer]) -> Predict:
    """Return what gives the mean logit of some models on prepared images: (B, X, Y, Z) to (B,)."""
    models = [(one.model, one.model.corner or one.grid.shape) for one in explainers]

    def predict(images: Float32Array) -> FloatArray:
        x = torch.from_numpy(images)[:, None]
        with torch.inference_mode():
            found = [model(x[..., :wide, :deep, :high]).numpy() for model, (wide, deep, high) in models]
        return np.asarray(np.mean(found, axis=0, dtype=np.float64))

    return predict


def _by_gradient(explainers: Sequence[Explainer], image: Float32Array) -> Float32Array:
    """Return the mean map of input times gradient of some models."""
    method = find_method(BY_GRADIENT)
    found = [explain_image(replace(one, method=method), image) for one in explainers]
    return mean_explained(found).relevance


def _likely_white(explainer: Explainer) -> BoolArray:
    """Return where white matter is the likeliest tissue of the average brain, on a model's grid."""
    fluid, grey, white = tissue_priors(explainer.grid)
    return np.asarray((white > grey) & (white > fluid))
