"""A relevance map over its scan in three planes: where, how much, for or against, and what was never looked at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from pellucid.ground.errors import InputError
from pellucid.image.grid import Grid
from pellucid.report.pictures.brain import Scene, grey_levels
from pellucid.report.pictures.relevance import relevance_bar, relevance_paint, strongest_voxel, symmetric_limit
from pellucid.report.pictures.tiles import Block, Frame, draw_tiles, foot


def map_figure(
    image: npt.ArrayLike,
    relevance: npt.ArrayLike,
    grid: Grid,
    seen: npt.ArrayLike,
    *,
    title: str,
    lesions: npt.ArrayLike | None = None,
    centre: Sequence[float] | None = None,
    limit: float | None = None,
    note: str = "",
    alarms: Sequence[str] = (),
) -> Figure:
    """Draw a relevance map over its scan in the axial, coronal and sagittal plane.

    The picture follows the neurological convention: the subject's left is on the left, and every edge has its letter.
    What lies outside the field of view is dimmed, hatched and framed.

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
    title
        Heading of the picture.
    lesions
        A lesion mask to outline, same shape.
    centre
        World millimetres of the cut; `strongest_voxel` if not given.
    limit
        Relevance at the ends of the colour scale; `symmetric_limit` if not given. Give one for maps to be compared.
    note
        A sentence to stand below the picture.
    alarms
        What is wrong with the map, in red under the title.

    Raises
    ------
    InputError
        If a volume is not on the grid, or the grid is oblique, or the scan is empty.
    """
    values = np.asarray(relevance, dtype=np.float64)
    middle = grid.world(strongest_voxel(values, seen)) if centre is None else np.asarray(centre, dtype=np.float64)
    top = symmetric_limit([values]) if limit is None else float(limit)
    scene = Scene.of(grid, grey_levels(image), values, seen, lesions)
    block = Block(title, scene, [middle], relevance_paint(top), alarms)
    bar = relevance_bar(top, clipped=bool(np.abs(values).max() > top))
    return draw_tiles([block], _frame(image, grid), bar=bar, note=f"{foot(scene)} {note}".rstrip())


def field_of_view_figure(
    image: npt.ArrayLike, grid: Grid, seen: npt.ArrayLike, *, title: str, centre: Sequence[float]
) -> Figure:
    """Draw what a network can see, over a template or scan: `map_figure` without a map."""
    scene = Scene.of(grid, grey_levels(image), seen=seen)
    block = Block(title, scene, [np.asarray(centre, dtype=np.float64)])
    return draw_tiles([block], _frame(image, grid), note=foot(scene))


def _frame(image: npt.ArrayLike, grid: Grid) -> Frame:
    brain = np.asarray(image) != 0
    if not brain.any():
        raise InputError("image", "every voxel is 0", "Draw the map over the scan that was explained")
    return Frame.around(brain, grid)
