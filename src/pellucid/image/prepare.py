"""From any brain-extracted scan in MNI space to what a network sees: its grid, its brain, its intensities.

Whether it is such a scan is for `pellucid.gate` to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from scipy import ndimage

from pellucid.ground.arrays import BoolArray, Float32Array, Float64Array
from pellucid.ground.errors import InputError
from pellucid.image.grid import Grid
from pellucid.image.masks import bounding_box, largest_part
from pellucid.image.nifti import Volume
from pellucid.image.resample import resample
from pellucid.image.scaling import scale

Resampling = Literal["antialias", "cubic"]
RESAMPLINGS: tuple[Resampling, ...] = get_args(Resampling)

MNI_BRAIN_CENTRE = (0.6, -21.5, 9.8)
"""Centre of mass of the MNI152NLin6Asym brain mask in millimetres: right, anterior, superior."""

_FOREGROUND = 0.02  # of the 99th percentile of the positive voxels; interpolation ringing stays below it
_FARTHEST_MM = 30.0  # of a brain's centre from the MNI brain's
_MOST_NEGATIVE = 0.1  # of the foreground; ringing makes 0.002 of it negative, standardising half


@dataclass(frozen=True, slots=True)
class Prepared:
    """A scan as a network sees it.

    Parameters
    ----------
    image
        Scaled intensities (X, Y, Z), float32, exactly 0 outside the brain.
    brain
        Where the brain is (X, Y, Z), bool.
    unscaled
        Intensities in the scan's own unit (X, Y, Z), float32, exactly 0 outside the brain.
    off_grid
        Share of the scan's brain that lies off the grid, in [0, 1].
    """

    image: Float32Array
    brain: BoolArray
    unscaled: Float32Array
    off_grid: float


def prepare(
    volume: Volume,
    grid: Grid,
    *,
    scaling: str,
    resampling: Resampling = "antialias",
    brain: BoolArray | None = None,
) -> Prepared:
    """Bring a brain-extracted scan in MNI space to `grid` and scale its intensities.

    Negative voxels (interpolation ringing) become 0. The brain is found at the scan's own resolution (`find_brain`).
    A voxel of the grid belongs to it if the brain covers half of that voxel or more, and holds the mean over the
    covered part alone, `resample(x b) / resample(b)`: a rim dimmed by the background would be a bright-to-dark edge
    of the grid's making, not of the head's.

    With `resampling` "cubic" the scan is interpolated by cubic splines without smoothing, as Eitel 2019 did
    (docs/original.md, 2.3); the brain is found as before. Who has found it already gives it: `brain`, (X, Y, Z).

    Raises
    ------
    InputError
        The scan was standardised before, lies off the grid, or has no spread of intensities.
    """
    where = str(volume.path or "the image")
    if brain is None:
        brain = find_brain(volume.data, where=where)
    # deviates: the paper's volumes had no brain mask and ran from -0.13 to 1.0; here the background is exactly 0
    # outside a mask of half coverage, negatives are clipped before interpolation, and `max` looks inside the mask.
    coverage = resample(brain, volume.grid, grid)
    covered = coverage >= 0.5
    unscaled = np.zeros(grid.shape, dtype=np.float32)
    extracted = np.where(brain, volume.data.clip(min=0.0), 0.0)
    if resampling == "cubic":
        unscaled[covered] = resample(extracted, volume.grid, grid, order=3, antialias=False)[covered]
    else:
        np.divide(resample(extracted, volume.grid, grid), coverage, out=unscaled, where=covered)
    return Prepared(
        image=scale(unscaled, covered, scaling, where=where),
        brain=covered,
        unscaled=unscaled,
        off_grid=_off_grid(brain, volume.grid, grid),
    )


def find_brain(data: Float32Array, *, where: str = "the image") -> BoolArray:
    """Find the brain of a brain-extracted scan: (X, Y, Z) to (X, Y, Z) bool.

    It is the largest connected part (faces touch) of the voxels above 2 % of the 99th percentile of the positive ones,
    its holes filled.

    Raises
    ------
    InputError
        No voxel is positive, or so many are negative that the intensities were standardised before.
    """
    threshold = _threshold(data, where)
    bright = data > threshold
    negative = np.count_nonzero(data < -threshold) / np.count_nonzero(bright)
    if negative > _MOST_NEGATIVE:
        what = f"it has {100 * negative:.0f} % as many negative voxels as positive ones: it was already standardised"
        raise InputError(where, what, "Give the scan with its original, positive intensities and a background of 0")
    # A rim of background, so that all background outside the brain is one part.
    box = bounding_box(bright)
    largest = np.pad(largest_part(bright[box]), 1)
    outside, _ = ndimage.label(~largest)
    brain = np.zeros(data.shape, dtype=np.bool_)
    brain[box] = (outside != outside[0, 0, 0])[1:-1, 1:-1, 1:-1]
    return brain


def foreground(data: Float32Array) -> BoolArray:
    """Return the voxels (X, Y, Z) above 2 % of the 99th percentile of the positive ones, in however many parts."""
    return np.asarray(data > _threshold(data, "the image"))


def check_mni(brain: BoolArray, grid: Grid, *, where: str = "the image") -> None:
    """Raise InputError if the centre of mass of `brain` lies more than 30 mm from the MNI brain's."""
    offset = mni_offset(brain, grid)
    distance = float(np.linalg.norm(offset))
    if distance > _FARTHEST_MM:
        words = [
            f"{abs(mm):.0f} mm {positive if mm > 0 else negative}"
            for mm, (negative, positive) in zip(
                offset, (("left", "right"), ("posterior", "anterior"), ("inferior", "superior")), strict=True
            )
            if abs(mm) >= 1.0
        ]
        what = f"the image is not in MNI space: its brain's centre lies {distance:.0f} mm from the MNI brain's"
        raise InputError(
            where,
            f"{what} ({', '.join(words)})",
            "Run `pellucid preprocess` on it, or register it to the MNI152 template first",
        )


def mni_offset(brain: BoolArray, grid: Grid) -> Float64Array:
    """Return the centre of mass of `brain`: (X, Y, Z) on `grid`, from the MNI brain's, in mm (3,)."""
    count = np.count_nonzero(brain)
    centre = [
        float(brain.sum(axis=tuple(b for b in range(3) if b != a), dtype=np.int64) @ np.arange(n)) / count
        for a, n in enumerate(brain.shape)
    ]
    return np.asarray(grid.world(centre) - MNI_BRAIN_CENTRE)


def to_native(values: Float32Array, grid: Grid, native: Grid) -> Float32Array:
    """Bring a map on the model's `grid` back to the `native` grid of its scan, linearly; outside lies 0."""
    return resample(values, grid, native)


def _threshold(data: Float32Array, where: str) -> float:
    """Return the brightness above which a voxel is foreground."""
    positive = data[data > 0.0]
    if positive.size == 0:
        raise InputError(where, "no voxel is positive", "Export the scan again with its original intensities")
    return _FOREGROUND * float(np.percentile(positive, 99.0))


def _off_grid(brain: BoolArray, source: Grid, target: Grid) -> float:
    """Return the share of a brain's voxels whose centres lie in no voxel of `target`."""
    voxels = np.argwhere(brain)
    position = target.voxel(source.world(voxels))
    inside = ((position >= -0.5) & (position <= np.array(target.shape) - 0.5)).all(axis=1)
    return float(1.0 - inside.mean())
