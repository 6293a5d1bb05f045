"""Lesion filling: lesions take on the look of the healthy white matter around them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from scipy import ndimage

from pellucid.ground.arrays import BoolArray, Float32Array
from pellucid.ground.errors import InputError
from pellucid.image.grid import Box, Grid
from pellucid.image.masks import bounding_box
from pellucid.image.planes import to_ras
from pellucid.preprocess.texture import ENOUGH, REACH, SCALE_MM, local_statistics, nearest_statistics, robust, texture

Filling = Literal["local", "slice"]
METHODS: tuple[Filling, ...] = get_args(Filling)

RIM_MM = 1.5
"""How far beyond the mask `local` may change a voxel: lesions of real FLAIRs are that much wider than experts draw."""

MARGIN_MM = 3.0
"""White matter nearer to a lesion than this does not count as healthy."""

_GROSS = 4.0  # spreads of the whole white matter; further out lies another tissue
_HALO = 1.0  # spreads; further out on the lesions' side, a voxel of the rim belongs to the lesion
_DARKEST = 1.0  # percentile of the brain; fluid is dark in FLAIR and T1w alike
_BLUR = 0.4  # voxels; a scan's own resolution, as a standard deviation
_SHARE = 1.0 / 8.0  # of the most lesion neighbours in the mask: what the original's dilation asks for


@dataclass(frozen=True, slots=True)
class Filled:
    """A filled image and what was done to it, all (X, Y, Z).

    Parameters
    ----------
    image
        The filled image, float32; as given wherever `changed` is False.
    changed
        Voxels that were replaced: lesions, and what of their rim belongs to them.
    wide
        Those with too little healthy white matter around, filled from the nearest within `WIDE_MM`.
    whole_brain
        Those with too little even there, filled from all there is.
    unfilled
        Lesion voxels that keep their value: off the brain (`local`), or in a slice without white matter (`slice`).
    """

    image: Float32Array
    changed: BoolArray
    wide: BoolArray
    whole_brain: BoolArray
    unfilled: BoolArray


def fill_lesions(
    image: Float32Array,
    lesions: BoolArray,
    white: BoolArray,
    grid: Grid,
    *,
    seed: int,
    method: str = "local",
    brain: BoolArray | None = None,
) -> Filled:
    """Give the `lesions` of a FLAIR or T1w `image` the look of healthy white matter; all (X, Y, Z) on `grid`.

    `local`: voxel v becomes mu(v) + sigma(v) n(v). mu and sigma are mean and spread of the healthy white matter around
    v (`local_statistics`), n is a random field with that white matter's texture (`texture`). Where fluid or cortex
    begins, mu is blurred with it as by a scanner. All of the mask changes. Of its rim, `RIM_MM` wide, a voxel changes
    that lies on the lesions' side of both mu and the tissue beyond by more than sigma, and is no fluid; it becomes
    white matter, or cortex where there is cortex beyond. The background stays 0. Where white matter is nowhere
    negative, nothing becomes negative.

    `slice`: one number a slice, as Eitel 2019's code did (`fill_slices`).

    Parameters
    ----------
    image, grid
        Intensities, float32, in any unit, and the grid they lie on.
    lesions
        The lesion mask. If it is empty the image comes back as it is.
    white
        Where white matter is the most probable tissue. It may hold the lesions and need not.
    seed
        The same seed gives the same image, whatever the number of threads.
    method
        'local' or 'slice'.
    brain
        Where `local` may change voxels; where the image is not 0 if None.

    Raises
    ------
    ValueError
        An array is not on `grid`.
    InputError
        The method is none of these; no healthy white matter is left; or, for `slice`, the grid is oblique.

    References
    ----------
    Eitel 2019, §2.2; Valverde et al. 2014, "A white matter lesion-filling approach to improve brain tissue volume
    measurements", NeuroImage: Clinical 6.
    """
    for name, values in (("image", image), ("lesions", lesions), ("white", white), ("brain", brain)):
        if values is not None and values.shape != grid.shape:
            raise ValueError(f"{name} of shape {values.shape} is not on the grid {grid}")
    if method not in METHODS:
        raise InputError(method, "is not a method of lesion filling", f"Choose one of {', '.join(METHODS)}")
    if not lesions.any():
        return Filled(image.copy(), *(np.zeros(grid.shape, dtype=np.bool_) for _ in range(4)))
    rng = np.random.default_rng(seed)
    if method == "slice":
        return fill_slices(image, lesions, white, grid, rng)
    return _fill_local(image, lesions, white, grid, image != 0.0 if brain is None else brain, rng)


def fill_slices(
    image: Float32Array, lesions: BoolArray, white: BoolArray, grid: Grid, rng: np.random.Generator
) -> Filled:
    """Fill lesions as Eitel 2019's code did: all of an axial slice's with one number, x ~ N(mean, (sd / 2)²).

    mean and sd are those of the slice's white matter that is not 0, lesions in it included. The mask is dilated first
    (`dilate_original`). A slice without white matter keeps its lesions.
    """
    filled = image.copy()
    changed, unfilled, wide, whole = (np.zeros(grid.shape, dtype=np.bool_) for _ in range(4))
    # Views, bottom to top, so that what is set in a slice is set in the volume.
    volumes = (filled, dilate_original(lesions), white, changed, unfilled)
    slices = [np.moveaxis(to_ras(values, grid)[0], 2, 0) for values in volumes]
    for picture, lesion, matter, done, left in zip(*slices, strict=True):
        values = picture[matter & (picture != 0.0)].astype(np.float64)
        if lesion.any() and values.size:
            # deviates: drawn from a seed, slice by slice upwards; the original's draws could not be repeated.
            picture[lesion] = rng.normal(values.mean(), values.std() / 2.0)
            done[lesion] = True
        left[lesion] = ~done[lesion]
    return Filled(filled, changed, wide, whole, unfilled & lesions)


def dilate_original(lesions: BoolArray) -> BoolArray:
    """Dilate a mask as Eitel 2019's code did: to the voxels with an eighth or more of the most hits of any voxel.

    A voxel's hits are the mask's voxels among itself and the 18 that share a face or an edge with it.
    """
    neighbours = ndimage.generate_binary_structure(3, 2).astype(np.int16)
    hits = ndimage.convolve(lesions.astype(np.int16), neighbours, mode="constant")
    return np.asarray(hits >= max(_SHARE * float(hits.max()), 1.0))


def dilate(mask: BoolArray, grid: Grid, millimetres: float) -> BoolArray:
    """Add to a mask what lies within some millimetres of it, and all voxels that share a face with it."""
    out = np.zeros(grid.shape, dtype=np.bool_)
    if mask.any():
        box = _around(mask, grid, millimetres)
        distance = ndimage.distance_transform_edt(~mask[box], sampling=grid.voxel_sizes)
        # A slice thicker than that spreads a lesion into the next one all the same.
        out[box] = (distance <= millimetres) | ndimage.binary_dilation(mask[box])
    return out


def healthy_white(image: Float32Array, lesions: BoolArray, white: BoolArray, grid: Grid) -> BoolArray:
    """Return healthy white matter: `MARGIN_MM` away from lesions, white on all six sides, and within 4 spreads.

    The spread is 1.4826 times the median absolute deviation of all of it. Where no voxel is white on all sides, that is
    not asked for.
    """
    candidates = white & ~dilate(lesions, grid, MARGIN_MM)
    inner = candidates & ndimage.binary_erosion(white)
    candidates = inner if inner.any() else candidates
    if not candidates.any():
        what = "no white matter is left outside the lesions and their margin"
        raise InputError("white matter", what, "Check that white matter, lesions and image are aligned")
    median, spread = robust(image[candidates])
    return np.asarray(candidates & (np.abs(image - np.float32(median)) <= _GROSS * spread))


def _fill_local(
    image: Float32Array, lesions: BoolArray, white: BoolArray, grid: Grid, brain: BoolArray, rng: np.random.Generator
) -> Filled:
    """Fill lesions from the healthy white matter around them."""
    # deviates: the original's code fills a slice with one number; a number a voxel, from the healthy white matter
    # around in 3D, leaves no stripes, and lesions do not count as white matter.
    healthy = healthy_white(image, lesions, white & brain, grid)
    box = _around(lesions, grid, MARGIN_MM + REACH * SCALE_MM)
    x, matter, target, inside = image[box], healthy[box], (lesions & brain)[box], brain[box]
    rim = dilate(lesions, grid, RIM_MM)[box] & inside
    outside = inside & ~dilate(lesions, grid, MARGIN_MM)[box]
    mean, spread, number = local_statistics(x, matter, grid) if matter.any() else [np.zeros_like(x) for _ in range(3)]
    # From few voxels the statistics pass smoothly into those of the nearest ones.
    share = np.minimum(number / np.float32(ENOUGH), np.float32(1.0))
    few, none = rim & (share < 1.0), np.zeros(x.shape, dtype=np.bool_)
    if few.any():
        voxels = np.argwhere(few) + np.array([s.start for s in box])
        middle, width, none[few] = nearest_statistics(image, healthy, grid, voxels)
        mean[few] += (1.0 - share[few]) * (middle - mean[few])
        spread[few] += (1.0 - share[few]) * (width - spread[few])
    off = x - mean
    side = np.float32(np.sign(np.median(off[target])) if target.any() else 0.0)
    # The rim is white matter, or as the tissue beyond where that is nearer to the lesions: cortex on a FLAIR.
    expected = mean + side * np.maximum(side * (_beyond(x, outside, grid) - mean), np.float32(0.0))
    fluid = np.float32(np.percentile(image[brain], _DARKEST))
    halo = (side * (x - expected) > _HALO * spread) & (x - fluid > 0.5 * (mean - fluid))
    done = target | (rim & halo)
    level = ndimage.gaussian_filter(np.where(target, mean, np.where(done, expected, x)), _BLUR)
    value = level + spread * texture(off, matter, grid, rng)
    if float(image[healthy].min()) >= 0.0:
        value = np.maximum(value, np.float32(0.0))
    filled = image.copy()
    filled[box] = np.where(done, value, x)
    changed, wide, whole = (np.zeros(grid.shape, dtype=np.bool_) for _ in range(3))
    changed[box] = done
    wide[box] = done & (share < 0.5) & ~none
    whole[box] = done & (share < 0.5) & none
    return Filled(filled, changed, wide, whole, lesions & ~changed)


def _beyond(x: Float32Array, outside: BoolArray, grid: Grid) -> Float32Array:
    """Return for every voxel the intensity, a little smoothed, of the voxel of `outside` that is nearest to it."""
    if not outside.any():
        return x
    weight = ndimage.gaussian_filter(outside.astype(np.float32), 1.0)
    smooth = ndimage.gaussian_filter(np.where(outside, x, np.float32(0.0)), 1.0) / np.maximum(weight, 1e-6)
    nearest = ndimage.distance_transform_edt(
        ~outside, sampling=grid.voxel_sizes, return_distances=False, return_indices=True
    )
    return np.asarray(smooth[tuple(nearest)])


def _around(mask: BoolArray, grid: Grid, millimetres: float) -> Box:
    """Return the box around a mask that reaches some millimetres, and at least one voxel, further, within the grid."""
    return bounding_box(mask, [max(more, 1) for more in grid.reach(millimetres)])
