"""Grids: a shape and an affine, compared and described; two images meet only on one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Affine = npt.NDArray[np.float64]

_TOLERANCE = 0.1  # voxels: a header's quaternion moves the corners of an LPS image by as much as 0.35 mm


@dataclass(frozen=True, slots=True)
class Grid:
    """A voxel lattice in millimetres: `xyz1 = affine @ ijk1`.

    Parameters
    ----------
    shape
        Number of voxels (I, J, K).
    rows
        The affine as a tuple of four rows, so that grids hash and compare by value.
    """

    shape: tuple[int, int, int]
    rows: tuple[tuple[float, float, float, float], ...]

    @classmethod
    def of(cls, shape: tuple[int, ...], affine: npt.ArrayLike) -> Grid:
        """Make a grid from a shape and a (4, 4) array.

        >>> Grid.of((2, 3, 4), np.diag([2.0, 2.0, 2.0, 1.0])).voxel_volume_ml
        0.008
        """
        i, j, k = (int(n) for n in shape)
        first, second, third, last = (
            (float(x), float(y), float(z), float(t)) for x, y, z, t in np.asarray(affine, dtype=np.float64)
        )
        return cls((i, j, k), (first, second, third, last))

    @property
    def affine(self) -> Affine:
        """The (4, 4) voxel-to-world matrix in millimetres."""
        return np.array(self.rows, dtype=np.float64)

    @property
    def voxel_sizes(self) -> tuple[float, float, float]:
        """The spacing along each voxel axis in millimetres."""
        x, y, z = np.sqrt((self.affine[:3, :3] ** 2).sum(axis=0))
        return float(x), float(y), float(z)

    @property
    def voxel_volume_ml(self) -> float:
        """The volume of one voxel in millilitres: |det A| / 1000."""
        return round(abs(float(np.linalg.det(self.affine[:3, :3]))) / 1000.0, 12)

    def matches(self, other: Grid) -> bool:
        """Tell whether both grids have the same shape and no corner further apart than a tenth of a voxel."""
        if self.shape != other.shape:
            return False
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in self.shape], [1], indexing="ij")).reshape(4, -1)
        distance = np.linalg.norm(((self.affine - other.affine) @ corners)[:3], axis=0)
        return bool(distance.max() <= _TOLERANCE * min(self.voxel_sizes))

    def world(self, ijk: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return world coordinates (..., 3) in millimetres of voxel coordinates (..., 3)."""
        return np.asarray(ijk, dtype=np.float64) @ self.affine[:3, :3].T + self.affine[:3, 3]

    def voxel(self, xyz: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return voxel coordinates (..., 3) of world coordinates (..., 3) in millimetres."""
        inverse = np.linalg.inv(self.affine)
        voxel: npt.NDArray[np.float64] = np.asarray(xyz, dtype=np.float64) @ inverse[:3, :3].T + inverse[:3, 3]
        return voxel

    def to_json(self) -> dict[str, Any]:
        """Describe the grid as JSON types; `from_json` reads it back exactly."""
        return {"shape": list(self.shape), "affine": [list(row) for row in self.rows]}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Grid:
        """Read what `to_json` wrote."""
        return cls.of(tuple(content["shape"]), content["affine"])

    def __str__(self) -> str:
        """Describe the grid as `96x114x96 at 1.91x1.92x1.91 mm`."""
        sizes = "x".join(f"{s:.3g}" for s in self.voxel_sizes)
        return f"{'x'.join(str(n) for n in self.shape)} at {sizes} mm"


def _template(millimetres: int, shape: tuple[int, int, int]) -> Grid:
    affine = np.diag([-millimetres, millimetres, millimetres, 1.0])
    affine[:3, 3] = (90.0, -126.0, -72.0)
    return Grid.of(shape, affine)


MNI_1MM = _template(1, (182, 218, 182))
"""The 1 mm grid of FSL's MNI152 template (MNI152NLin6Asym), voxel order left-anterior-superior."""

MNI_2MM = _template(2, (91, 109, 91))
"""The 2 mm grid of the same template."""


def resized(grid: Grid, shape: tuple[int, int, int]) -> Grid:
    """Return the grid of `shape` whose corner voxels have the centres of `grid`'s corner voxels.

    The spacing along an axis becomes `old * (n_old - 1) / (n_new - 1)`: what a corner-aligned zoom does
    (Eitel 2019 used scipy's, 182x218x182 to 96x114x96).
    """
    scale = np.array([(old - 1) / (new - 1) for old, new in zip(grid.shape, shape, strict=True)])
    affine = grid.affine
    affine[:3, :3] *= scale
    return Grid.of(shape, affine)


PAPER_GRID = resized(MNI_1MM, (96, 114, 96))
"""The grid of Eitel et al. 2019: 96x114x96 voxels of 1.905x1.920x1.905 mm, left-anterior-superior."""
