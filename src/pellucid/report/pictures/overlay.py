"""A relevance map over its scan in three planes: where, how much, for or against, and what was never looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from scipy import ndimage

from pellucid.ground.arrays import BoolArray, Float64Array
from pellucid.ground.errors import InputError
from pellucid.ground.files import atomic_path
from pellucid.image.grid import Grid
from pellucid.image.planes import Plane, planes, to_ras
from pellucid.report.pictures.style import ALARM, DPI, MUTED, drawn, styled

UNIT = "relevance (logit units per voxel)"
LIMIT_PERCENTILE = 99.9

_WINDOW = (
    1.0,
    50.0,
    99.7,
)  # percentiles of the brain: white is the last, black half as far below the first as the middle
_DIM = 0.45  # brightness of what the network cannot see
_MARGIN_MM = 5.0
_FAR_MM = 200.0  # beyond any panel
_LESION, _FRAME = "#ffd84d", "#e8eef5"
# Inches around the panels: room for tick labels, title, notes and the colour bar.
_LEFT, _GAP, _BAR_GAP, _BAR, _RIGHT, _TOP, _BOTTOM = 0.55, 0.56, 0.20, 0.13, 1.00, 0.62, 0.72
_WIDTH = 8.8
_WARNING_TOP, _LINE = 0.31, 0.15
_TITLE_LETTERS, _TITLE_LINE = 78, 0.18
_WARNING_LETTERS, _NOTE_LETTERS = 125, 145  # to a line


def symmetric_limit(maps: Sequence[npt.ArrayLike]) -> float:
    """Return the colour limit for maps shown side by side: the 99.9th percentile of |R| over voxels where R is not 0.

    1 if no voxel differs from 0, so that the scale stays valid.
    """
    sizes = np.concatenate([np.abs(np.asarray(values, dtype=np.float64)).ravel() for values in maps])
    sizes = sizes[sizes > 0]
    return float(np.percentile(sizes, LIMIT_PERCENTILE)) if sizes.size else 1.0


def strongest_voxel(relevance: npt.ArrayLike, seen: npt.ArrayLike) -> tuple[int, int, int]:
    """Return the seen voxel that argues most for the verdict.

    That is the voxel of largest relevance if the map's sum is positive (towards patient), of smallest otherwise.
    """
    values = np.asarray(relevance, dtype=np.float64)
    directed = values if values.sum() >= 0 else -values
    i, j, k = np.unravel_index(np.where(np.asarray(seen), directed, -np.inf).argmax(), values.shape)
    return int(i), int(j), int(k)


def colours(relevance: Float64Array, limit: float) -> Float64Array:
    """Map relevance to RGBA (..., 4): coolwarm between -limit and limit, opacity |R| / limit, so that 0 is transparent.

    # deviates: the paper's opacity is a parabola in R, which shows little but the extremes.
    """
    t = np.clip(relevance / limit, -1.0, 1.0)
    rgba = np.asarray(mpl.colormaps["coolwarm"]((t + 1.0) / 2.0), dtype=np.float64)
    rgba[..., 3] = np.abs(t)
    return rgba


@styled
def draw_map(
    image: npt.ArrayLike,
    relevance: npt.ArrayLike,
    grid: Grid,
    seen: npt.ArrayLike,
    *,
    lesions: npt.ArrayLike | None = None,
    title: str,
    centre: Sequence[float] | None = None,
    limit: float | None = None,
    path: Path,
    unit: str = UNIT,
    note: str = "",
    alarms: Sequence[str] = (),
) -> Path:
    """Draw a relevance map over its scan in the axial, coronal and sagittal plane, and write it as PNG or SVG.

    The picture follows the neurological convention: the subject's left is on the left, and every edge has its letter.
    Axes are world millimetres. What lies outside the field of view is dimmed, hatched and framed.

    Parameters
    ----------
    image
        The scan, (X, Y, Z), exactly 0 outside the brain; any intensity scale.
    relevance
        The map on the same grid; warm colours speak for the patient class, cool ones against.
    grid
        Shape and affine of both; axes along the world's, in any order and direction.
    seen
        The field of view, bool, same shape.
    lesions
        A lesion mask to outline, same shape.
    title
        Heading of the picture.
    centre
        World millimetres of the cut; `strongest_voxel` if not given.
    limit
        Relevance at the ends of the colour scale; `symmetric_limit` if not given. Give one for maps to be compared.
    path
        The file to write; its suffix decides the format.
    unit
        What the colour bar says.
    note
        A sentence to stand below the picture.
    alarms
        What is wrong with the map, in red under the title.

    Returns
    -------
    `path`.

    Raises
    ------
    InputError
        If a volume is not on the grid, or the grid is oblique.
    """
    values = np.asarray(relevance, dtype=np.float64)
    middle = grid.world(strongest_voxel(values, seen)) if centre is None else np.asarray(centre, dtype=np.float64)
    top = symmetric_limit([values]) if limit is None else float(limit)
    scene = _Scene(image, grid, seen, middle, relevance=values, lesions=lesions, limit=top)
    figure = scene.figure(title, unit, note=note, alarms=alarms)
    _write(figure, path)
    return path


@styled
def draw_field_of_view(
    image: npt.ArrayLike, grid: Grid, seen: npt.ArrayLike, *, title: str, centre: Sequence[float], path: Path
) -> Path:
    """Draw what a network can see, over a template or scan: `draw_map` without a map."""
    figure = _Scene(image, grid, seen, np.asarray(centre, dtype=np.float64)).figure(title, "")
    _write(figure, path)
    return path


class _Scene:
    """Volumes turned to RAS order, and the planes to draw."""

    def __init__(
        self,
        image: npt.ArrayLike,
        grid: Grid,
        seen: npt.ArrayLike,
        centre: Float64Array,
        *,
        relevance: Float64Array | None = None,
        lesions: npt.ArrayLike | None = None,
        limit: float = 1.0,
    ) -> None:
        scan, self.grid = to_ras(np.asarray(image, dtype=np.float64), grid)
        self.brain: BoolArray = ndimage.binary_fill_holes(scan != 0)
        if not self.brain.any():
            raise InputError("image", "every voxel is 0", "Draw the map over the scan that was explained")
        low, middle, high = np.percentile(scan[self.brain], _WINDOW)
        # Scaled images are cut off just below white matter: fluid must stay apart from the black around the brain.
        low -= 0.5 * (middle - low)
        grey = np.clip((scan - low) / max(high - low, np.finfo(float).tiny), 0.0, 1.0)
        self.seen = to_ras(np.asarray(seen, dtype=bool), grid)[0]
        self.grey: Float64Array = np.where(self.brain, grey * np.where(self.seen, 1.0, _DIM), 0.0)
        self.relevance = None if relevance is None else to_ras(relevance, grid)[0]
        drawn = None if lesions is None else to_ras(np.asarray(lesions, dtype=bool), grid)[0]
        self.lesions = drawn if drawn is not None and drawn.any() else None
        self.limit = limit
        self.centre = centre
        self.planes = planes(self.grid, centre)

    def figure(self, title: str, unit: str, *, note: str = "", alarms: Sequence[str] = ()) -> Figure:
        """Lay out three black panels of one scale and one height, with a colour bar if there is a map."""
        heading = drawn(title, _TITLE_LETTERS)
        down = (len(heading.split("\n")) - 1) * _TITLE_LINE
        warning = drawn(f"ALARM: {'; '.join(alarms)}.", _WARNING_LETTERS).split("\n") if alarms else []
        notes = drawn("  ".join([self._notes(), *([note] if note else [])]), _NOTE_LETTERS).split("\n")
        bottom = _BOTTOM + (len(notes) - 1) * _LINE
        low, high = self._box()
        spans = [high[plane.across] - low[plane.across] for plane in self.planes]
        tall = max(high[plane.up] - low[plane.up] for plane in self.planes)
        bar = _BAR_GAP + _BAR + _RIGHT if self.relevance is not None else 0.2
        scale = (_WIDTH - _LEFT - 2 * _GAP - bar) / sum(spans)  # inches a millimetre
        height = _TOP + down + len(warning) * _LINE + tall * scale + bottom
        figure = Figure(figsize=(_WIDTH, height))
        left = _LEFT
        for plane, span in zip(self.planes, spans, strict=True):
            place = (left / _WIDTH, bottom / height, span * scale / _WIDTH, tall * scale / height)
            axes = figure.add_axes(place)
            middle = (low[plane.up] + high[plane.up]) / 2
            self._panel(axes, plane)
            axes.set_xlim(low[plane.across], high[plane.across])
            axes.set_ylim(middle - tall / 2, middle + tall / 2)
            left += span * scale + _GAP
        if self.relevance is not None:
            place = ((left - _GAP + _BAR_GAP) / _WIDTH, bottom / height, _BAR / _WIDTH, tall * scale / height)
            clipped = bool(np.abs(self.relevance).max() > self.limit)
            _colour_bar(figure.add_axes(place), self.limit, unit, clipped=clipped)
        figure.text(_LEFT / _WIDTH, 1 - 0.10 / height, heading, fontsize=11, fontweight="bold", va="top")
        for n, line in enumerate(warning):
            across, up = _LEFT / _WIDTH, 1 - (_WARNING_TOP + down + n * _LINE) / height
            figure.text(across, up, line, fontsize=8, fontweight="bold", color=ALARM, va="top")
        for n, line in enumerate(reversed(notes)):
            figure.text(_LEFT / _WIDTH, (0.10 + n * _LINE) / height, line, fontsize=7.5, color=MUTED, va="bottom")
        return figure

    def _panel(self, axes: Axes, plane: Plane) -> None:
        axes.set_facecolor("black")
        axes.grid(visible=False)
        _show(axes, plane, np.repeat(plane.cut(self.grey)[..., None], 3, axis=2), "bilinear")
        if self.relevance is not None:
            _show(axes, plane, colours(plane.cut(self.relevance), self.limit), "nearest")
        x, y, unseen = _beyond(plane, ~plane.cut(self.seen))
        if unseen.any():
            hatch = axes.contourf(x, y, unseen, levels=[0.5, 1.5], colors="none", hatches=["///"])
            hatch.set_edgecolor("#8fa3b8")
            hatch.set_linewidth(0)
            axes.contour(x, y, unseen, levels=[0.5], colors=_FRAME, linewidths=1.1, linestyles="--")
        if self.lesions is not None:
            outline = faces(plane, plane.cut(self.lesions))
            axes.add_collection(LineCollection(list(outline), colors=_LESION, linewidths=0.9, capstyle="round"))
        for value, line in ((self.centre[plane.across], axes.axvline), (self.centre[plane.up], axes.axhline)):
            for start, stop in ((0.0, 0.03), (0.97, 1.0)):
                line(value, start, stop, color="white", linewidth=1.4)
        for letter, (across, up) in zip(
            plane.letters, ((0.08, 0.5), (0.92, 0.5), (0.5, 0.07), (0.5, 0.93)), strict=True
        ):
            axes.text(
                across,
                up,
                letter,
                transform=axes.transAxes,
                ha="center",
                va="center",
                color="white",
                weight="bold",
                size=11,
            )
        axis = "xyz"[plane.normal]
        position = f"{plane.position:.0f}".replace("-", "−")
        axes.set_title(f"{plane.name}, {axis} = {position} mm", fontsize=9, fontweight="normal", pad=4)
        axes.set_xlabel(f"{'xyz'[plane.across]} (mm)", labelpad=1)
        axes.set_ylabel(f"{'xyz'[plane.up]} (mm)", labelpad=-2)
        for side in (axes.xaxis, axes.yaxis):
            side.set_major_locator(mpl.ticker.MultipleLocator(50))

    def _box(self) -> tuple[Float64Array, Float64Array]:
        """Return the brain's bounding box in world millimetres, with a margin."""
        where = np.argwhere(self.brain)
        low = self.grid.world(where.min(axis=0) - 0.5) - _MARGIN_MM
        high = self.grid.world(where.max(axis=0) + 0.5) + _MARGIN_MM
        return low, high

    def _notes(self) -> str:
        notes = ["For research only.", "Neurological convention: left (L) is the participant's left."]
        if not self.seen.all():
            notes.append("Hatched: outside the network's field of view.")
        if self.lesions is not None:
            notes.append("Yellow: lesion mask.")
        return "  ".join(notes)


def _show(axes: Axes, plane: Plane, picture: Float64Array, interpolation: str) -> None:
    axes.imshow(picture, origin="lower", extent=plane.extent, aspect="auto", interpolation=interpolation)


def _beyond(plane: Plane, mask: BoolArray) -> tuple[Float64Array, Float64Array, BoolArray]:
    """Return voxel centres and a mask that goes on beyond the grid as it is at its edge, where panels show more."""
    left, right, bottom, top = plane.extent
    rows, columns = mask.shape
    x = left + (np.arange(columns) + 0.5) * (right - left) / columns
    y = bottom + (np.arange(rows) + 0.5) * (top - bottom) / rows
    wide_x = np.r_[left - _FAR_MM, x, right + _FAR_MM]
    wide_y = np.r_[bottom - _FAR_MM, y, top + _FAR_MM]
    return wide_x, wide_y, np.pad(mask, 1, mode="edge")


def faces(plane: Plane, mask: BoolArray) -> Float64Array:
    """Return the voxel faces between a mask, (rows, columns), and its outside: (n, 2, 2), segments of two points."""
    left, right, bottom, top = plane.extent
    x = np.linspace(left, right, mask.shape[1] + 1)
    y = np.linspace(bottom, top, mask.shape[0] + 1)
    padded = np.pad(mask, 1)
    row, edge = np.nonzero(padded[1:-1, 1:] != padded[1:-1, :-1])
    upright = np.stack([np.stack([x[edge], y[row]], -1), np.stack([x[edge], y[row + 1]], -1)], axis=1)
    edge, column = np.nonzero(padded[1:, 1:-1] != padded[:-1, 1:-1])
    level = np.stack([np.stack([x[column], y[edge]], -1), np.stack([x[column + 1], y[edge]], -1)], axis=1)
    return np.concatenate([upright, level])


def _colour_bar(axes: Axes, limit: float, unit: str, *, clipped: bool) -> None:
    """Draw the colour scale as it looks over middle grey; `clipped` says that some voxels lie beyond its ends."""
    ramp = np.linspace(-limit, limit, 256)[:, None]
    rgba = colours(ramp, limit)
    over_grey = rgba[..., :3] * rgba[..., 3:] + 0.5 * (1 - rgba[..., 3:])
    axes.imshow(over_grey, origin="lower", extent=(0, 1, -limit, limit), aspect="auto")
    axes.grid(visible=False)
    axes.set_xticks([])
    axes.yaxis.tick_right()
    axes.yaxis.set_label_position("right")
    half, whole = f"{limit / 2:.3g}", f"{limit:.3g}"
    ends = ("≤ ", "≥ ") if clipped else ("", "")
    labels = [f"{ends[0]}−{whole}", f"−{half}", "0", f"+{half}", f"{ends[1]}+{whole}"]
    axes.set_yticks([-limit, -limit / 2, 0, limit / 2, limit], labels)
    axes.set_ylabel(unit, labelpad=4)
    axes.spines[:].set_visible(False)


def _write(figure: Figure, path: Path) -> None:
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=DPI, metadata={"Date": None} if path.suffix == ".svg" else None)
