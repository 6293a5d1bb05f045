"""Planes of brains side by side on black, in rows under titles, with one colour bar and a note below them all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from pellucid.ground.arrays import Float64Array
from pellucid.image.grid import Grid
from pellucid.image.masks import bounding_box
from pellucid.image.planes import planes, to_ras
from pellucid.report.pictures.brain import Bar, Paint, Scene, colour_bar, draw_plane
from pellucid.report.pictures.notes import note_height, write_note
from pellucid.report.pictures.style import ALARM, drawn, row_height, styled

NAMES = ("axial", "coronal", "sagittal")

_WIDTH = 8.2
_MARGIN_MM = 5.0
# Inches: around the blocks, between them, between tiles, the title above, the colour bar and a line of its labels.
_EDGE, _BETWEEN, _GAP, _TITLE, _BAR, _BAR_LINE = 0.12, 0.22, 0.03, 0.27, 0.14, 0.16
_TITLE_LINE, _TITLE_LETTER = 0.155, 0.105  # inches: of a block's title
_ALARM_LINE, _ALARM_LETTER = 0.14, 0.078  # inches: of what is wrong with it
_BAR_WIDTH = 5.0


@dataclass(frozen=True, eq=False)
class Block:
    """Rows of planes of one scene, a row a centre (world millimetres), under one title and what is wrong with it."""

    title: str
    scene: Scene
    centres: Sequence[Float64Array]
    paint: Paint | None = None
    alarms: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class Frame:
    """What tiles show of the world, millimetres, (3,) each."""

    low: Float64Array
    high: Float64Array

    @classmethod
    def around(cls, brain: npt.ArrayLike, grid: Grid) -> Frame:
        """Return the bounding box of a brain mask (X, Y, Z), with a margin of 5 mm."""
        turned, ras = to_ras(np.asarray(brain, dtype=bool), grid)
        box = bounding_box(turned)
        low = ras.world([span.start - 0.5 for span in box]) - _MARGIN_MM
        return cls(low, ras.world([span.stop - 0.5 for span in box]) + _MARGIN_MM)

    def spans(self, names: Sequence[str]) -> list[float]:
        """Return the width of the tile of each plane."""
        x, y, _ = self.high - self.low
        return [float(y if name == "sagittal" else x) for name in names]

    def tall(self, names: Sequence[str]) -> float:
        """Return the height of all tiles: the largest that any of the planes needs."""
        _, y, z = self.high - self.low
        return float(max(y if name == "axial" else z for name in names))


def foot(*scenes: Scene) -> str:
    """Say below a picture what its marks mean."""
    said = ["For research only. Neurological convention: left (L) is the participant's left."]
    if not all(scene.seen.all() for scene in scenes):
        said.append("Hatched: outside the network's field of view, where a map contains no information.")
    if any(scene.lesions is not None and scene.lesions.any() for scene in scenes):
        said.append("Yellow: lesion mask.")
    return " ".join(said)


def lay_out(
    blocks: Sequence[Block],
    frame: Frame,
    *,
    note: str,
    bar: Bar | None = None,
    width: float = _WIDTH,
    across: int = 1,
    names: Sequence[str] = NAMES,
    marked: bool = True,
) -> Figure:
    """Draw blocks of tiles, `across` side by side, a colour bar below them, and a note at the foot.

    # deviates: drawn in the neurological convention with letters. The paper's code turns raw arrays by 90 degrees, so
    that files in FSL's order come out with the subject's right on the left, and no picture says which side is which.

    Parameters
    ----------
    blocks, across
        What to draw, and how many side by side.
    frame, names
        What tiles show of the world, and which planes, in this order.
    note, bar
        What stands below.
    width
        Of the figure, in inches.
    marked
        What `draw_plane` marks; the paper marks nothing.
    """
    spans, tall = frame.spans(names), frame.tall(names)
    rows = [list(blocks[start : start + across]) for start in range(0, len(blocks), across)]
    free = width - 2 * _EDGE - (across - 1) * _BETWEEN - across * (len(names) - 1) * _GAP
    scale = free / (across * sum(spans))  # inches a millimetre
    block_width = sum(spans) * scale + (len(names) - 1) * _GAP
    heads = [[_Head.of(block, block_width) for block in row] for row in rows]
    tops = [max(head.height for head in some) for some in heads]
    heights = [
        above + max(len(block.centres) for block in row) * (tall * scale + _GAP)
        for row, above in zip(rows, tops, strict=True)
    ]
    below = note_height(note, width)
    lines = 0 if bar is None else max(word.count("\n") for _, word in bar.words) + 1 + bool(bar.unit)
    room = 0.0 if bar is None else 2 * _EDGE + _BAR + lines * _BAR_LINE
    height = _EDGE + sum(heights) + (len(rows) - 1) * _EDGE + room + below
    figure = Figure(figsize=(width, height))
    top = height - _EDGE
    for row, some, used, above in zip(rows, heads, heights, tops, strict=True):
        for column, (block, head) in enumerate(zip(row, some, strict=True)):
            left = _EDGE + column * (block_width + _BETWEEN)
            head.write(figure, left, top)
            _block(figure, block, left, top - above, scale, frame, names, marked=marked)
        top -= used + _EDGE
    if bar is not None:
        reach = min(_BAR_WIDTH, 0.72 * width)
        place = ((width - reach) / 2 / width, (below + room - _EDGE - _BAR) / height, reach / width, _BAR / height)
        colour_bar(figure.add_axes(place), bar)
    write_note(figure, note)
    return figure


draw_tiles = styled(lay_out)
"""`lay_out` in Pellucid's type."""


@dataclass(frozen=True)
class _Head:
    """What stands above a block, in lines that fit its width: the title, and in red what is wrong."""

    title: str
    alarms: str

    @classmethod
    def of(cls, block: Block, width: float) -> _Head:
        alarms = drawn(f"ALARM: {'; '.join(block.alarms)}.", int(width / _ALARM_LETTER)) if block.alarms else ""
        return cls(drawn(block.title, int(width / _TITLE_LETTER)), alarms)

    @property
    def height(self) -> float:
        """Inches."""
        warned = _ALARM_LINE * (self.alarms.count("\n") + 1) + 0.04 if self.alarms else 0.0
        return self._title + warned

    @property
    def _title(self) -> float:
        return _TITLE - _TITLE_LINE + row_height([self.title], _TITLE_LINE)

    def write(self, figure: Figure, left: float, top: float) -> None:
        """Write it from an upper left corner on, inches."""
        width, height = figure.get_size_inches()
        x, y = left / width, (top - 0.04) / height
        figure.text(x, y, self.title, fontsize=10.5, weight="bold", va="top", linespacing=1.0)
        if self.alarms:
            y = (top - self._title) / height
            figure.text(x, y, self.alarms, fontsize=8, weight="bold", color=ALARM, va="top", linespacing=1.1)


def _block(
    figure: Figure,
    block: Block,
    left: float,
    top: float,
    scale: float,
    frame: Frame,
    names: Sequence[str],
    *,
    marked: bool,
) -> None:
    """Draw the tiles of a block from its upper left corner on, inches."""
    width, height = figure.get_size_inches()
    tall = frame.tall(names)
    for line, centre in enumerate(block.centres):
        cuts = {plane.name: plane for plane in planes(block.scene.grid, centre)}
        x = left
        for name, span in zip(names, frame.spans(names), strict=True):
            plane = cuts[name]
            bottom = top - (line + 1) * tall * scale - line * _GAP
            axes = figure.add_axes((x / width, bottom / height, span * scale / width, tall * scale / height))
            middle = (frame.low[plane.up] + frame.high[plane.up]) / 2
            axes.set_xlim(frame.low[plane.across], frame.high[plane.across])
            axes.set_ylim(middle - tall / 2, middle + tall / 2)
            axes.set_autoscale_on(False)
            draw_plane(axes, block.scene, plane, block.paint, centre=centre, marked=marked)
            x += span * scale + _GAP
