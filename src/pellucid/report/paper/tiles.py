"""Planes of a volume in colour over a scan in grey, laid out as tiles: one look for all of the paper's brains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from pellucid.ground.arrays import BoolArray, Float64Array
from pellucid.image.grid import PAPER_GRID, Grid
from pellucid.image.planes import Plane, planes, to_ras
from pellucid.report.paper.charts import look, note_height, write_note
from pellucid.report.paper.material import Version
from pellucid.report.pictures.style import drawn, row_height, styled

Paint = Callable[[Float64Array], Float64Array]
"""Values (...) to colours RGBA (..., 4)."""

NAMES = ("axial", "coronal", "sagittal")
WORDS = ("Negative Relevance", "No Relevance", "Positive Relevance")
"""What the ends and the middle of the paper's colour bar are called."""

_PAPER_CUT = (48, 60, 48)  # voxels of the paper's grid: x of the sagittal, y of the coronal, z of the axial plane
_DIM = 0.45  # brightness of what the network cannot see
_MARGIN_MM = 5.0
_FAR_MM = 200.0  # beyond any tile
# Inches: around the blocks, between them, between tiles, the title above, the colour bar and a line of its labels.
_EDGE, _BETWEEN, _GAP, _TITLE, _BAR, _BAR_LINE = 0.12, 0.22, 0.03, 0.27, 0.14, 0.16
_TITLE_LINE, _TITLE_LETTER = 0.155, 0.093  # inches: of a block's title
_BAR_WIDTH = 5.0

FOOT = (
    "For research only. Neurological convention: left (L) is the participant's left. Hatched: outside the network's "
    "field of view, where a map contains no information."
)
"""What stands below a revised picture; the page has the rest in its caption."""


@dataclass(frozen=True, eq=False)
class Scene:
    """Volumes in RAS order: the scan as grey in 0-1, values to be painted over it, and what the network sees."""

    grid: Grid
    grey: Float64Array
    values: Float64Array
    seen: BoolArray


@dataclass(frozen=True, eq=False)
class Block:
    """Rows of planes of one scene, a row a centre (world millimetres), under one title."""

    title: str
    scene: Scene
    centres: Sequence[Float64Array]
    paint: Paint


@dataclass(frozen=True)
class Bar:
    """A colour bar from `low` to `high` with words at some values, over white or grey."""

    paint: Paint
    low: float
    high: float
    words: Sequence[tuple[float, str]]
    backdrop: float = 1.0


@dataclass(frozen=True, eq=False)
class Box:
    """What tiles show of the world, millimetres, (3,) each."""

    low: Float64Array
    high: Float64Array

    def spans(self, names: Sequence[str]) -> list[float]:
        """Return the width of the tile of each plane."""
        x, y, _ = self.high - self.low
        return [float(y if name == "sagittal" else x) for name in names]

    def tall(self, names: Sequence[str]) -> float:
        """Return the height of all tiles: the largest that any of the planes needs."""
        _, y, z = self.high - self.low
        return float(max(y if name == "axial" else z for name in names))


PAPER_BOX = Box(
    np.sort([PAPER_GRID.world((-0.5, 8.5, -0.5)), PAPER_GRID.world((95.5, 104.5, 95.5))], axis=0)[0],
    np.sort([PAPER_GRID.world((-0.5, 8.5, -0.5)), PAPER_GRID.world((95.5, 104.5, 95.5))], axis=0)[1],
)
"""The paper's tiles: 96 x 96 voxels, of y the indices 9 to 104 (docs/original.md, 4.2)."""


def paper_centre(step: int = 0) -> Float64Array:
    """Return the millimetres of the paper's planes, or of a triple `step` voxels up, forward and leftward of them."""
    return PAPER_GRID.world(np.array(_PAPER_CUT) + step)


def brain_box(brain: npt.ArrayLike, grid: Grid) -> Box:
    """Return the bounding box of a brain mask (X, Y, Z), with a margin of 5 mm."""
    turned, ras = to_ras(np.asarray(brain, dtype=bool), grid)
    where = np.argwhere(turned)
    return Box(ras.world(where.min(axis=0) - 0.5) - _MARGIN_MM, ras.world(where.max(axis=0) + 0.5) + _MARGIN_MM)


def scene(grid: Grid, grey: npt.ArrayLike, values: npt.ArrayLike, seen: npt.ArrayLike | None = None) -> Scene:
    """Turn volumes (X, Y, Z) on `grid` to RAS order; without `seen` all is seen."""
    turned, ras = to_ras(np.asarray(grey, dtype=np.float64), grid)
    view = np.ones(grid.shape, dtype=bool) if seen is None else np.asarray(seen, dtype=bool)
    return Scene(ras, turned, to_ras(np.asarray(values, dtype=np.float64), grid)[0], to_ras(view, grid)[0])


def paper_paint(limit: float) -> Paint:
    """Paint as in docs/original.md, 4.2: coolwarm, its opacity a parabola, 1 at both limits and 0 at no relevance."""

    def paint(values: Float64Array) -> Float64Array:
        t = np.clip(values / limit, -1.0, 1.0)
        rgba = np.asarray(mpl.colormaps["coolwarm"]((t + 1.0) / 2.0), dtype=np.float64)
        rgba[..., 3] = t**2
        return rgba

    return paint


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


def tile_data(grid: Grid, rows: Sequence[tuple[dict[str, Any], Float64Array]]) -> pd.DataFrame:
    """Return one row a tile: what is known of its row of tiles, then `places`."""
    return pd.DataFrame([known | place for known, centre in rows for place in places(grid, centre)])


@styled
def draw_blocks(
    blocks: Sequence[Block],
    box: Box,
    *,
    version: Version,
    note: str,
    bar: Bar,
    width: float,
    across: int = 1,
    names: Sequence[str] = NAMES,
) -> Figure:
    """Draw blocks of tiles, `across` side by side, a colour bar below them, and a note at the foot.

    # deviates: drawn in the neurological convention with letters. The paper's code turns raw arrays by 90 degrees, so
    that files in FSL's order come out with the subject's right on the left, and no picture says which side is which.

    Parameters
    ----------
    blocks, across
        What to draw, and how many side by side.
    box, names
        What tiles show of the world, and which planes, in this order.
    version
        Whose type; in the revised version what the network cannot see is dimmed, hatched and framed.
    note, bar
        What stands below.
    width
        Of the figure, in inches.
    """
    spans, tall = box.spans(names), box.tall(names)
    rows = [list(blocks[start : start + across]) for start in range(0, len(blocks), across)]
    free = width - 2 * _EDGE - (across - 1) * _BETWEEN - across * (len(names) - 1) * _GAP
    scale = free / (across * sum(spans))  # inches a millimetre
    below = note_height(note, width)
    block_width = sum(spans) * scale + (len(names) - 1) * _GAP
    titles = {block.title: drawn(block.title, int(block_width / _TITLE_LETTER)) for block in blocks}
    tops = [_TITLE - _TITLE_LINE + max(row_height([titles[block.title]], _TITLE_LINE) for block in row) for row in rows]
    heights = [
        above + max(len(block.centres) for block in row) * (tall * scale + _GAP)
        for row, above in zip(rows, tops, strict=True)
    ]
    lines = max(word.count("\n") for _, word in bar.words) + 1
    room = 2 * _EDGE + _BAR + lines * _BAR_LINE
    height = _EDGE + sum(heights) + (len(rows) - 1) * _EDGE + room + below
    with look(version):
        figure = Figure(figsize=(width, height))
        top = height - _EDGE
        for row, used, above in zip(rows, heights, tops, strict=True):
            for column, block in enumerate(row):
                left = _EDGE + column * (block_width + _BETWEEN)
                x, y = left / width, (top - 0.04) / height
                figure.text(x, y, titles[block.title], fontsize=10.5, weight="bold", va="top", linespacing=1.0)
                _block(figure, block, left, top - above, scale, box, names, hatched=version == "revised")
            top -= used + _EDGE
        reach = min(_BAR_WIDTH, 0.72 * width)
        place = ((width - reach) / 2 / width, (below + room - _EDGE - _BAR) / height, reach / width, _BAR / height)
        _colour_bar(figure.add_axes(place), bar)
        write_note(figure, note)
    return figure


def _block(
    figure: Figure,
    block: Block,
    left: float,
    top: float,
    scale: float,
    box: Box,
    names: Sequence[str],
    *,
    hatched: bool,
) -> None:
    """Draw the tiles of a block from its upper left corner on, inches."""
    width, height = figure.get_size_inches()
    tall = box.tall(names)
    for line, centre in enumerate(block.centres):
        cuts = {plane.name: plane for plane in planes(block.scene.grid, centre)}
        x = left
        for name, span in zip(names, box.spans(names), strict=True):
            plane = cuts[name]
            bottom = top - (line + 1) * tall * scale - line * _GAP
            axes = figure.add_axes((x / width, bottom / height, span * scale / width, tall * scale / height))
            _tile(axes, block, plane, hatched=hatched)
            middle = (box.low[plane.up] + box.high[plane.up]) / 2
            axes.set_xlim(box.low[plane.across], box.high[plane.across])
            axes.set_ylim(middle - tall / 2, middle + tall / 2)
            x += span * scale + _GAP


def _tile(axes: Axes, block: Block, plane: Plane, *, hatched: bool) -> None:
    axes.set_facecolor("black")
    axes.grid(visible=False)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    seen = plane.cut(block.scene.seen)
    grey = plane.cut(block.scene.grey) * np.where(seen | (not hatched), 1.0, _DIM)
    where: Any = {"origin": "lower", "extent": plane.extent, "aspect": "auto"}
    axes.imshow(np.repeat(grey[..., None], 3, axis=2), interpolation="bilinear", **where)
    axes.imshow(block.paint(plane.cut(block.scene.values)), interpolation="nearest", **where)
    if hatched and not seen.all():
        left, right, bottom, top = plane.extent
        rows, columns = seen.shape
        x = left + (np.arange(columns) + 0.5) * (right - left) / columns
        y = bottom + (np.arange(rows) + 0.5) * (top - bottom) / rows
        # What is unseen at the edge of the grid goes on beyond it, where tiles show more.
        x, y = (np.r_[line[0] - _FAR_MM, line, line[-1] + _FAR_MM] for line in (x, y))
        unseen = np.pad(~seen, 1, mode="edge")
        marked = axes.contourf(x, y, unseen, levels=[0.5, 1.5], colors="none", hatches=["///"])
        marked.set_edgecolor("#8fa3b8")
        marked.set_linewidth(0)
        axes.contour(x, y, unseen, levels=[0.5], colors="#e8eef5", linewidths=0.8, linestyles="--")
    ends = ((0.06, 0.5), (0.94, 0.5), (0.5, 0.06), (0.5, 0.94))
    for letter, (across, up) in zip(plane.letters, ends, strict=True):
        _write(axes, across, up, letter, size=7.5, ha="center", va="center")
    position = f"{'xyz'[plane.normal]} = {plane.position:.0f} mm".replace("-", "−")
    _write(axes, 0.03, 0.03, position, size=7.0, va="bottom")


def _write(axes: Axes, across: float, up: float, text: str, **how: Any) -> None:
    """Write white on any ground, at a place in shares of the tile."""
    rim = [withStroke(linewidth=1.6, foreground="black")]
    axes.text(across, up, text, transform=axes.transAxes, color="white", path_effects=rim, **how)


def _colour_bar(axes: Axes, bar: Bar) -> None:
    rgba = bar.paint(np.linspace(bar.low, bar.high, 256)[None, :])
    shown = rgba[..., :3] * rgba[..., 3:] + bar.backdrop * (1.0 - rgba[..., 3:])
    axes.imshow(shown, extent=(bar.low, bar.high, 0.0, 1.0), aspect="auto")
    axes.grid(visible=False)
    axes.set_yticks([])
    axes.set_xticks([value for value, _ in bar.words], [word for _, word in bar.words], fontsize=8.5)
    axes.tick_params(length=2)
    axes.spines[:].set_visible(False)
