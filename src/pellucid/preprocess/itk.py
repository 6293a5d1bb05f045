"""Between our volumes and ITK's: images, transforms and their files, in one place that knows LPS from RAS.

A transform here is a (4, 4) matrix of world millimetres, right-anterior-superior, that takes a point of the fixed
image to the same anatomy in the moving one. ITK counts left-posterior-superior, so x and y change sign on the way.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK

from pellucid.ground.arrays import AnyArray, Float32Array
from pellucid.ground.errors import InputError, brief
from pellucid.ground.files import atomic_path
from pellucid.ground.opening import require_file
from pellucid.image.grid import Affine, Grid

_sitk: Any = SimpleITK  # its stubs leave much out
_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_SHEAR = 1e-3  # ITK's directions are orthonormal; axes further from a right angle than this are refused


def to_itk(data: AnyArray, grid: Grid) -> Any:
    """Return `data`: (X, Y, Z) on `grid` as a SimpleITK image of the same voxels at the same places.

    Raises
    ------
    InputError
        The grid's axes are not at right angles, which ITK cannot say.
    """
    affine = _LPS @ grid.affine
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    direction = affine[:3, :3] / spacing
    if np.abs(direction.T @ direction - np.eye(3)).max() > _SHEAR:
        raise InputError("the image's affine", "has sheared axes", "Resample the image to a grid without shear")
    # The nearest rotation or reflection: headers round, and ITK insists.
    left, _, right = np.linalg.svd(direction)
    image = _sitk.GetImageFromArray(np.ascontiguousarray(data.transpose(2, 1, 0)))
    image.SetSpacing([float(s) for s in spacing])
    image.SetOrigin([float(o) for o in affine[:3, 3]])
    image.SetDirection([float(d) for d in (left @ right).ravel()])
    return image


def from_itk(image: Any) -> Float32Array:
    """Return the voxels of a SimpleITK image as (X, Y, Z) float32."""
    return np.ascontiguousarray(_sitk.GetArrayFromImage(image).transpose(2, 1, 0), dtype=np.float32)


def to_transform(matrix: Affine) -> Any:
    """Return a matrix as an ITK affine transform about the origin."""
    lps = _LPS @ matrix @ _LPS
    transform = _sitk.AffineTransform(3)
    transform.SetMatrix([float(v) for v in lps[:3, :3].ravel()])
    transform.SetTranslation([float(v) for v in lps[:3, 3]])
    return transform


def from_transform(transform: Any) -> Affine:
    """Return any linear ITK transform as a matrix, by where it takes the origin and the unit vectors."""
    origin = np.array(transform.TransformPoint((0.0, 0.0, 0.0)))
    lps = np.eye(4)
    lps[:3, 3] = origin
    for axis, unit in enumerate(np.eye(3)):
        lps[:3, axis] = np.array(transform.TransformPoint([float(u) for u in unit])) - origin
    return np.asarray(_LPS @ lps @ _LPS)


def write_transform(path: Path, matrix: Affine) -> None:
    """Write a matrix as an ITK text file, which ANTs, Slicer and SimpleITK apply as it is, atomically."""
    with atomic_path(path) as temporary:
        _sitk.WriteTransform(to_transform(matrix), str(temporary))


def read_transform(path: Path) -> Affine:
    """Read a linear transform from any file that ITK reads (.txt, .tfm, .mat, .h5).

    Raises
    ------
    InputError
        The file is missing, is no transform, or holds one that is not linear.
    """
    require_file(path)
    try:
        transform = _sitk.ReadTransform(str(path))
    except RuntimeError as error:
        what = f"ITK cannot read it as a transform ({brief(str(error).splitlines()[-1])})"
        raise InputError(path, what, "Save it in ITK's format (.txt, .tfm, .mat or .h5)") from None
    if not transform.IsLinear():
        raise InputError(path, "the transform is not linear", "Give a rigid or affine one")
    matrix = from_transform(transform)
    if not np.isfinite(matrix).all() or abs(float(np.linalg.det(matrix[:3, :3]))) < 1e-3:
        raise InputError(path, "the transform is singular", "Register the images again")
    return matrix


def moved(grid: Grid, matrix: Affine) -> Grid:
    """Return `grid`, of a moving image, as it lies in the fixed image's world: its affine becomes `inv(matrix) @ A`.

    A transform applied to a header costs no interpolation; what is resampled afterwards is interpolated once.
    """
    return Grid.of(grid.shape, np.linalg.inv(matrix) @ grid.affine)
