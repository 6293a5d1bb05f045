"""Figure 2: the maps of the four patients whom the network is surest of, over their scans."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pellucid.ground.arrays import Float64Array
from pellucid.ground.numbers import number
from pellucid.image.grid import Grid
from pellucid.image.nifti import read_volume
from pellucid.report.explained import alarm_note
from pellucid.report.html.blocks import records
from pellucid.report.paper.material import Drawing, Material, MissingError
from pellucid.report.paper.tiles import (
    PAPER_FRAME,
    UNIT_SCALINGS,
    draw_paper_tiles,
    paper_bar,
    paper_centre,
    paper_paint,
    tile_data,
)
from pellucid.report.pictures.brain import Scene, grey_levels
from pellucid.report.pictures.tiles import Block

SHOWN = 4
LIMIT = 0.03
"""Where the paper's colours end for single patients."""
STEPS = (0, -12, 12)
"""Voxels from the paper's planes to the triples shown; the paper's second and third are not known."""

_WIDTH = 11.0


def figure2(material: Material) -> Drawing:
    """Draw four patients, nine tiles each (Eitel 2019, Figure 2)."""
    found = material.relevance(material.main)
    chosen = surest(found.table, material.groups[0])
    if chosen.empty:
        raise MissingError(f"no patient with a map is classified correctly by arm {found.maps.arm}")
    grid, whole = found.store.grid, found.store.scaling in UNIT_SCALINGS
    centres = [paper_centre(step) for step in STEPS]
    data = subject_data(chosen, centres, grid)
    blocks = []
    for title, one in zip(data["title"].unique(), records(chosen), strict=True):
        image = np.asarray(found.store.images[one["row"]])
        grey = np.clip(image, 0.0, 1.0) if whole else grey_levels(image)
        blocks.append(Block(title, Scene.of(grid, grey, read_volume(one["path"]).data), centres, paper_paint(LIMIT)))
    alarms = [f"Participant {n}: {alarm_note(one)}" for n, one in enumerate(records(chosen), start=1)]
    note = " ".join([_note(found.store.modality, len(chosen), whole), *alarms])
    figure = draw_paper_tiles(
        blocks, PAPER_FRAME, note=note, bar=paper_bar(LIMIT), width=_WIDTH, across=min(2, len(blocks))
    )
    sources = tuple(material.run.relative(path) for path in chosen["path"])
    return Drawing(figure, data, note, sources)


def surest(table: pd.DataFrame, positive: str, shown: int = SHOWN) -> pd.DataFrame:
    """Return the patients who are called patients with the highest logits, the surest first.

    `table` has columns group, correct, logit; ties stay in its order.
    """
    hits = table[(table["group"] == positive) & table["correct"].astype(bool)]
    return hits.sort_values("logit", ascending=False, kind="stable").head(shown).reset_index(drop=True)


def subject_data(chosen: pd.DataFrame, centres: list[Float64Array], grid: Grid) -> pd.DataFrame:
    """Return one row a tile: title, name, group, logit, triple, limit (of the colours), plane, axis, mm, i, j, k."""
    rows: list[tuple[dict[str, Any], Any]] = []
    for n, one in enumerate(records(chosen), start=1):
        title = f"Participant {n}: {one['name']}, logit {number(one['logit'])}" + ", ALARM" * bool(one["alarms"])
        known = {"title": title, "name": one["name"], "group": one["group"], "logit": one["logit"]}
        rows += [(known | {"triple": t, "limit": LIMIT}, centre) for t, centre in enumerate(centres, start=1)]
    return tile_data(grid, rows)


def _note(modality: str, shown: int, whole: bool) -> str:
    window = "" if whole else " Scans are not in 0 to 1 here, so their grey levels are windowed by percentiles."
    return (
        f"The {shown} held-out patients with the highest logits among those classified correctly, as in the paper: "
        f"relevance over {modality}, colours end at ± {LIMIT} for all maps, opacity is a parabola that hides all but "
        "the extremes, and what the network cannot see is not marked. First row: the paper's planes; the planes of the "
        f"other two rows are not known; ours lie {STEPS[2]} voxels before and after.{window} Unlike the paper: left "
        "is left, and edges have letters. For research only."
    )
