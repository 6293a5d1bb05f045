"""Figure 3: the mean map of each group over the mean scan."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pellucid.cohort.store import Store
from pellucid.ground.arrays import Float64Array
from pellucid.ground.numbers import number
from pellucid.image.grid import Grid
from pellucid.report.paper.greys import spanned, spanned_words, windowed
from pellucid.report.paper.material import Drawing, Material, Version
from pellucid.report.paper.subjects import relevance_bar
from pellucid.report.paper.tiles import (
    FOOT,
    PAPER_BOX,
    Block,
    Box,
    brain_box,
    draw_blocks,
    paper_centre,
    scene,
    tile_data,
)
from pellucid.report.pictures.overlay import strongest_voxel, symmetric_limit

LIMIT = 0.02
"""Where the paper's colours end for averages."""

_WIDTH = 8.2


def figure3(material: Material, version: Version) -> Drawing:
    """Draw patients above, controls below, three planes each (Eitel 2019, Figure 3)."""
    found, revised = material.relevance(material.main), version == "revised"
    store, seen = found.store, found.seen
    means = {group: found.mean(group, correct=not revised) for group in material.groups}
    if revised:
        limit = symmetric_limit([values for values, _ in means.values()])
        centre = store.grid.world(strongest_voxel(means[material.groups[0]][0], seen))
        rows = {group: found.table.loc[found.table["group"] == group, "row"].tolist() for group in means}
        scans = {group: mean_scan(store, some) for group, some in rows.items()}
        greys, beneath = {group: windowed(scan) for group, scan in scans.items()}, ""
        box = brain_box(np.any([scan != 0 for scan in scans.values()], axis=0), store.grid)
    else:
        limit, centre, box = LIMIT, paper_centre(), PAPER_BOX
        some, beneath = material.rows_trained_on(store)
        beneath += spanned_words(store.scaling)
        greys = dict.fromkeys(means, spanned(mean_scan(store, some), store.scaling))
    data = group_data({group: number_of for group, (_, number_of) in means.items()}, centre, store.grid, limit)
    below = found.one_scale + found.alarms
    note = _note(version, store.modality, limit, beneath) + below
    blocks = [
        Block(title, scene(store.grid, greys[group], values, seen), [centre], relevance_bar(version, limit).paint)
        for title, (group, (values, _)) in zip(data["title"].unique(), means.items(), strict=True)
    ]
    folder = material.run.relative(found.maps.folder)
    figure = draw_groups(blocks, box, version=version, limit=limit, note=FOOT + below if revised else note)
    return Drawing(figure, data, note, (folder,))


def mean_scan(store: Store, rows: list[int]) -> Float64Array:
    """Return the mean of some of a store's scans, one in memory at a time."""
    total = np.zeros(store.grid.shape)
    for row in rows:
        total += store.images[row]
    return total / max(len(rows), 1)


def group_data(numbers: dict[str, int], centre: Float64Array, grid: Grid, limit: float) -> pd.DataFrame:
    """Return one row a tile: title, group, participants (whose maps are averaged), limit, plane, axis, mm, i, j, k."""
    rows: list[tuple[dict[str, Any], Any]] = [
        (
            {"title": f"{group}: mean of {count} participants", "group": group, "participants": count, "limit": limit},
            centre,
        )
        for group, count in numbers.items()
    ]
    return tile_data(grid, rows)


def draw_groups(blocks: list[Block], box: Box, *, version: Version, limit: float, note: str) -> Figure:
    """Draw one row of planes a group."""
    return draw_blocks(blocks, box, version=version, note=note, bar=relevance_bar(version, limit), width=_WIDTH)


def _note(version: Version, modality: str, limit: float, beneath: str) -> str:
    if version == "revised":
        return (
            "Mean LRP relevance of all held-out scans of each group, whether correctly classified or not, over the "
            f"mean {modality} of the same scans; each participant has the same total weight, whatever the number of "
            "visits, and maps are not scaled by participant. Both groups are cut through the strongest voxel of the "
            f"patients' mean, and share one colour scale that ends at ± {number(limit)}, the 99.9th percentile of "
            "|relevance| of both. Hatched: outside the network's field of view. For research only."
        )
    return (
        "As in the paper: mean relevance of correctly classified held-out scans only (true positives above, true "
        f"negatives below), over the mean {modality} of {beneath}; colours end at ± {limit} for all maps, opacity is "
        "a parabola, and what the network cannot see is not marked. Unlike the paper: left is left, and edges have "
        "letters. For research only."
    )
