"""Figure S3: where in the brain the lesions of patients and of controls lie."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pellucid.cohort.store import Store
from pellucid.ground.arrays import Float64Array
from pellucid.ground.numbers import number, percent
from pellucid.image.grid import MNI_1MM, Grid
from pellucid.image.planes import planes, to_ras
from pellucid.report.paper.material import Drawing, Material, MissingError, Version
from pellucid.report.paper.tiles import (
    NAMES,
    PAPER_BOX,
    Bar,
    Block,
    Box,
    Paint,
    brain_box,
    draw_blocks,
    paper_centre,
    scene,
    tile_data,
)

SLICE = 92
"""The paper's axial slice: an index of the 1 mm grid."""
OPACITY = 0.6

_FOOT = "For research only. Neurological convention: left (L) is the participant's left."
_GREY = 0.5  # of the brain mask
_ACROSS, _WIDTH = 7.6, 8.2


def figure_s3(material: Material, version: Version) -> Drawing:
    """Draw mean lesion maps over the mean brain mask, a group each (Eitel 2019, Figure S3)."""
    store = _store(material)
    revised = version == "revised"
    if revised:
        rows, whose = list(range(len(store))), "all scans with a mask"
    else:
        rows, whose = material.rows_trained_on(store)
    means = {group: lesion_means(store, rows, group) for group in material.groups}
    tops = {group: float(lesions.max()) for group, (lesions, _, _) in means.items()}
    patients = means[material.groups[0]][0]
    if tops[material.groups[0]] == 0:
        raise MissingError("the patients' lesion masks are empty")
    if revised:
        limits = dict.fromkeys(tops, max(tops.values()))
        i, j, k = np.unravel_index(patients.argmax(), patients.shape)
        centre = store.grid.world((i, j, k))
    else:
        centre = paper_centre()
        centre[2] = MNI_1MM.world((0, 0, SLICE))[2]
        limits = {group: slice_top(lesions, store.grid, centre) for group, (lesions, _, _) in means.items()}
    data = lesion_map_data({group: n for group, (_, _, n) in means.items()}, tops, limits, centre, store.grid, version)
    note = _note(version, whose, limits, centre)
    blocks = [
        Block(title, scene(store.grid, _GREY * brain, lesions), [centre], hot(limits[group]))
        for title, (group, (lesions, brain, _)) in zip(data["title"].unique(), means.items(), strict=True)
    ]
    brains = np.mean([brain for _, brain, _ in means.values()], axis=0)
    box = brain_box(brains > 0.5, store.grid) if revised else PAPER_BOX
    foot = _FOOT if revised else note
    figure = draw_lesion_maps(blocks, box, version=version, limit=max(limits.values()), note=foot)
    return Drawing(figure, data, note, (material.run.relative(store.folder),))


def lesion_means(store: Store, rows: list[int], group: str) -> tuple[Float64Array, Float64Array, int]:
    """Return the mean lesion mask and mean brain mask of a group's scans among `rows`, and their number.

    Scans without a lesion mask are left out of both.

    Raises
    ------
    MissingError
        If no scan of the group has a mask.
    """
    lesions, brain, count = np.zeros(store.grid.shape), np.zeros(store.grid.shape), 0
    for n in rows:
        mask = store.lesions(n) if store.table["group"].iloc[n] == group else None
        if mask is not None:
            lesions += mask
            brain += store.brain[n]
            count += 1
    if count == 0:
        raise MissingError(f"no scan of group {group} has a lesion mask")
    return lesions / count, brain / count, count


def slice_top(values: Float64Array, grid: Grid, centre: Float64Array) -> float:
    """Return the largest value in the axial slice through a centre: where the colours of one picture alone end."""
    turned, ras = to_ras(values, grid)
    axial, *_ = planes(ras, centre)
    return float(axial.cut(turned).max())


def hot(limit: float) -> Paint:
    """Paint shares of subjects from 0, transparent, to `limit` in the colours `hot`, opacity 0.6."""

    def paint(values: Float64Array) -> Float64Array:
        share = np.clip(values / (limit or 1.0), 0.0, 1.0)
        rgba = np.asarray(mpl.colormaps["hot"](share), dtype=np.float64)
        rgba[..., 3] = np.where(values > 0, OPACITY, 0.0)
        return rgba

    return paint


def lesion_map_data(
    numbers: dict[str, int],
    tops: dict[str, float],
    limits: dict[str, float],
    centre: Float64Array,
    grid: Grid,
    version: Version,
) -> pd.DataFrame:
    """Return one row a tile: title, group, scans, highest (share of scans), limit, plane, axis, mm, i, j, k.

    The paper shows the axial plane alone.
    """
    rows: list[tuple[dict[str, Any], Any]] = []
    for group, count in numbers.items():
        title = f"{group}: {count} scans"
        if version == "paper":
            title += f", white: {percent(limits[group])} of them" if limits[group] > 0 else ", no lesion in this slice"
        known = {"title": title, "group": group, "scans": count, "highest": tops[group], "limit": limits[group]}
        rows.append((known, centre))
    data = tile_data(grid, rows)
    return data if version == "revised" else data[data["plane"] == "axial"].reset_index(drop=True)


def draw_lesion_maps(blocks: list[Block], box: Box, *, version: Version, limit: float, note: str) -> Figure:
    """Draw the groups side by side, one axial plane each, or one above the other in three planes."""
    if version == "paper":
        bar = Bar(hot(1.0), 0.0, 1.0, ((0.0, "no lesion"), (1.0, "own maximum of each picture")), _GREY)
        return draw_blocks(blocks, box, version=version, note=note, bar=bar, width=_ACROSS, across=2, names=("axial",))
    ends = ((0.0, "0 %"), (limit / 2, percent(limit / 2)), (limit, f"{percent(limit)} of scans"))
    bar = Bar(hot(limit), 0.0, limit, ends, _GREY)
    return draw_blocks(blocks, box, version=version, note=note, bar=bar, width=_WIDTH, names=NAMES)


def _store(material: Material) -> Store:
    """Return the store of the main arm's cohort."""
    cohort = material.spec.training[material.main].cohort
    store = dict(material.run.stores()).get(cohort)
    if store is None:
        raise MissingError(f"the run has no stores/{cohort}")
    return store


def _note(version: Version, whose: str, limits: dict[str, float], centre: Float64Array) -> str:
    if version == "revised":
        return (
            f"Share of scans with a lesion at each voxel ({whose}), over the mean brain mask of the same scans; one "
            f"scale for both groups, up to {percent(max(limits.values()))}. All are cut through the voxel where most "
            "patients have a lesion. Scans without a lesion mask are excluded. For research only."
        )
    return (
        f"As in the paper: mean lesion map (colours `hot`, opacity {OPACITY}) over the mean brain mask of {whose} "
        f"participants, axial slice {SLICE} of the 1 mm grid (z = {number(float(centre[2]), 2)} mm), patients left, "
        "controls right. Each picture has its own colour scale, so the controls' few lesions look as bright as the "
        "patients'. Unlike the paper: left is left, and scans without a mask are excluded, not filled with noise. "
        "For research only."
    )
