"""The shape of a foreground: its size, faces where it is cut off, and empty slices."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pellucid.gate import bounds
from pellucid.gate.finding import PREPROCESS, RECONVERT, Finding
from pellucid.ground.arrays import BoolArray, Float64Array
from pellucid.image.grid import Grid

TEMPLATE_ML = 1834.6
"""Volume of the MNI152NLin6Asym brain, holes filled."""

_FIELDS_MM = np.array([(180.5, 216.5, 180.5), (192.0, 228.0, 192.0), (196.0, 232.0, 188.0)])
"""From the first voxel's centre to the last one's in MNI grids: FSL's and SPM's, TemplateFlow's, nilearn's."""

_DIRECTIONS = (("left", "right"), ("back", "front"), ("bottom", "top"))


class Face(NamedTuple):
    """The outermost `FACE_MM` of a brain on one side: which side, and its mean area there in cm²."""

    side: str
    area: float


def profile(mask: BoolArray, grid: Grid, axis: int) -> Float64Array:
    """Return the area of each slice of `mask`: (X, Y, Z) across a voxel axis, in cm²."""
    counts = mask.sum(axis=tuple(a for a in range(3) if a != axis), dtype=np.int64)
    return np.asarray(counts * (grid.voxel_volume_ml * 10.0 / grid.voxel_sizes[axis]))


def edges(brain: BoolArray, grid: Grid) -> list[Face]:
    """Return how much of a brain (X, Y, Z) lies on each of the six outermost slices of its image."""
    found = []
    for axis in range(3):
        areas = profile(brain, grid, axis)
        found += [Face(_side(grid, axis, end), float(areas[-end])) for end in (0, 1)]
    return found


def faces(brain: BoolArray, grid: Grid) -> list[Face]:
    """Return the six faces of a brain (X, Y, Z) along the axes of its voxels.

    The area is the volume of the outermost `FACE_MM` over that depth, so that it hardly depends on the voxels' size. A
    whole brain is round there; a plane that cuts through it leaves a wide face.
    """
    found = []
    for axis, size in enumerate(grid.voxel_sizes):
        areas = profile(brain, grid, axis)
        inside = np.flatnonzero(areas)
        for end, ordered in ((0, areas[inside[0] :]), (1, areas[: inside[-1] + 1][::-1])):
            depth = np.arange(len(ordered) + 1) * size
            volume = np.concatenate([[0.0], np.cumsum(ordered) * size])
            found.append(Face(_side(grid, axis, end), float(np.interp(bounds.FACE_MM, depth, volume)) / bounds.FACE_MM))
    return found


def _side(grid: Grid, axis: int, end: int) -> str:
    """Name the side of the head to which a voxel axis begins (`end` 0) or ends (1)."""
    world = int(np.abs(grid.affine[:3, axis]).argmax())
    return _DIRECTIONS[world][end if grid.affine[world, axis] > 0 else 1 - end]


def empty_slices(foreground: BoolArray, grid: Grid) -> int:
    """Count the slices without foreground between two of `GAP_CM2` and more, across the axis that has most of them."""
    most = 0
    for axis in range(3):
        areas = profile(foreground, grid, axis)
        full = np.flatnonzero(areas >= bounds.GAP_CM2)
        if full.size:
            most = max(most, int((areas[full[0] : full[-1]] == 0.0).sum()))
    return most


def field_size(grid: Grid) -> float | None:
    """Return a grid's edges over those of the MNI template's grid whose proportions it has; None if it has none's.

    Scans in MNI space lie on grids of the template's field of view, whatever their voxels' size. A grid of the same
    proportions in another size has wrong voxel sizes in its header.

    >>> round(field_size(Grid.of((91, 109, 91), np.diag([1.6, 1.6, 1.6, 1.0]))), 3)
    0.798
    """
    world = np.abs(grid.affine[:3, :3]).argmax(axis=0)
    edges = np.zeros(3)
    edges[world] = (np.array(grid.shape) - 1.0) * grid.voxel_sizes
    if not (edges > 0.0).all():
        return None
    sizes = [edges / field for field in _FIELDS_MM]
    alike = [float(np.mean(size)) for size in sizes if size.max() <= (1.0 + bounds.PROPORTION) * size.min()]
    return min(alike, key=lambda size: abs(size - 1.0), default=None)


def judge_size(ratio: float, field: float | None = None) -> list[Finding]:
    """Judge a foreground's volume over the template brain's; `field` is its grid's size over a template's, if any.

    A grid of a template's size vouches for the header's voxel sizes: a small brain on it is a small brain, for scans
    that are aligned by rotation alone keep their own size.
    """
    seen = f"its brain has {ratio:.2f} of the template's volume ({ratio * TEMPLATE_ML:.0f} ml)"
    if ratio < bounds.SMALLEST_RATIO:
        return [Finding("size", f"{seen}, less than any adult's", True, PREPROCESS)]
    if ratio > bounds.LARGEST_RATIO:
        larger = f"its foreground of {ratio * TEMPLATE_ML:.0f} ml is larger than any brain: the skull is on"
        return [Finding("skull", larger, True, PREPROCESS)]
    if field is not None and abs(field - 1.0) > bounds.FIELD_OFF:
        odd = not bounds.SMALL_RATIO <= ratio <= bounds.LARGE_RATIO
        grid = f"its grid has the proportions of the template's, at {field:.2f} of its size"
        return [Finding("size", f"{seen}, and {grid}: its header states wrong voxel sizes", odd, RECONVERT)]
    if ratio < (bounds.SMALL_RATIO if field is None else bounds.VOUCHED_RATIO):
        return [Finding("size", f"{seen}: a very small head, or a header with wrong voxel sizes")]
    return []


def judge_faces(found: list[Face]) -> list[Finding]:
    """Judge faces: a wide one is a cut, a very wide one leaves too little of the brain."""
    cut = sorted((face for face in found if face.area > bounds.FACE_CUT_CM2), key=lambda face: -face.area)
    return [
        Finding(
            "coverage",
            f"it is cut off at the {face.side}: {face.area:.0f} cm² of it lie on its outermost slices",
            face.area > bounds.FACE_REFUSED_CM2,
            "Use a scan whose field of view contains the whole brain",
        )
        for face in cut
    ]


def judge_gaps(empty: int) -> list[Finding]:
    """Judge empty slices within a brain: there are none in a whole one."""
    if not empty:
        return []
    seen = f"{empty} slices within its brain are empty" if empty > 1 else "a slice within its brain is empty"
    return [Finding("coverage", seen, True, EXPORT_WHOLE)]


EXPORT_WHOLE = "Export the whole scan again, with all its slices"


def judge_voxels(grid: Grid) -> list[Finding]:
    """Judge the voxels' size: small lesions fall between thick slices."""
    longest = max(grid.voxel_sizes)
    if longest < bounds.LONG_MM:
        return []
    return [Finding("voxels", f"its voxels are {longest:.1f} mm long; small lesions fall between slices")]
