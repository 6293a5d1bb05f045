"""Every subject's own shape: an affine of the head and a diffeomorphism of the brain.

A stationary velocity field v (mm, on a coarse lattice) is the sum of a smooth random field and of the effects that
widen or shrink structures. Its exponential, by scaling and squaring, is a diffeomorphism whose inverse is the
exponential of -v. A subject's image at x shows the average brain at

    phi(x) = y + u(y),   y = A^-1 x,   u = exp(v) - identity

and a point c of the average brain lies in the subject at A (c + u'(c)), u' = exp(-v) - identity.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from torch.nn import functional

from pellucid.ground.arrays import Float32Array, Float64Array
from pellucid.image.grid import Grid, resized

Field = Float32Array
"""Displacements in mm along the voxel axes, (3, I, J, K)."""

_LATTICE_MM = 4.0
_SQUARINGS = 5


def lattice_of(grid: Grid) -> Grid:
    """Return the coarse lattice (about 4 mm) over the field of view of `grid`."""
    shape = tuple(round((n - 1) * s / _LATTICE_MM) + 1 for n, s in zip(grid.shape, grid.voxel_sizes, strict=True))
    return resized(grid, (shape[0], shape[1], shape[2]))


def random_velocity(
    rng: np.random.Generator, lattice: Grid, *, amplitude_mm: float = 2.5, smoothness_mm: float = 14.0
) -> Field:
    """Draw a smooth random velocity field with `amplitude_mm` standard deviation per component."""
    sigma = [smoothness_mm / s for s in lattice.voxel_sizes]
    field = np.stack(
        [ndimage.gaussian_filter(rng.standard_normal(lattice.shape, dtype=np.float32), sigma) for _ in range(3)]
    )
    return np.asarray(field * (amplitude_mm / field.std()), dtype=np.float32)


def toward(structure: Float32Array, grid: Grid, lattice: Grid, *, reach_mm: float) -> Field:
    """Return the field that points into a structure, with a largest length of 1 mm.

    It is the gradient of the structure blurred by `reach_mm`. Added to a velocity field with a positive factor it
    makes the subject's structure larger (points around it show its inside); with a negative one, smaller.
    """
    blurred = ndimage.gaussian_filter(structure, [reach_mm / s for s in grid.voxel_sizes])
    coarse = sample(blurred[None], _lattice_points(lattice, grid))[0]
    gradient = np.stack(np.gradient(coarse, *lattice.voxel_sizes)).astype(np.float32)
    length = float(np.sqrt((gradient**2).sum(axis=0)).max())
    return gradient / length


def exponential(velocity: Field, lattice: Grid) -> Field:
    """Return the displacement u = exp(v) - identity in mm: v / 2^n, composed with itself n times."""
    sizes = np.array(lattice.voxel_sizes, dtype=np.float32)[:, None, None, None]
    identity = np.stack(np.meshgrid(*[np.arange(n, dtype=np.float32) for n in lattice.shape], indexing="ij"))
    displacement = velocity / 2.0**_SQUARINGS
    for _ in range(_SQUARINGS):
        displacement = displacement + sample(displacement, identity + displacement / sizes)
    return displacement.astype(np.float32)


def sample(maps: Float32Array, points: Float32Array) -> Float32Array:
    """Interpolate maps (C, I, J, K) linearly at voxel coordinates (3, X, Y, Z); beyond the border, the border's value.

    Returns (C, X, Y, Z).
    """
    last = np.array([n - 1 for n in maps.shape[1:]], dtype=np.float32)
    unit = torch.from_numpy(np.ascontiguousarray(points[::-1].transpose(1, 2, 3, 0), dtype=np.float32))
    unit = unit * torch.from_numpy(2.0 / last[::-1].copy()) - 1.0  # grid_sample counts from -1 to 1, last axis first
    values = functional.grid_sample(
        torch.from_numpy(np.ascontiguousarray(maps))[None], unit[None], align_corners=True, padding_mode="border"
    )
    return values[0].numpy()


def upsample(maps: Float32Array, shape: tuple[int, ...]) -> Float32Array:
    """Interpolate maps (C, I, J, K) linearly onto a finer lattice with the same corners, (C, *shape)."""
    values = functional.interpolate(torch.from_numpy(maps)[None], size=shape, mode="trilinear", align_corners=True)
    return values[0].numpy()


def _lattice_points(lattice: Grid, grid: Grid) -> Float32Array:
    """Return the lattice's points as voxel coordinates of `grid`, (3, *lattice.shape); both share their corners."""
    axes = [np.linspace(0, n - 1, m, dtype=np.float32) for n, m in zip(grid.shape, lattice.shape, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"))


@dataclass(frozen=True)
class Warp:
    """A subject's shape: the map from its voxels to the average brain's, and back for single points."""

    grid: Grid
    lattice: Grid
    affine: Float64Array  # (4, 4) in voxel-axis mm about the grid's centre: average brain -> subject
    displacement: Field
    inverse_displacement: Field

    @classmethod
    def of(cls, velocity: Field, grid: Grid, lattice: Grid, affine: Float64Array) -> Warp:
        """Integrate a velocity field both ways."""
        return cls(grid, lattice, affine, exponential(velocity, lattice), exponential(-velocity, lattice))

    def points(self) -> Float32Array:
        """Return for each voxel of the subject the average brain's voxel coordinates that it shows, (3, I, J, K)."""
        sizes = np.array(self.lattice.voxel_sizes)
        axes = [np.arange(n) * s for n, s in zip(self.lattice.shape, sizes, strict=True)]
        millimetres = np.stack(np.meshgrid(*axes, indexing="ij"))  # along the voxel axes, from the first voxel
        back = np.linalg.inv(self.affine)
        y = np.einsum("ab,bijk->aijk", back[:3, :3], millimetres) + back[:3, 3, None, None, None]
        y = y.astype(np.float32)
        u = sample(self.displacement, y / sizes.astype(np.float32)[:, None, None, None])
        fine = np.array(self.grid.voxel_sizes, dtype=np.float32)[:, None, None, None]
        return upsample((y + u) / fine, self.grid.shape)

    def forward(self, voxels: Float64Array) -> Float64Array:
        """Return where points of the average brain (n, 3), in voxels, lie in the subject, in voxels."""
        fine, coarse = np.array(self.grid.voxel_sizes), np.array(self.lattice.voxel_sizes)
        millimetres = voxels * fine
        at = (millimetres / coarse).T.astype(np.float32)[:, :, None, None]
        moved = millimetres + sample(self.inverse_displacement, at)[:, :, 0, 0].T
        return np.asarray((moved @ self.affine[:3, :3].T + self.affine[:3, 3]) / fine, dtype=np.float64)


def head_affine(rng: np.random.Generator, grid: Grid, *, scale: tuple[float, float] = (0.80, 1.04)) -> Float64Array:
    """Draw size, proportions and pose of a head: an affine in mm along the voxel axes, about the grid's centre.

    Linear registration to MNI leaves such differences: heads registered by 12 parameters come close to a scale of 1,
    heads registered rigidly keep their own size, about 0.85 to 0.95 of the template's.
    """
    size = rng.uniform(*scale)
    proportions = np.exp(rng.normal(0.0, 0.02, 3))
    alpha, beta, gamma = np.deg2rad(rng.normal(0.0, 2.0, 3))
    ca, sa, cb, sb, cg, sg = np.cos(alpha), np.sin(alpha), np.cos(beta), np.sin(beta), np.cos(gamma), np.sin(gamma)
    rotation = (
        np.array([[1, 0, 0], [0, ca, -sa], [0, sa, ca]])
        @ np.array([[cb, 0, sb], [0, 1, 0], [-sb, 0, cb]])
        @ np.array([[cg, -sg, 0], [sg, cg, 0], [0, 0, 1]])
    )
    # The pivot is the middle of the brain, (0, -18, 8) mm in MNI space, as voxel-axis mm from the first voxel.
    pivot = grid.voxel(np.array([0.0, -18.0, 8.0])) * np.array(grid.voxel_sizes)
    shift = rng.normal(0.0, 1.5, 3)
    affine = np.eye(4)
    affine[:3, :3] = rotation @ np.diag(size * proportions)
    affine[:3, 3] = pivot + shift - affine[:3, :3] @ pivot
    return affine
