"""How good one map is: its relevance inside lesions beside the null maps, and its relevance per region."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.analysis.lesions import lesion_table
from pellucid.analysis.nulls import null_maps
from pellucid.bids import entities
from pellucid.cohort.lesions import lesions_on
from pellucid.image.grid import Grid
from pellucid.image.nifti import read_mask, read_volume
from pellucid.image.resample import resample

POPULATION = "population_lesions.nii.gz"
"""The mean lesion map of a model's training subjects, beside the models of an arm."""

MEASURES = ("positive_share", "lift", "signed_share", "absolute_share", "strongest_in_lesion")
"""The columns of a lesion table that are about the map and not about the lesions."""

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]


def lesion_evidence(
    relevance: Floats,
    lesions: Bools | None,
    *,
    name: str,
    image: Floats | None,
    brain: Bools,
    seen: Bools,
    population: Floats | None,
    seed: int,
) -> pd.DataFrame:
    """Measure a map and its nulls against the lesions: a row each, the map first, with the columns of `lesion_table`.

    Parameters
    ----------
    relevance
        The map (X, Y, Z); so are all arrays.
    lesions
        The lesion mask; None where there is none, which gives missing values.
    name
        What to call the map in column `map`.
    image, brain
        The image as the network saw it, and its brain. Without an image the two nulls made from it are missing.
    seen
        The network's field of view.
    population
        The mean lesion map of the training subjects; without it that null is missing, and the row says so.
    seed
        Seed of the random null.
    """
    blank = np.zeros_like(relevance)
    nulls = null_maps(blank if image is None else image, brain, blank if population is None else population, seed=seed)
    table = lesion_table({name: relevance, **nulls}, lesions, brain, seen)
    unknown = [*(["intensity", "edge"] if image is None else []), *(["mean-lesion"] if population is None else [])]
    table.loc[table["map"].isin(unknown), list(MEASURES)] = np.nan
    return table


def truth_maps(cohort: Path, grid: Grid) -> dict[str, Floats]:
    """Return the maps of where a simulated cohort's effects are, by name, on `grid`: weights of 0 and more."""
    found = {}
    for path in sorted((cohort / "derivatives" / "truth").glob("tpl-*_desc-*_probseg.nii.gz")):
        volume = read_volume(path)
        values = volume.data if volume.grid.matches(grid) else resample(volume.data, volume.grid, grid)
        found[entities(path)["desc"]] = values.clip(min=0.0)
    return found


def find_population(model: Path, grid: Grid) -> Floats | None:
    """Return the mean lesion map that lies beside a model or in its arm's folder, on `grid`; None if there is none."""
    for folder in (model, model.parent):
        path = folder / POPULATION
        if path.is_file():
            volume = read_volume(path)
            return volume.data if volume.grid.matches(grid) else resample(volume.data, volume.grid, grid)
    return None


def read_lesions(path: Path, *, native: Grid, grid: Grid) -> Bools:
    """Read a lesion mask that lies on its image's own grid, or on the model's, and bring it to the model's.

    Raises
    ------
    InputError
        If it is not binary, or lies on neither grid.
    """
    mask = read_mask(path)
    if mask.grid.matches(grid):
        return mask.data
    return lesions_on(read_mask(path, native), grid)
