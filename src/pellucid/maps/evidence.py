"""How good one map is: how it finds lesions, beside the null maps, and what these may know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pellucid.bids.naming import entities
from pellucid.cohort.lesions import lesion_remarks, lesions_on
from pellucid.ground.arrays import BoolArray, Float32Array
from pellucid.ground.errors import InputError
from pellucid.ground.files import read_json
from pellucid.ground.seeds import content_seed
from pellucid.image.grid import Grid
from pellucid.image.nifti import read_mask, read_volume
from pellucid.image.resample import resample
from pellucid.trust.lesion_chance import FEATURES, Logistic
from pellucid.trust.lesions import lesion_table
from pellucid.trust.nulls import NO_IMAGE, NULLS, Learned, null_maps

POPULATION = "population_lesions.nii.gz"
"""The mean lesion map of a model's training subjects, beside the model or in its arm's folder."""

LEARNED = "nulls.json"
"""What else null maps learned from the same people, beside it."""

_SHAPE = {
    "Missing": str,
    "BrightestPercent": {"Percent": float},
    "Logistic": ({"Features": [str], "Mean": [float], "Sd": [float], "Weights": [float], "Intercept": float}, None),
}


def lesion_evidence(
    relevance: Float32Array,
    lesions: BoolArray | None,
    *,
    name: str,
    image: Float32Array | None,
    brain: BoolArray,
    seen: BoolArray,
    learned: Learned,
    grid: Grid,
    no_image: str = NO_IMAGE,
) -> pd.DataFrame:
    """Measure a map R, |R|, and the nulls against the lesions: a row each with the columns of `lesion_table`.

    Noise is drawn by a seed made of the map's own voxels, so that whoever judges a map has the same numbers.

    Parameters
    ----------
    relevance
        The map (X, Y, Z); so are all arrays.
    lesions
        The lesion mask; None where there is none, which gives missing values.
    name
        What to call the map in column `map`; its absolute value is called `|name|`. A null's name becomes `map`.
    image, brain
        The image as the network saw it, and its brain. Without an image the nulls made from it are missing.
    seen
        The network's field of view.
    learned
        What nulls may know of the model's training participants.
    grid
        On which all lie.
    no_image
        Why there is no image, if there is none.
    """
    name = "map" if name in NULLS else name
    seed = content_seed(np.ascontiguousarray(relevance, dtype=np.float32).tobytes())
    nulls = null_maps(image, brain, seen, learned, voxel_sizes=grid.voxel_sizes, seed=seed, no_image=no_image)
    maps = {name: relevance, f"|{name}|": np.abs(relevance), **nulls.maps}
    table = lesion_table(maps, lesions, brain, seen, missing=nulls.missing)
    order = {row: place for place, row in enumerate((name, f"|{name}|", *NULLS))}
    return table.sort_values("map", key=lambda names: names.map(order)).reset_index(drop=True)


def of_mask(table: pd.DataFrame, lesions: Lesions | None, remarks: Sequence[str]) -> pd.DataFrame:
    """Say in a lesion table which mask it is of, and what is odd about that and about the scan and its map."""
    odd = [*remarks, *(lesions.remarks if lesions is not None else ())]
    return table.assign(lesion_mask=None if lesions is None else str(lesions.path), problems="; ".join(odd) or None)


def truth_maps(cohort: Path, grid: Grid) -> dict[str, Float32Array]:
    """Return the maps of where a simulated cohort's effects are, by name, on `grid`: weights of 0 and more."""
    found = {}
    for path in sorted((cohort / "derivatives" / "truth").glob("tpl-*_desc-*_probseg.nii.gz")):
        volume = read_volume(path)
        values = volume.data if volume.grid.matches(grid) else resample(volume.data, volume.grid, grid)
        found[entities(path)["desc"]] = values.clip(min=0.0)
    return found


def find_learned(model: Path | None, grid: Grid) -> Learned:
    """Return what nulls may know of a model's training participants, the mean lesion map on `grid`.

    It lies beside the model or in its arm's folder. Where it does not, or the model lies in no folder (None), nothing
    is known and `missing` says so.

    Raises
    ------
    InputError
        If the files are damaged.
    """
    for folder in () if model is None else (model, model.parent):
        if (folder / LEARNED).is_file():
            learned = read_learned(folder / LEARNED)
            if not (folder / POPULATION).is_file():
                missing = learned.missing or f"{POPULATION} is not beside the model"
                return replace(learned, logistic=None, missing=missing)
            volume = read_volume(folder / POPULATION)
            same = volume.grid.matches(grid)
            return replace(learned, mean_lesion=volume.data if same else resample(volume.data, volume.grid, grid))
    return Learned(missing=f"a study writes {LEARNED} beside its models, and there is none")


def read_learned(path: Path) -> Learned:
    """Read `nulls.json`, but for the mean lesion map.

    Raises
    ------
    InputError
        If it does not hold what a study writes there.
    """
    content = read_json(path, _SHAPE)
    percent, fitted = float(content["BrightestPercent"]["Percent"]), content["Logistic"]
    logistic = None
    wrong = "" if 0 < percent <= 100 else f"`Percent` is {percent}"
    if fitted is not None:
        parts = {key.lower(): tuple(map(float, fitted[key])) for key in ("Mean", "Sd", "Weights")}
        logistic = Logistic(**parts, intercept=float(fitted["Intercept"]))
        if tuple(fitted["Features"]) != FEATURES:
            wrong = f"`Logistic.Features` are not {', '.join(FEATURES)}"
        elif any(len(part) != len(FEATURES) for part in parts.values()) or min(parts["sd"]) <= 0:
            wrong = "a feature of `Logistic` has no mean, SD or weight"
    if wrong:
        raise InputError(path, wrong, "Run the study again: it writes this file beside the model")
    return Learned(percent=percent, logistic=logistic, missing=content["Missing"])


class Lesions(NamedTuple):
    """A lesion mask (X, Y, Z) on the model's grid, where it came from, and what is odd about it."""

    mask: BoolArray
    path: Path
    remarks: tuple[str, ...]

    @property
    def sidecar(self) -> dict[str, Any]:
        """Say for a map's sidecar which mask it was measured against."""
        return {"LesionMask": {"File": str(self.path), "Remark": "; ".join(self.remarks) or None}}


def read_lesions(path: Path, *, native: Grid, grid: Grid) -> Lesions:
    """Read a lesion mask that lies on its image's own grid, or on the model's, and bring it to the model's.

    Raises
    ------
    InputError
        If it is not binary, or lies on neither grid.
    """
    mask = read_mask(path)
    if mask.grid.matches(grid):
        values = mask.data
    else:
        mask = read_mask(path, native)
        values = lesions_on(mask, grid)
    empty = [] if mask.data.any() else ["lesion mask: it is empty, no voxel is a lesion"]
    return Lesions(values, path, (*lesion_remarks(mask, values, grid), *empty))
