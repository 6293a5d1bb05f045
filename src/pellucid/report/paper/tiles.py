"""The paper's pictures of brains: its planes, its colours, and what a mean scan looks like beneath."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.ground.arrays import Float64Array
from pellucid.image.grid import PAPER_GRID, Grid
from pellucid.image.planes import planes, to_ras
from pellucid.report.paper.look import papered
from pellucid.report.pictures.brain import Bar, Paint, grey_levels
from pellucid.report.pictures.tiles import Frame, lay_out

WORDS = ("Negative Relevance", "No Relevance", "Positive Relevance")
"""What the ends and the middle of the paper's colour bar are called."""

UNIT_SCALINGS = ("max", "minmax")
"""Intensity scalings that bring a scan to 0-1, as the paper's does."""

_CUT = (48, 60, 48)  # voxels of the paper's grid: x of the sagittal, y of the coronal, z of the axial plane
_CORNERS = np.sort([PAPER_GRID.world((-0.5, 8.5, -0.5)), PAPER_GRID.world((95.5, 104.5, 95.5))], axis=0)

PAPER_FRAME = Frame(*_CORNERS)
"""The paper's tiles: 96 x 96 voxels, of y the indices 9 to 104 (docs/original.md, 4.2)."""

draw_paper_tiles = papered(partial(lay_out, marked=False))
"""Draw tiles in the paper's type; nothing says what the network cannot see."""


def paper_centre(step: int = 0) -> Float64Array:
    """Return the millimetres of the paper's planes, or of a triple `step` voxels up, forward and leftward of them."""
    return PAPER_GRID.world(np.array(_CUT) + step)


def paper_paint(limit: float) -> Paint:
    """Paint as in docs/original.md, 4.2: coolwarm, its opacity a parabola, 1 at both limits and 0 at no relevance."""

    def paint(values: Float64Array) -> Float64Array:
        t = np.clip(values / limit, -1.0, 1.0)
        rgba = np.asarray(mpl.colormaps["coolwarm"]((t + 1.0) / 2.0), dtype=np.float64)
        rgba[..., 3] = t**2
        return rgba

    return paint


def paper_bar(limit: float) -> Bar:
    """Return the paper's colour bar, which has words and no numbers."""
    words = zip((-limit, 0.0, limit), WORDS, strict=True)
    return Bar(paper_paint(limit), -limit, limit, tuple(words), backdrop=1.0)


def tile_data(grid: Grid, rows: Sequence[tuple[dict[str, Any], Float64Array]]) -> pd.DataFrame:
    """Return one row a tile: what is known of its row of tiles, then `places`."""
    return pd.DataFrame([known | place for known, centre in rows for place in places(grid, centre)])


def places(grid: Grid, centre: Float64Array) -> list[dict[str, Any]]:
    """Say where the planes through a centre lie: plane, axis, mm, and the voxel i, j, k of the grid nearest to it."""
    cuts = planes(to_ras(np.zeros(grid.shape, dtype=bool), grid)[1], centre)
    point = np.zeros(3)
    for plane in cuts:
        point[plane.normal] = plane.position
    i, j, k = (int(n) for n in np.rint(grid.voxel(point)))
    return [
        {"plane": plane.name, "axis": "xyz"[plane.normal], "mm": round(plane.position, 2), "i": i, "j": j, "k": k}
        for plane in cuts
    ]


def spanned(scan: npt.ArrayLike, scaling: str) -> Float64Array:
    """Bring a mean scan to grey in 0-1 from its smallest to its largest value, as the paper shows it.

    # deviates: windowed as other scans where the scaling puts values below 0, for the background would not be black.
    """
    x = np.asarray(scan, dtype=np.float64)
    if scaling not in UNIT_SCALINGS:
        return grey_levels(x)
    return np.asarray((x - x.min()) / max(float(np.ptp(x)), np.finfo(float).tiny), dtype=np.float64)


def spanned_words(scaling: str) -> str:
    """Say how `spanned` differs from the paper under a scaling; nothing if it does not."""
    if scaling in UNIT_SCALINGS:
        return ""
    return " (its grey levels windowed by percentiles, because this scaling goes below 0)"
