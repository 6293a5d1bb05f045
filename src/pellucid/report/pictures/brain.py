"""A plane of a brain on black: the scan in grey, values in colour, lesions, what is not seen, and where it was cut."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patheffects import withStroke
from scipy import ndimage

from pellucid.ground.arrays import AnyArray, BoolArray, Float64Array, FloatArray
from pellucid.image.grid import Grid
from pellucid.image.planes import Plane, to_ras

Paint = Callable[[Float64Array], Float64Array]
"""Values (...) to colours RGBA (..., 4)."""

LESION = "#ffd84d"
"""The colour of a lesion mask's outline."""

_WINDOW = (1.0, 50.0, 99.7)  # percentiles: white is the last, black a fifth as far below the first as the middle
_BELOW = 0.2
_TINY = 1e-12
_DIM = 0.45  # brightness of what the network cannot see
_HATCH, _FRAME = "#8fa3b8", "#e8eef5"
_FAR_MM = 200.0  # beyond any picture
_MARK = 0.03  # of a picture's side: the marks at its edges that point to the cut of the other planes
_SCALE_MM = 50.0


@dataclass(frozen=True, eq=False)
class Scene:
    """Volumes (X, Y, Z) in RAS order: a scan in grey, 0 to 1; what is painted over it; what is seen; lesions."""

    grid: Grid
    grey: Float64Array
    values: Float64Array | None
    seen: BoolArray
    lesions: BoolArray | None

    @classmethod
    def of(
        cls,
        grid: Grid,
        grey: npt.ArrayLike,
        values: npt.ArrayLike | None = None,
        seen: npt.ArrayLike | None = None,
        lesions: npt.ArrayLike | None = None,
    ) -> Scene:
        """Turn volumes on `grid` to RAS order; without `seen` all is seen.

        Raises
        ------
        InputError
            If a volume is not on the grid, or the grid is oblique.
        """
        turned, ras = to_ras(np.asarray(grey, dtype=np.float64), grid)
        view = np.ones(grid.shape, dtype=bool) if seen is None else np.asarray(seen, dtype=bool)
        painted = None if values is None else to_ras(np.asarray(values, dtype=np.float64), grid)[0]
        drawn = None if lesions is None else to_ras(np.asarray(lesions, dtype=bool), grid)[0]
        return cls(ras, turned, painted, to_ras(view, grid)[0], drawn)


@dataclass(frozen=True)
class Bar:
    """A colour bar from `low` to `high` with words at some values and a unit below them, over white or grey."""

    paint: Paint
    low: float
    high: float
    words: Sequence[tuple[float, str]]
    unit: str = ""
    backdrop: float = 0.5


def window(values: FloatArray) -> tuple[float, float]:
    """Return the intensities to be drawn black and white, of those in the brain; robust to the darkest and brightest.

    Black lies somewhat below the darkest: scaled images are cut off just below white matter, and fluid must stay apart
    from the black around the brain.
    """
    if not values.size:
        return 0.0, 1.0
    low, middle, high = (float(v) for v in np.percentile(values, _WINDOW))
    return low - _BELOW * (middle - low), high


def shade(values: AnyArray, limits: tuple[float, float], brain: BoolArray | None = None) -> AnyArray:
    """Return grey levels 0 to 1 of intensities between two limits; black is what is not brain, or exactly 0."""
    low, high = limits
    grey = np.clip((values - low) / max(high - low, _TINY), 0.0, 1.0)
    return np.where(values != 0 if brain is None else brain, grey, 0.0)


def grey_levels(scan: npt.ArrayLike) -> Float64Array:
    """Bring a scan (X, Y, Z), exactly 0 outside the brain, to grey levels 0 to 1 by what is in the brain."""
    x = np.asarray(scan, dtype=np.float64)
    brain = ndimage.binary_fill_holes(x != 0)
    return shade(x, window(x[brain]), brain)


def draw_plane(
    axes: Axes, scene: Scene, plane: Plane, paint: Paint | None, *, centre: Float64Array, marked: bool
) -> None:
    """Draw one plane of a scene on axes in millimetres, in the neurological convention, with letters at its edges.

    `marked` dims, hatches and frames what is not seen, marks at the edges where the other two planes cut through
    `centre`, and gives a scale.
    """
    axes.set_facecolor("black")
    axes.grid(visible=False)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    seen = plane.cut(scene.seen)
    grey = plane.cut(scene.grey) * np.where(seen | (not marked), 1.0, _DIM)
    where: Any = {"origin": "lower", "extent": plane.extent, "aspect": "auto"}
    axes.imshow(np.repeat(grey[..., None], 3, axis=2), interpolation="bilinear", **where)
    if scene.values is not None and paint is not None:
        axes.imshow(paint(plane.cut(scene.values)), interpolation="nearest", **where)
    if scene.lesions is not None:
        outline(axes, plane, plane.cut(scene.lesions), LESION, 0.9)
    if marked:
        _mark_unseen(axes, plane, ~seen)
        _mark_cuts(axes, plane, centre)
        _mark_scale(axes)
    ends = ((0.06, 0.5), (0.94, 0.5), (0.5, 0.06), (0.5, 0.94))
    for letter, (across, up) in zip(plane.letters, ends, strict=True):
        _write(axes, across, up, letter, size=7.5, ha="center", va="center")
    _write(axes, 0.03, 0.03, position(plane), size=7.0, va="bottom")


def position(plane: Plane) -> str:
    """Write where a plane was cut: `z = −12 mm`."""
    return f"{'xyz'[plane.normal]} = {plane.position:.0f} mm".replace("-", "−")


def outline(axes: Axes, plane: Plane, mask: BoolArray, colour: str, width: float) -> None:
    """Draw a line along the voxel faces around a mask, (rows, columns) of a plane."""
    axes.add_collection(LineCollection(list(faces(plane, mask)), colors=colour, linewidths=width, capstyle="round"))


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


def colour_bar(axes: Axes, bar: Bar) -> None:
    """Draw a colour scale from left to right, as it looks over its backdrop."""
    rgba = bar.paint(np.linspace(bar.low, bar.high, 256)[None, :])
    shown = rgba[..., :3] * rgba[..., 3:] + bar.backdrop * (1.0 - rgba[..., 3:])
    axes.imshow(shown, extent=(bar.low, bar.high, 0.0, 1.0), aspect="auto")
    axes.grid(visible=False)
    axes.set_yticks([])
    axes.set_xticks([value for value, _ in bar.words], [word for _, word in bar.words], fontsize=8.5)
    axes.set_xlabel(bar.unit, labelpad=2)
    axes.tick_params(length=2)
    axes.spines[:].set_visible(False)


def _mark_unseen(axes: Axes, plane: Plane, unseen: BoolArray) -> None:
    """Hatch and frame what is not seen; at the grid's edge it goes on, for a picture may show more than the grid."""
    if not unseen.any():
        return
    left, right, bottom, top = plane.extent
    rows, columns = unseen.shape
    x = left + (np.arange(columns) + 0.5) * (right - left) / columns
    y = bottom + (np.arange(rows) + 0.5) * (top - bottom) / rows
    x, y = (np.r_[line[0] - _FAR_MM, line, line[-1] + _FAR_MM] for line in (x, y))
    wide = np.pad(unseen, 1, mode="edge")
    hatched = axes.contourf(x, y, wide, levels=[0.5, 1.5], colors="none", hatches=["///"])
    hatched.set_edgecolor(_HATCH)
    hatched.set_linewidth(0)
    axes.contour(x, y, wide, levels=[0.5], colors=_FRAME, linewidths=0.9, linestyles="--")


def _mark_cuts(axes: Axes, plane: Plane, centre: Float64Array) -> None:
    for value, line in ((centre[plane.across], axes.axvline), (centre[plane.up], axes.axhline)):
        for start in (0.0, 1.0 - _MARK):
            line(float(value), start, start + _MARK, color="white", linewidth=1.2)


def _mark_scale(axes: Axes) -> None:
    """Draw a line of 50 mm in the lower right corner."""
    left, right = axes.get_xlim()
    end = right - 0.04 * (right - left)
    at = axes.get_xaxis_transform()
    axes.plot([end - _SCALE_MM, end], [0.03, 0.03], transform=at, color="white", linewidth=1.4, solid_capstyle="butt")
    _write(axes, 0.96, 0.045, f"{_SCALE_MM:.0f} mm", size=7.0, ha="right", va="bottom")


def _write(axes: Axes, across: float, up: float, text: str, **how: Any) -> None:
    """Write white on any ground, at a place in shares of the picture."""
    rim = [withStroke(linewidth=1.6, foreground="black")]
    axes.text(across, up, text, transform=axes.transAxes, color="white", path_effects=rim, **how)
