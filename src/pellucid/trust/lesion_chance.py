"""The chance of a lesion at a voxel, by what training participants tell: where lesions lie, and how bright they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.special import expit

from pellucid.ground.arrays import BoolArray, Float32Array, FloatArray

Sizes = tuple[float, float, float]

FEATURES = ("intensity", "local_contrast", "log10_prior")
"""What the regression knows of a voxel."""

PRIOR_MM, CONTRAST_MM = 3.8, 6.0  # standard deviations of Gaussians; 3.8 mm are two voxels of the paper's grid
PRIOR_FLOOR = 1e-4  # where no training participant has a lesion, one in ten thousand has


@dataclass(frozen=True, slots=True, kw_only=True)
class Logistic:
    """A voxel-wise logistic regression: P(lesion) = 1 / (1 + exp(-intercept - sum of weight (x - mean) / sd)).

    Each tuple has a number for each of `FEATURES`.
    """

    mean: tuple[float, ...]
    sd: tuple[float, ...]
    weights: tuple[float, ...]
    intercept: float


def smooth_prior(mean_lesion: npt.ArrayLike, voxel_sizes: Sizes) -> Float32Array:
    """Smooth a mean lesion map by a Gaussian of 3.8 mm SD, so that a lesion need not lie where another has been."""
    sigma = [PRIOR_MM / size for size in voxel_sizes]
    smooth = ndimage.gaussian_filter(np.asarray(mean_lesion, dtype=np.float32), sigma, mode="constant")
    return np.asarray(smooth, dtype=np.float32)


def local_contrast(image: npt.ArrayLike, brain: npt.ArrayLike, voxel_sizes: Sizes) -> Float32Array:
    """Return how much brighter each voxel is than the brain around it, 0 outside the brain.

    x - G(x b) / G(b), with the brain b and a Gaussian G of 6 mm SD, cut off at three of them.
    """
    inside = np.asarray(brain, dtype=bool)
    contrast = np.zeros(inside.shape, dtype=np.float32)
    for box in ndimage.find_objects(inside.astype(np.uint8)):  # one, or none: beyond the brain's box there is nothing
        b = inside[box].astype(np.float32)
        x = np.asarray(image, dtype=np.float32)[box] * b
        sigma = [CONTRAST_MM / size for size in voxel_sizes]
        mean, weight = (ndimage.gaussian_filter(array, sigma, mode="constant", truncate=3.0) for array in (x, b))
        around = np.divide(mean, weight, out=np.zeros_like(x), where=b > 0)
        contrast[box] = (x - around) * b
    return contrast


def features(image: Float32Array, brain: BoolArray, smooth: Float32Array, voxel_sizes: Sizes) -> Float32Array:
    """Return `FEATURES` of each voxel, (X, Y, Z, 3): x, its local contrast, log10(smoothed prior + 1e-4)."""
    place = np.log10(np.maximum(smooth, 0.0) + PRIOR_FLOOR)
    return np.stack([image, local_contrast(image, brain, voxel_sizes), place], axis=-1).astype(np.float32)


def probability(logistic: Logistic, known: FloatArray) -> Float32Array:
    """Return the probability of a lesion for rows of `FEATURES`, (n, 3) to (n,)."""
    weights = np.array(logistic.weights) / np.array(logistic.sd)
    shift = logistic.intercept - float(weights @ np.array(logistic.mean))
    chance: Float32Array = expit(known @ weights + shift).astype(np.float32)
    return chance
