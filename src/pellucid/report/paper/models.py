"""Figure 5: what the mean map of the patients looks like before and after each way to learn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from pellucid.ground.arrays import Float64Array
from pellucid.ground.numbers import number
from pellucid.image.grid import Grid
from pellucid.report.paper.greys import spanned, spanned_words, windowed
from pellucid.report.paper.groups import mean_scan
from pellucid.report.paper.material import PARTS, Drawing, Material, MissingError, Version
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

WORDS = {
    "untrained": "Untrained",
    "pretrained-only": "Pre-trained only",
    "scratch": "Trained from scratch",
    "finetuned": "Pre-trained and fine-tuned",
}

_WIDTH = 8.2


def figure5(material: Material, version: Version) -> Drawing:
    """Draw a row of planes a model: the mean map of all held-out patients (Eitel 2019, Figure 5)."""
    arms = material.parts
    positive = material.groups[0]
    means, absent = {}, []
    for part in PARTS:
        try:
            if part not in arms:
                raise MissingError("study.toml has no such arm")
            means[part] = material.relevance(arms[part]).mean(positive, correct=False)
        except MissingError as reason:
            absent.append(f"{WORDS[part].lower()} ({reason})")
    if len(means) < 2:
        raise MissingError(f"fewer than two of its models have maps; missing: {'; '.join(absent)}")
    values = {part: mean.astype(np.float64) for part, (mean, _) in means.items()}
    limits = row_limits(values, version)
    best = material.relevance(arms[list(means)[-1]])
    store, revised = best.store, version == "revised"
    centre = store.grid.world(strongest_voxel(values[list(means)[-1]], best.seen)) if revised else paper_centre()
    if revised:
        scan = mean_scan(store, best.table.loc[best.table["group"] == positive, "row"].tolist())
        grey, beneath, box = windowed(scan), "the same patients", brain_box(scan != 0, store.grid)
    else:
        some, beneath = material.rows_trained_on(store)
        beneath += spanned_words(store.scaling)
        grey, box = spanned(mean_scan(store, some), store.scaling), PAPER_BOX
    numbers = {part: count for part, (_, count) in means.items()}
    data = model_data(arms, numbers, limits, centre, store.grid, version)
    opened = [material.relevance(arms[part]) for part in means]
    below = "".join(one.one_scale for one in opened) + "".join(one.alarms for one in opened)
    note = _note(version, store.modality, beneath, limits, absent) + below
    blocks = [
        Block(
            title,
            scene(store.grid, grey, values[part], material.relevance(arms[part]).seen),
            [centre],
            relevance_bar(version, limits[part]).paint,
        )
        for title, part in zip(data["title"].unique(), means, strict=True)
    ]
    sources = tuple(f"maps/{arms[part]}" for part in means)
    figure = draw_models(blocks, box, version=version, limits=limits, note=FOOT + below if revised else note)
    return Drawing(figure, data, note, sources)


def row_limits(values: Mapping[str, Float64Array], version: Version) -> dict[str, float]:
    """Return where the colours of each row end.

    The paper's limit is minus the smallest value of the untrained model's mean map, for all rows. Revised, each row
    ends at the 99.9th percentile of its own |R|.

    Raises
    ------
    MissingError
        The paper's limit is asked for, and there is no untrained model, or its map is nowhere negative.
    """
    if version == "revised":
        return {part: symmetric_limit([mean]) for part, mean in values.items()}
    if "untrained" not in values:
        raise MissingError("the paper's colours end at the minimum of the untrained model, which has no maps")
    lowest = float(np.min(values["untrained"]))
    if lowest >= 0:
        raise MissingError("the paper's colours end at the minimum of the untrained model, which has no value below 0")
    return dict.fromkeys(values, -lowest)


def model_data(
    arms: Mapping[str, str],
    numbers: Mapping[str, int],
    limits: Mapping[str, float],
    centre: Float64Array,
    grid: Grid,
    version: Version,
) -> pd.DataFrame:
    """Return one row a tile: title, part, arm, patients (whose maps are averaged), limit, plane, axis, mm, i, j, k."""
    rows: list[tuple[dict[str, Any], Any]] = []
    for part, count in numbers.items():
        title = f"{WORDS[part]} (arm {arms[part]}): mean of {count} patients"
        if version == "revised":
            title += f", ± {number(limits[part])}"
        known = {"title": title, "part": part, "arm": arms[part], "patients": count, "limit": limits[part]}
        rows.append((known, centre))
    return tile_data(grid, rows)


def draw_models(blocks: list[Block], box: Box, *, version: Version, limits: Mapping[str, float], note: str) -> Figure:
    """Draw one row of planes a model, with a colour bar whose ends are those of each row."""
    bar = relevance_bar(version, next(iter(limits.values())), numbers=False)
    return draw_blocks(blocks, box, version=version, note=note, bar=bar, width=_WIDTH)


def _note(version: Version, modality: str, beneath: str, limits: Mapping[str, float], absent: list[str]) -> str:
    lacking = f" Not shown: {'; '.join(absent)}." if absent else ""
    if version == "revised":
        return (
            f"Mean LRP relevance of all held-out patients under each model, over the mean {modality} of {beneath}, "
            "cut through the strongest voxel of the last row. Each row has a colour scale of its own, stated above "
            "it (the 99.9th percentile of its |relevance|): compare the places of relevance, not its apparent "
            f"strength. Hatched: outside the network's field of view. For research only.{lacking}"
        )
    # deviates: the paper's code kept trained biases in its untrained model, and put a random head onto its pre-trained.
    return (
        f"As in the paper: mean relevance of all held-out patients, over the mean {modality} of {beneath}; all "
        f"colours end at ± {number(next(iter(limits.values())))}, minus the smallest value of the untrained model's "
        "mean map, so other rows may be saturated or empty; opacity is a parabola. Unlike the paper: all weights of "
        "the untrained model are new, and the pre-trained model has its own last layer (the code kept trained biases "
        "in the first and used a random last layer in the second), left is left, and edges have letters. For "
        f"research only.{lacking}"
    )
