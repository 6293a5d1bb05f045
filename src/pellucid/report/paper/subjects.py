"""Figure 2: the maps of the four patients whom the network is surest of, over their scans."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.ground.arrays import BoolArray, Float64Array
from pellucid.ground.numbers import number
from pellucid.image.grid import Grid
from pellucid.image.nifti import read_volume
from pellucid.report.explained import alarm_note
from pellucid.report.html.blocks import records
from pellucid.report.paper.greys import UNIT_SCALINGS, windowed
from pellucid.report.paper.material import Drawing, Material, MissingError, Version
from pellucid.report.paper.tiles import (
    FOOT,
    PAPER_BOX,
    WORDS,
    Bar,
    Block,
    Box,
    brain_box,
    draw_blocks,
    paper_centre,
    paper_paint,
    scene,
    tile_data,
)
from pellucid.report.pictures.overlay import colours, symmetric_limit
from pellucid.report.pictures.style import styled

SHOWN, TRIPLES = 4, 3
LIMIT = 0.03
"""Where the paper's colours end for single patients."""
APART_MM = 20.0
STEPS = (0, -12, 12)
"""Voxels from the paper's planes to the triples shown; the paper's second and third are not known."""

_WIDTH = 11.0


def figure2(material: Material, version: Version) -> Drawing:
    """Draw four patients, nine tiles each (Eitel 2019, Figure 2)."""
    found = material.relevance(material.main)
    chosen = surest(found.table, material.groups[0])
    if chosen.empty:
        raise MissingError(f"no patient with a map is classified correctly by arm {found.maps.arm}")
    maps = [read_volume(path).data for path in chosen["path"]]
    images = [np.asarray(found.store.images[row]) for row in chosen["row"]]
    grid, seen, revised = found.store.grid, found.seen, version == "revised"
    if revised:
        limit = symmetric_limit(maps)
        centres = [strongest(one, seen, grid) for one in maps]
    else:
        limit, centres = LIMIT, [[paper_centre(step) for step in STEPS]] * len(maps)
    data = subject_data(chosen, centres, grid, limit)
    box = brain_box(np.any([image != 0 for image in images], axis=0), grid) if revised else PAPER_BOX
    whole = found.store.scaling in UNIT_SCALINGS
    greys = [windowed(image) if revised or not whole else np.clip(image, 0.0, 1.0) for image in images]
    note = " ".join([_note(version, found.store.modality, len(chosen), limit, whole), *_alarms(chosen)])
    blocks = [
        Block(title, scene(grid, grey, one, seen), cuts, _paint(version, limit))
        for title, grey, one, cuts in zip(data["title"].unique(), greys, maps, centres, strict=True)
    ]
    figure = draw_subjects(blocks, box, version=version, limit=limit, note=FOOT if revised else note)
    sources = tuple(material.run.relative(path) for path in chosen["path"])
    return Drawing(figure, data, note, sources)


def surest(table: pd.DataFrame, positive: str, shown: int = SHOWN) -> pd.DataFrame:
    """Return the patients who are called patients with the highest logits, the surest first.

    `table` has columns group, correct, logit; ties stay in its order.
    """
    hits = table[(table["group"] == positive) & table["correct"].astype(bool)]
    return hits.sort_values("logit", ascending=False, kind="stable").head(shown).reset_index(drop=True)


def strongest(relevance: npt.ArrayLike, seen: BoolArray, grid: Grid, count: int = TRIPLES) -> list[Float64Array]:
    """Return the millimetres of the seen voxels of largest relevance, each 20 mm or more from those before it.

    Fewer than `count`, but one, if no voxel that is left has relevance above 0.
    """
    values = np.where(seen, np.asarray(relevance, dtype=np.float64), -np.inf)
    xyz = grid.world(np.moveaxis(np.indices(grid.shape), 0, -1))
    found: list[Float64Array] = []
    while len(found) < count:
        place = np.unravel_index(values.argmax(), values.shape)
        if found and values[place] <= 0:
            break
        found.append(grid.world(place))
        values[np.linalg.norm(xyz - found[-1], axis=-1) < APART_MM] = -np.inf
    return found


def subject_data(chosen: pd.DataFrame, centres: list[list[Float64Array]], grid: Grid, limit: float) -> pd.DataFrame:
    """Return one row a tile: title, name, group, logit, triple, limit (of the colours), plane, axis, mm, i, j, k."""
    rows: list[tuple[dict[str, Any], Any]] = []
    for n, (one, cuts) in enumerate(zip(records(chosen), centres, strict=True), start=1):
        title = f"Participant {n}: {one['name']}, logit {number(one['logit'])}" + ", ALARM" * bool(one["alarms"])
        known = {"title": title, "name": one["name"], "group": one["group"], "logit": one["logit"]}
        rows += [(known | {"triple": t, "limit": limit}, centre) for t, centre in enumerate(cuts, start=1)]
    return tile_data(grid, rows)


@styled
def draw_subjects(blocks: list[Block], box: Box, *, version: Version, limit: float, note: str) -> Any:
    """Draw the patients two by two, with one colour bar."""
    return draw_blocks(
        blocks,
        box,
        version=version,
        note=note,
        bar=relevance_bar(version, limit),
        width=_WIDTH,
        across=min(2, len(blocks)),
    )


def relevance_bar(version: Version, limit: float, numbers: bool = True) -> Bar:
    """Return the colour bar for relevance: the paper's words, and in the revised version the limits' numbers."""
    ends = (f"−{number(limit)}", "0", f"+{number(limit)}")
    revised = version == "revised"
    words = [f"{word}\n{end}" for word, end in zip(WORDS, ends, strict=True)] if revised and numbers else list(WORDS)
    values = (-limit, 0.0, limit)
    return Bar(_paint(version, limit), -limit, limit, tuple(zip(values, words, strict=True)), 0.5 if revised else 1.0)


def _paint(version: Version, limit: float) -> Any:
    return paper_paint(limit) if version == "paper" else lambda values: colours(values, limit)


def _alarms(chosen: pd.DataFrame) -> list[str]:
    """Say how much of each map cancels, and of each that does not add up what is wrong with it."""
    return [f"Participant {n}: {alarm_note(one)}" for n, one in enumerate(records(chosen), start=1)]


def _note(version: Version, modality: str, shown: int, limit: float, whole: bool) -> str:
    who = f"The {shown} held-out patients with the highest logits among those classified correctly"
    if version == "revised":
        return (
            f"{who}: LRP relevance over {modality}. Each row of tiles cuts through a voxel of largest relevance, the "
            f"second and third at least {APART_MM:.0f} mm from those above. Colours end at ± {number(limit)}, the "
            "99.9th percentile of |relevance| of these maps; opacity is proportional to |relevance|. Hatched: "
            "outside the network's field of view, where a map contains no information. L, R, A, P, S, I: the "
            "participant's sides. The patients with the highest logits do not represent all patients. For research "
            "only."
        )
    window = "" if whole else " Scans are not in 0 to 1 here, so their grey levels are windowed by percentiles."
    return (
        f"{who}, as in the paper: relevance over {modality}, colours end at ± {limit} for all maps, opacity is a "
        "parabola that hides all but the extremes, and what the network cannot see is not marked. First row: the "
        f"paper's planes; the planes of the other two rows are not known; ours lie {STEPS[2]} voxels before and "
        f"after.{window} Unlike the paper: left is left, and edges have letters. For research only."
    )
