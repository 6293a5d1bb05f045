"""Linear registration: where the anatomy of one image lies in another, by the information that they share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import SimpleITK
from scipy import ndimage
from scipy.spatial.transform import Rotation

from pellucid.ground.arrays import BoolArray, Float32Array, Float64Array
from pellucid.ground.errors import InputError
from pellucid.image.grid import Affine, Grid, resized
from pellucid.image.masks import bounding_box
from pellucid.image.resample import resample
from pellucid.preprocess.itk import from_transform, to_itk

_sitk: Any = SimpleITK

Kind = Literal["rigid", "affine"]

# deviates: SPM and ANTs in the paper.
_BINS = 32
_SEED = 1  # of the points at which the metric is sampled; ITK has a generator of its own
_RIM_MM = 6.0  # beyond the fixed brain: its edge is what size and shear are read from
_PITCHES = (0.0, -20.0, 20.0)  # degrees about the left-right axis; how heads lie in scanners differs most in this
_MOVING_MARGIN_MM = 30.0


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two images of a registration: `data` and its `brain`, both (X, Y, Z), on `grid`."""

    data: Float32Array
    brain: BoolArray
    grid: Grid

    def cropped(self, margin_mm: float) -> Side:
        """Return what lies within a margin around the brain."""
        box = bounding_box(self.brain, self.grid.reach(margin_mm))
        return Side(self.data[box], self.brain[box], self.grid.cropped(box))

    def extracted(self) -> Side:
        """Return the image with 0 outside its brain."""
        return Side(np.where(self.brain, self.data, np.float32(0.0)), self.brain, self.grid)

    def isotropic(self, millimetres: float) -> Side:
        """Return the image in voxels of one size, nearly, along its own axes: ITK shrinks all by one factor."""
        sizes = zip(self.grid.shape, self.grid.voxel_sizes, strict=True)
        i, j, k = (max(2, round((n - 1) * size / millimetres) + 1) for n, size in sizes)
        if (i, j, k) == self.grid.shape:
            return self
        grid = resized(self.grid, (i, j, k))
        return Side(resample(self.data, self.grid, grid), resample(self.brain, self.grid, grid) >= 0.5, grid)


def register(fixed: Side, moving: Side, kind: Kind, *, starts: Sequence[Affine] | None = None) -> Affine:
    """Find the rigid (6 parameters) or affine (12) transform that aligns `moving` with `fixed`.

    Maximises the mutual information (Mattes et al. 2003) of both images within the fixed brain and 6 mm around it by
    gradient descent in ITK, first among voxels of 4 mm and from several starts, then among those of 1 mm. An affine
    registration is a rigid one first. The same images give the same matrix, bit for bit: one thread does the work.

    Parameters
    ----------
    fixed, moving
        The images. Where the moving image is to be aligned by its brain alone, it must be 0 elsewhere.
    kind
        What may change.
    starts
        Where to start from; the best by the coarse metric is taken. If None: both brains' centres of mass brought
        together, the head tilted by 0, -20 and 20 degrees.

    Returns
    -------
    (4, 4) matrix that takes world millimetres of the fixed image to those of the moving one.

    Raises
    ------
    InputError
        The images do not overlap, or have nothing in common to go by.
    """
    fixed = fixed.cropped(2 * _RIM_MM)
    moving = moving.cropped(_MOVING_MARGIN_MM)
    coarse = _Search(fixed.extracted().isotropic(_COARSE_MM), moving.extracted().isotropic(_COARSE_MM))
    fine = _Search(fixed.isotropic(_FINE_MM), moving)
    try:
        with _one_thread():
            return _search(coarse, fine, kind, starts or _tilted(fixed, moving))
    except RuntimeError as error:  # ITK's own words hold its source lines
        reason = str(error).strip().splitlines()[-1]
        what = f"the images cannot be registered: they share too little ({reason})"
        raise InputError("registration", what, "Check that both are scans of the same head") from None


def _search(coarse: _Search, fine: _Search, kind: Kind, starts: Sequence[Affine]) -> Affine:
    """Return the transform that is best among fine voxels, from the best start among coarse ones."""
    best = min((coarse.rigid(start, _COARSE) for start in starts), key=coarse.cost)
    if kind == "rigid":
        return fine.rigid(best, _FINE)
    return fine.affine(coarse.affine(best, _COARSE), _FINE)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let ITK use one thread: several add up the metric in an order of their own, so that last bits differ."""
    process = _sitk.ProcessObject
    before = process.GetGlobalDefaultNumberOfThreads()
    process.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield
    finally:
        process.SetGlobalDefaultNumberOfThreads(before)


def displacement(one: Affine, other: Affine, grid: Grid, mask: BoolArray) -> Float64Array:
    """Return how far apart two transforms take each voxel of `mask`: (X, Y, Z) on `grid`; (N,) millimetres."""
    points = grid.world(np.argwhere(mask))
    difference = one - other
    return np.asarray(np.linalg.norm(points @ difference[:3, :3].T + difference[:3, 3], axis=1))


@dataclass(frozen=True, slots=True)
class _Levels:
    """From coarse to fine: how images shrink and are smoothed (mm), and the share of voxels that is sampled."""

    shrink: tuple[int, ...]
    smooth: tuple[float, ...]
    sample: tuple[float, ...]
    iterations: int
    tolerance: float  # the last step, in mm


_COARSE_MM, _FINE_MM = 4.0, 1.0
_COARSE = _Levels((2, 1), (6.0, 0.0), (1.0, 1.0), 200, 1e-3)
_FINE = _Levels((2, 1), (1.5, 0.0), (0.3, 0.05), 100, 1e-4)


class _Search:
    """ITK's copies of two images, and searches among their transforms."""

    def __init__(self, fixed: Side, moving: Side) -> None:
        self._fixed = to_itk(fixed.data, fixed.grid)
        self._moving = to_itk(moving.data, moving.grid)
        distance = ndimage.distance_transform_edt(~fixed.brain, sampling=fixed.grid.voxel_sizes)
        self._mask = to_itk((distance <= _RIM_MM).astype(np.uint8), fixed.grid)
        self._centre = fixed.grid.world(ndimage.center_of_mass(fixed.brain))

    def rigid(self, start: Affine, levels: _Levels) -> Affine:
        transform = _sitk.Euler3DTransform()
        self._set(transform, start)
        return self._run(transform, levels)

    def affine(self, start: Affine, levels: _Levels) -> Affine:
        transform = _sitk.AffineTransform(3)
        self._set(transform, start)
        return self._run(transform, levels)

    def cost(self, matrix: Affine) -> float:
        """Return the negative mutual information."""
        transform = _sitk.AffineTransform(3)
        self._set(transform, matrix)
        method = self._method(_COARSE)
        method.SetInitialTransform(transform)
        method.SetMetricSamplingStrategy(method.NONE)
        return float(method.MetricEvaluate(self._fixed, self._moving))

    def _set(self, transform: Any, matrix: Affine) -> None:
        """Let `transform` do what `matrix` does, turning about the fixed brain's centre."""
        lps = np.array([-1.0, -1.0, 1.0])
        transform.SetCenter([float(v) for v in self._centre * lps])
        linear = lps[:, None] * matrix[:3, :3] * lps
        if isinstance(transform, _sitk.Euler3DTransform):
            left, _, right = np.linalg.svd(linear)
            linear = left @ right
        transform.SetMatrix([float(v) for v in linear.ravel()])
        target = matrix[:3, :3] @ self._centre + matrix[:3, 3]
        transform.SetTranslation([float(v) for v in (target - self._centre) * lps])

    def _run(self, transform: Any, levels: _Levels) -> Affine:
        method = self._method(levels)
        method.SetInitialTransform(transform, inPlace=True)
        method.Execute(self._fixed, self._moving)
        return from_transform(transform)

    def _method(self, levels: _Levels) -> Any:
        method = _sitk.ImageRegistrationMethod()
        method.SetMetricAsMattesMutualInformation(_BINS)
        method.SetMetricFixedMask(self._mask)
        method.SetMetricSamplingStrategy(method.RANDOM)
        method.SetMetricSamplingPercentagePerLevel(list(levels.sample), seed=_SEED)
        method.SetShrinkFactorsPerLevel(list(levels.shrink))
        method.SetSmoothingSigmasPerLevel(list(levels.smooth))
        method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
        method.SetInterpolator(_sitk.sitkLinear)
        method.SetOptimizerAsRegularStepGradientDescent(
            learningRate=1.0,
            minStep=levels.tolerance,
            numberOfIterations=levels.iterations,
            relaxationFactor=0.5,
            gradientMagnitudeTolerance=1e-8,
        )
        method.SetOptimizerScalesFromPhysicalShift()
        return method


def _tilted(fixed: Side, moving: Side) -> list[Affine]:
    """Return the transforms that bring the brains' centres together, at several pitches of the head."""
    centre = fixed.grid.world(ndimage.center_of_mass(fixed.brain))
    target = moving.grid.world(ndimage.center_of_mass(moving.brain))
    starts = []
    for pitch in _PITCHES:
        matrix = np.eye(4)
        matrix[:3, :3] = Rotation.from_euler("x", pitch, degrees=True).as_matrix()
        matrix[:3, 3] = target - matrix[:3, :3] @ centre
        starts.append(matrix)
    return starts
