"""Relevance per atlas area: true sums, size-normalised means, and how much of each area the network can see."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.errors import InputError


def regional_relevance(
    values: npt.ArrayLike, labels: npt.ArrayLike, regions: pd.DataFrame, seen: npt.ArrayLike
) -> pd.DataFrame:
    """Sum a relevance map over the areas of an atlas, within the field of view.

    sum = sum of R over the area's seen voxels; mean = sum / seen voxels. Left and right, and whatever else shares an
    area's name, are pooled voxel by voxel.

    # deviates: the paper's code takes the mean over the whole volume for each label and then the mean over the labels
    of an area, so that an area of four labels weighs a quarter of its relevance (Eitel 2019, Figure 4).

    Parameters
    ----------
    values
        The map, (X, Y, Z).
    labels
        The atlas on the same grid, integers, 0 = no area.
    regions
        The atlas's table with columns `index` (a label) and `area` (the merged area's name).
    seen
        The field of view, bool, same shape.

    Returns
    -------
    One row an area, in the table's order: area, voxels, seen_voxels, seen_share, sum, mean. No area is dropped: one
    without a seen voxel has sum and mean missing, and one without any voxel on this grid seen_share too.

    Raises
    ------
    InputError
        If shapes differ, the labels are no integers, or the atlas holds a label that the table does not name.
    """
    R, label, view = np.asarray(values, dtype=np.float64), np.asarray(labels), np.asarray(seen, dtype=bool)
    if not R.shape == label.shape == view.shape:
        shapes = f"map {R.shape}, labels {label.shape}, field of view {view.shape}"
        raise InputError("atlas", f"shapes differ: {shapes}", "Resample the atlas onto the map's grid")
    if not np.issubdtype(label.dtype, np.integer):
        raise InputError("atlas", f"labels are {label.dtype}, not integers", "Resample labels by nearest neighbour")
    unnamed = np.setdiff1d(np.unique(label), [0, *regions["index"]])
    if unnamed.size:
        listed = ", ".join(map(str, unnamed[:10]))
        raise InputError("atlas", f"labels without a row in the table: {listed}", "Complete the atlas's table")

    areas = pd.unique(regions["area"])
    area_of = np.full(max(int(regions["index"].max()), 0) + 1, -1)
    area_of[regions["index"].to_numpy()] = pd.Categorical(regions["area"], categories=areas).codes
    area_of[0] = -1
    inside = label != 0
    code, relevance, visible = area_of[label[inside]], R[inside], view[inside]
    voxels = np.bincount(code, minlength=len(areas))
    seen_voxels = np.bincount(code, weights=visible, minlength=len(areas)).astype(int)
    # bincount of nothing is an integer array even with weights
    total = np.bincount(code[visible], weights=relevance[visible], minlength=len(areas)).astype(np.float64)
    total[seen_voxels == 0] = np.nan
    with np.errstate(invalid="ignore"):
        seen_share, mean = seen_voxels / voxels, total / seen_voxels
    return pd.DataFrame(
        {
            "area": areas,
            "voxels": voxels,
            "seen_voxels": seen_voxels,
            "seen_share": seen_share,
            "sum": total,
            "mean": mean,
        }
    )
