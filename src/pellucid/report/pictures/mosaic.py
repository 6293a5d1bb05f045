"""Mosaics: slices of a volume side by side on black, each with its letters and millimetres, and outlines over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pellucid.ground.arrays import AnyArray, UInt8Array
from pellucid.ground.errors import InputError
from pellucid.image.grid import Grid
from pellucid.image.planes import Plane, planes, to_ras
from pellucid.image.resample import resample
from pellucid.report.pictures.brain import outline as draw_outline
from pellucid.report.pictures.brain import position
from pellucid.report.pictures.style import styled

Canvas = AnyArray
"""What a mosaic shows, (rows from bottom to top, columns): a number, a truth or a colour for each pixel."""

Direction = Literal["axial", "coronal", "sagittal"]
NORMAL: dict[Direction, int] = {"axial": 2, "coronal": 1, "sagittal": 0}
"""The world axis that runs through the slices of each direction."""

WIDTH = 1760
"""Pixels of a picture from left to right."""

_ON_VOXEL = 0.01  # voxels: positions this near to voxel centres need no interpolation
_GAP = 8  # pixels of the picture between tiles
_LABEL, _HEADING = 27, 40  # pixels above a tile, and above a row that has a heading
_DPI = 100


@dataclass(frozen=True, slots=True)
class Row:
    """Parallel slices of one volume: `planes` in `grid`, which is in RAS order; `heading` is written above them."""

    grid: Grid
    planes: tuple[Plane, ...]
    heading: str = ""


def row(
    direction: Direction, box: tuple[Sequence[float], Sequence[float]], span: tuple[float, float], count: int
) -> Row:
    """Lay `count` slices of 1 mm pixels evenly over `span` of their normal axis, whole millimetres.

    `box` holds the lowest and the highest pixel centre in world millimetres.
    """
    normal = NORMAL[direction]
    low, high = (np.rint(corner).astype(int) for corner in box)
    step = max(1, int((span[1] - span[0]) // max(count - 1, 1)))
    first = round((span[0] + span[1] - step * (count - 1)) / 2)
    affine = np.eye(4)
    affine[:3, 3] = low
    affine[normal, 3] = first
    affine[normal, normal] = step
    shape = high - low + 1
    shape[normal] = count
    grid = Grid.of(tuple(shape), affine)
    middle = grid.world((shape - 1) / 2)
    cuts = []
    for k in range(count):
        middle[normal] = first + k * step
        cuts.append(next(plane for plane in planes(grid, middle) if plane.normal == normal))
    return Row(grid, tuple(cuts))


def see(data: AnyArray, source: Grid, target: Grid, *, order: int = 1) -> AnyArray:
    """Return `data` (X, Y, Z) on `source` as it lies on `target`, a grid in RAS order; outside of `source` lies 0.

    Where every voxel of the target is one of the source, voxels are taken as they are.
    """
    try:
        turned, own = to_ras(data, source)
    except InputError:  # oblique
        return resample(data, source, target, order=order, antialias=False)
    steps = np.diag(target.affine)[:3] / np.diag(own.affine)[:3]
    start = own.voxel(target.world((0, 0, 0)))
    last = start + steps * (np.array(target.shape) - 1)
    off = np.abs(np.concatenate([start - np.rint(start), last - np.rint(last), steps - np.rint(steps)])).max()
    inside = (start > -0.5).all() and (last < np.array(own.shape) - 0.5).all()
    if off > _ON_VOXEL or not inside:
        return resample(data, source, target, order=order, antialias=False)
    first, stop, step = (np.rint(a).astype(int) for a in (start, last + 1, steps))
    return turned[tuple(slice(a, b, s) for a, b, s in zip(first, stop, step, strict=True))]


def tiles(row: Row, data: AnyArray, source: Grid, *, order: int = 1) -> list[Canvas]:
    """Return the row's slices of a volume (X, Y, Z) on `source`."""
    seen = see(data, source, row.grid, order=order)
    return [plane.cut(seen) for plane in row.planes]


@dataclass(frozen=True, slots=True)
class Outline:
    """A line over a mosaic: where `canvas` passes `level`, or along the faces of the pixels of a truth."""

    canvas: Canvas
    colour: str
    level: float = 0.5
    width: float = 0.9


@dataclass(frozen=True)
class Sheet:
    """Where the tiles of several rows lie: rows from top to bottom, each spread over the whole width.

    Parameters
    ----------
    rows
        The rows; `shapes` are those of their tiles, (rows, columns).
    labels
        What stands above each tile, in place of its position.
    width
        Of the picture, in pixels.
    room
        For how many pixels of tiles the width is made, so that few tiles are drawn no larger than many.
    """

    rows: Sequence[Row]
    shapes: Sequence[Sequence[tuple[int, int]]]
    labels: Sequence[Sequence[str]] | None = None
    width: int = WIDTH
    room: int = 0
    scale: float = field(init=False)
    places: list[list[tuple[int, int]]] = field(init=False)
    size: tuple[int, int] = field(init=False)

    def __post_init__(self) -> None:
        """Place the tiles."""
        wanted = max(self.room, *(sum(w for _, w in shapes) for shapes in self.shapes))
        most = max(len(shapes) for shapes in self.shapes)
        scale = (self.width - _GAP * (most + 1)) / wanted  # picture pixels a tile pixel
        gap, label, heading = (max(1, round(n / scale)) for n in (_GAP, _LABEL, _HEADING))
        width = wanted + gap * (most + 1)
        bottoms, y = [], 0
        for row, shapes in zip(reversed(self.rows), reversed(self.shapes), strict=True):
            bottoms.append(y := y + gap)
            y += max(h for h, _ in shapes) + label + (heading if row.heading else 0)
        places = []
        for bottom, shapes in zip(reversed(bottoms), self.shapes, strict=True):
            space = (width - sum(w for _, w in shapes)) / (len(shapes) + 1)
            lefts = np.cumsum([space, *[w + space for _, w in shapes[:-1]]])
            places.append([(bottom, round(left)) for left in lefts])
        object.__setattr__(self, "scale", self.width / width)
        object.__setattr__(self, "places", places)
        object.__setattr__(self, "size", (y + gap, width))

    @classmethod
    def of(cls, rows: Sequence[Row], labels: Sequence[Sequence[str]] | None = None, width: int = WIDTH) -> Sheet:
        """Make a sheet of whole slices."""
        shapes = []
        for row in rows:
            down, across = row.planes[0].up, row.planes[0].across
            shapes.append([(row.grid.shape[down], row.grid.shape[across])] * len(row.planes))
        return cls(rows, shapes, labels, width)

    def assemble(self, tiles: Sequence[Sequence[Canvas]]) -> Canvas:
        """Lay tiles onto one canvas; between them lies 0."""
        first = tiles[0][0]
        canvas = np.zeros(self.size + first.shape[2:], first.dtype)
        for places, cuts in zip(self.places, tiles, strict=True):
            for (y, x), cut in zip(places, cuts, strict=True):
                canvas[y : y + cut.shape[0], x : x + cut.shape[1]] = cut
        return canvas

    def of_volume(self, data: AnyArray, source: Grid, *, order: int = 1) -> Canvas:
        """Lay the slices of a volume onto one canvas."""
        return self.assemble([tiles(row, data, source, order=order) for row in self.rows])


@styled
def draw(sheet: Sheet, grey: Canvas, outlines: Sequence[Outline] = (), *, sharp: bool = False) -> UInt8Array:
    """Draw a mosaic in the neurological convention: RGB, (rows from top to bottom, columns, 3).

    `grey` is (rows, columns) or, in colour, (rows, columns, 3), from 0 to 1; `sharp` shows its pixels as they are.
    """
    height = round(sheet.size[0] * sheet.scale)
    figure = Figure(figsize=(sheet.width / _DPI, height / _DPI), dpi=_DPI, facecolor="black")
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    edges = (0.0, float(sheet.size[1]), 0.0, float(sheet.size[0]))
    axes.imshow(
        grey,
        cmap="gray",
        vmin=0.0,
        vmax=1.0,
        origin="lower",
        extent=edges,
        aspect="auto",
        interpolation="nearest" if sharp else "bicubic",
    )
    whole = Plane("canvas", 0, 1, 2, 0, 0.0, edges)
    x, y = np.arange(sheet.size[1]) + 0.5, np.arange(sheet.size[0]) + 0.5
    for outline in outlines:
        if outline.canvas.dtype == np.bool_:
            draw_outline(axes, whole, outline.canvas, outline.colour, outline.width)
        elif outline.canvas.max() > outline.level:
            axes.contour(x, y, outline.canvas, [outline.level], colors=outline.colour, linewidths=outline.width)
    _write(axes, sheet)
    axes.set_xlim(edges[:2])
    axes.set_ylim(edges[2:])
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())[..., :3]


def _write(axes: Any, sheet: Sheet) -> None:
    """Write above every tile what lies at its sides and where it was cut."""
    style: Any = {"color": "#e8eef5", "fontsize": 12.5, "va": "center"}
    middle = _LABEL / 2 / sheet.scale
    for r, (row, places, shapes) in enumerate(zip(sheet.rows, sheet.places, sheet.shapes, strict=True)):
        for k, (plane, (bottom, left), (tall, wide)) in enumerate(zip(row.planes, places, shapes, strict=True)):
            y, margin = bottom + tall + middle, 6 / sheet.scale
            start, stop = plane.letters[:2]
            axes.text(left + margin, y, start, ha="left", weight="bold", **style)
            axes.text(left + wide - margin, y, stop, ha="right", weight="bold", **style)
            text = sheet.labels[r][k] if sheet.labels else position(plane)
            axes.text(left + wide / 2, y, text, ha="center", **style)
        if row.heading:
            top = max(bottom + tall for (bottom, _), (tall, _) in zip(places, shapes, strict=True))
            y = top + (_LABEL + _HEADING / 2) / sheet.scale
            axes.text(
                places[0][1] + 6 / sheet.scale, y, row.heading, ha="left", weight="bold", **style | {"fontsize": 14}
            )
