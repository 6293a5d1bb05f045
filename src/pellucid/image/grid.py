"""Grids: a shape and an affine, compared and described; two images meet only on one of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.ground.arrays import Float64Array
from pellucid.ground.shapes import misfit

Affine = Float64Array

Box = tuple[slice, slice, slice]
"""A part of a volume: voxels along I, J and K, each with a start and a stop."""

_SINGULAR = 1e-6  # a volume per product of spacings below this is no volume
_MOST_VOXELS = 4096  # along an axis
_SMALLEST_MM, _LARGEST_MM = 0.01, 50.0  # of a voxel
_LONGEST_MM = 2000.0  # of a field of view
_FARTHEST_MM = 10_000.0  # of a corner from the scanner's centre

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

    def cropped(self, box: Box) -> Grid:
        """Return the part of this grid that `data[box]` lies on.

        >>> Grid.of((4, 4, 4), np.eye(4)).cropped((slice(1, 3), slice(0, 4), slice(2, 4))).world((0, 0, 0))
        array([1., 0., 2.])
        """
        affine = self.affine
        affine[:3, 3] = self.world([span.start for span in box])
        return Grid.of(tuple(span.stop - span.start for span in box), affine)

    def reach(self, millimetres: float) -> tuple[int, int, int]:
        """Return how many voxels along each axis reach so far, rounded up.

        >>> Grid.of((9, 9, 9), np.diag([1.0, 2.0, 3.0, 1.0])).reach(4.0)
        (4, 2, 2)
        """
        i, j, k = (math.ceil(millimetres / size) for size in self.voxel_sizes)
        return i, j, k

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

    def world(self, ijk: npt.ArrayLike) -> Float64Array:
        """Return world coordinates (..., 3) in millimetres of voxel coordinates (..., 3)."""
        return np.asarray(ijk, dtype=np.float64) @ self.affine[:3, :3].T + self.affine[:3, 3]

    def voxel(self, xyz: npt.ArrayLike) -> Float64Array:
        """Return voxel coordinates (..., 3) of world coordinates (..., 3) in millimetres."""
        inverse = np.linalg.inv(self.affine)
        voxel: Float64Array = np.asarray(xyz, dtype=np.float64) @ inverse[:3, :3].T + inverse[:3, 3]
        return voxel

    def to_json(self) -> dict[str, Any]:
        """Describe the grid as JSON types; `from_json` reads it back exactly."""
        return {"shape": list(self.shape), "affine": [list(row) for row in self.rows]}

    @classmethod
    def from_json(cls, content: Any) -> Grid:
        """Read what `to_json` wrote.

        Raises
        ------
        ValueError
            It is no grid, or none on which a head could lie; the message says why.
        """
        wrong = misfit(content, {"shape": [int], "affine": [[float]]})
        if wrong is None and (len(content["shape"]) != 3 or [len(row) for row in content["affine"]] != [4] * 4):
            wrong = "it does not have a shape of three numbers and an affine of four rows of four"
        wrong = wrong or flaw(tuple(content["shape"]), np.array(content["affine"], dtype=np.float64))
        if wrong:
            raise ValueError(f"the grid cannot be used: {wrong}")
        return cls.of(tuple(content["shape"]), content["affine"])

    def __str__(self) -> str:
        """Describe the grid as `96x114x96 at 1.91x1.92x1.91 mm`."""
        sizes = "x".join(f"{s:.3g}" for s in self.voxel_sizes)
        return f"{'x'.join(str(n) for n in self.shape)} at {sizes} mm"


def flaw(shape: tuple[int, ...], affine: Affine) -> str | None:
    """Say why no scan of a head can lie on a grid of `shape` with a (4, 4) `affine`; None if one can.

    What is far off anatomy and scanners is a damaged header or description. It is told before anything is computed on
    it: a row of 60,000 voxels would take 29 GB to resample.

    >>> flaw((2, 3, 4), np.diag([2.0, 2.0, 2.0, 1.0]))
    >>> flaw((60000, 2, 2), np.diag([2.0, 2.0, 2.0, 1.0]))
    'an axis of 60000 voxels is too long for a scan (at most 4096)'
    >>> flaw((2, 3, 4), np.diag([2.0, 2e-9, 2.0, 1.0]))
    'its voxels are 2x2e-09x2 mm large, which no scan has (0.01 to 50 mm)'
    """
    if len(shape) != 3 or min(shape) < 1:
        return f"{'x'.join(map(str, shape))} voxels are not a volume"
    if max(shape) > _MOST_VOXELS:
        return f"an axis of {max(shape)} voxels is too long for a scan (at most {_MOST_VOXELS})"
    sizes, volume = np.zeros(3), 0.0
    if np.isfinite(affine).all():
        with np.errstate(all="ignore"):
            sizes = np.linalg.norm(affine[:3, :3], axis=0)
            unit = affine[:3, :3] / sizes
            volume = abs(float(np.linalg.det(unit))) if np.isfinite(unit).all() else 0.0
    if not volume > _SINGULAR or affine[3].tolist() != [0.0, 0.0, 0.0, 1.0]:
        return f"the affine is singular ({'; '.join(' '.join(f'{v:g}' for v in row) for row in affine[:3])})"
    if sizes.min() < _SMALLEST_MM or sizes.max() > _LARGEST_MM:
        stated = "x".join(f"{size:.3g}" for size in sizes)
        return f"its voxels are {stated} mm large, which no scan has ({_SMALLEST_MM:g} to {_LARGEST_MM:g} mm)"
    lengths = sizes * shape
    if lengths.max() > _LONGEST_MM:
        return f"its field of view is {lengths.max():.0f} mm long (at most {_LONGEST_MM:.0f})"
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in shape], [1], indexing="ij")).reshape(4, -1)
    farthest = float(np.abs((affine @ corners)[:3]).max())
    if farthest > _FARTHEST_MM:
        return f"it lies {farthest:.3g} mm from the scanner's centre"
    return None


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
