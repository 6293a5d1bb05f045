"""Anatomical planes: cut a volume through a point so that left, front and top lie where their letters say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from pellucid.ground.errors import InputError
from pellucid.image.grid import Grid

Scalar = TypeVar("Scalar", bound=np.generic)

LETTERS = (("L", "R"), ("P", "A"), ("I", "S"))
"""The ends of the world axes x, y, z, from low to high millimetres."""

_OBLIQUE = 1e-3  # direction cosines off an axis by more than this are a rotation, not rounding


def to_ras(values: npt.NDArray[Scalar], grid: Grid) -> tuple[npt.NDArray[Scalar], Grid]:
    """Turn a volume so that its axes rise rightwards, forwards and upwards; every voxel keeps its world position.

    Only axes are exchanged and reversed: (I, J, K) on `grid` to a view of the same voxels on the grid returned.

    Raises
    ------
    InputError
        If the volume is not on the grid, or the grid's axes are oblique to the world's.
    """
    if values.shape != grid.shape:
        raise InputError("volume", f"its shape {values.shape} is not the grid's {grid.shape}", "Use its own grid")
    affine = grid.affine
    cosines = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    order = np.abs(cosines).argmax(axis=1)  # the voxel axis that runs along each world axis
    if sorted(order) != [0, 1, 2] or np.abs(np.abs(cosines[range(3), order]) - 1).max() > _OBLIQUE:
        raise InputError(
            "volume", "its axes are oblique to left-right, back-front, down-up", "Resample it to MNI space"
        )
    turned = np.transpose(values, order)
    columns = affine[:3, order].copy()
    origin = affine[:3, 3].copy()
    for axis in range(3):
        if columns[axis, axis] < 0:
            turned = np.flip(turned, axis)
            origin += columns[:, axis] * (turned.shape[axis] - 1)
            columns[:, axis] *= -1
    rows = np.eye(4)
    rows[:3, :3], rows[:3, 3] = columns, origin
    return turned, Grid.of(turned.shape, rows)


@dataclass(frozen=True, slots=True)
class Plane:
    """One cut through a volume in RAS order, drawn in the neurological convention: the subject's left on the left.

    Parameters
    ----------
    name
        axial, coronal or sagittal.
    across, up, normal
        World axes (0 = x, 1 = y, 2 = z) that run to the right of the picture, to its top, and into it.
    index
        Voxel index of the cut along `normal`.
    position
        Its world coordinate in millimetres.
    extent
        Edges of the picture in millimetres: left, right, bottom, top (outer faces of the voxels).
    """

    name: str
    across: int
    up: int
    normal: int
    index: int
    position: float
    extent: tuple[float, float, float, float]

    def cut(self, volume: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        """Return this plane of a volume in RAS order: (rows from bottom to top, columns from left to right)."""
        picture: npt.NDArray[Scalar] = np.take(volume, self.index, axis=self.normal).T
        return picture

    @property
    def letters(self) -> tuple[str, str, str, str]:
        """What lies at the left, right, bottom and top edge of the picture: letters of L R P A I S."""
        (left, right), (bottom, top) = LETTERS[self.across], LETTERS[self.up]
        return left, right, bottom, top


def planes(grid: Grid, centre: npt.ArrayLike) -> tuple[Plane, Plane, Plane]:
    """Return the axial, coronal and sagittal plane through the voxel nearest to a point.

    Parameters
    ----------
    grid
        A grid in RAS order, as `to_ras` returns it.
    centre
        World coordinates x, y, z in millimetres; a point off the grid is moved to its edge.
    """
    voxel = np.clip(np.rint(grid.voxel(centre)), 0, np.array(grid.shape) - 1).astype(int)
    world = grid.world(voxel)
    low = grid.world(np.full(3, -0.5))
    high = grid.world(np.array(grid.shape) - 0.5)

    def plane(name: str, across: int, up: int, normal: int) -> Plane:
        extent = (float(low[across]), float(high[across]), float(low[up]), float(high[up]))
        return Plane(name, across, up, normal, int(voxel[normal]), float(world[normal]), extent)

    return plane("axial", 0, 1, 2), plane("coronal", 0, 2, 1), plane("sagittal", 1, 2, 0)
