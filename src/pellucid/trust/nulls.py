"""Null maps: what a map that knows nothing of the network would score by the same measure, the hardest among them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.special import expit

from pellucid.ground.arrays import BoolArray, Float32Array, FloatArray
from pellucid.ground.errors import InputError

Sizes = tuple[float, float, float]

NULLS = (
    *("intensity", "edge", "random", "mean-lesion"),
    *("brightest-percent", "intensity-power-4", "intensity-x-prior", "logistic"),
)

FEATURES = ("intensity", "local_contrast", "log10_prior")
"""What the null `logistic` knows of a voxel."""

PERCENT = 1.0
"""The brightest share of the seen brain, in percent, where no training participant says how much of it is lesion."""

PRIOR_MM, CONTRAST_MM = 3.8, 6.0  # standard deviations of Gaussians; 3.8 mm are two voxels of the paper's grid
PRIOR_FLOOR = 1e-4  # where no training participant has a lesion, one in ten thousand has

NO_IMAGE = "the scan that the map explains is not at hand"
NO_LESIONS = "no lesion masks of training participants are known"


@dataclass(frozen=True, slots=True, kw_only=True)
class Logistic:
    """A voxel-wise logistic regression: P(lesion) = 1 / (1 + exp(-intercept - sum of weight (x - mean) / sd)).

    Each tuple has a number for each of `FEATURES`.
    """

    mean: tuple[float, ...]
    sd: tuple[float, ...]
    weights: tuple[float, ...]
    intercept: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What the nulls may know of a model's training participants, and of nobody else.

    Parameters
    ----------
    mean_lesion
        The mean of their lesion masks (X, Y, Z), None where there is none or all are empty.
    percent
        For `brightest-percent`.
    logistic
        For `logistic`; None where it could not be fitted.
    missing
        Why there is no mean lesion map, or no regression; empty if there are both.
    """

    mean_lesion: Float32Array | None = None
    percent: float = PERCENT
    logistic: Logistic | None = None
    missing: str = NO_LESIONS


class Nulls(NamedTuple):
    """Null maps by name, and of those that cannot be made the reason."""

    maps: dict[str, Float32Array]
    missing: dict[str, str]


def null_maps(
    image: npt.ArrayLike | None,
    brain: npt.ArrayLike,
    seen: npt.ArrayLike,
    learned: Learned,
    *,
    voxel_sizes: Sizes,
    seed: int,
    no_image: str = NO_IMAGE,
) -> Nulls:
    """Make the null maps of one subject, each 0 outside the brain.

    - intensity: the scaled image x itself, as the network sees it. Lesions are bright on FLAIR.
    - edge: the gradient's magnitude (`edge_map`).
    - random: white Gaussian noise, mean 0, SD 1. Its expected lift is 1.
    - mean-lesion: the mean lesion mask of the training participants: where lesions usually are.
    - brightest-percent: x in the brightest `learned.percent` % of the seen brain, else 0 (`brightest`). Its strongest
      voxel is the scan's.
    - intensity-power-4: x |x|^3. It has the order of x, and with it all measures of ranks; its lift shows what
      sharpening alone is worth.
    - intensity-x-prior: x times the mean lesion map smoothed by 3.8 mm (`smooth_prior`).
    - logistic: the probability of a lesion given intensity, local contrast and smoothed mean lesion map (`features`).

    Parameters
    ----------
    image
        The image as given to the network, (X, Y, Z); None if it is not at hand.
    brain, seen
        The brain mask and the field of view, bool, same shape.
    learned
        What training participants tell; a held-out subject in it would leak.
    voxel_sizes
        Of the grid, in millimetres.
    seed
        Seed of the noise.
    no_image
        Why there is no image, if there is none.

    Raises
    ------
    InputError
        If the shapes differ.
    """
    inside = np.asarray(brain, dtype=bool)
    prior = learned.mean_lesion
    for name, array in (("image", image), ("field of view", seen), ("mean lesion map", prior)):
        if array is not None and np.shape(array) != inside.shape:
            what = f"its shape {np.shape(array)} is not the brain's {inside.shape}"
            raise InputError(name, what, "Use one grid for all")
    x = None if image is None else np.where(inside, np.asarray(image, dtype=np.float32), np.float32(0))
    noise = np.random.default_rng(seed).standard_normal(inside.shape, dtype=np.float32)
    maps: dict[str, Float32Array] = {"random": noise * inside}
    smooth = None if prior is None else smooth_prior(prior, voxel_sizes)
    if prior is not None:
        maps["mean-lesion"] = prior * inside
    if x is not None:
        maps["intensity"], maps["edge"] = x, edge_map(x, inside)
        maps["brightest-percent"] = x * brightest(x, inside & np.asarray(seen, dtype=bool), learned.percent)
        maps["intensity-power-4"] = x * np.abs(x) ** 3
    if x is not None and smooth is not None:
        maps["intensity-x-prior"] = x * smooth
        if learned.logistic is not None:
            known = features(x, inside, smooth, voxel_sizes)[inside]
            maps["logistic"] = np.zeros(inside.shape, dtype=np.float32)
            maps["logistic"][inside] = probability(learned.logistic, known)
    missing = {
        name: no_image if x is None and name != "mean-lesion" else learned.missing for name in NULLS if name not in maps
    }
    return Nulls({name: maps[name] for name in NULLS if name in maps}, missing)


def brightest(image: npt.ArrayLike, inside: npt.ArrayLike, percent: float) -> BoolArray:
    """Return where the brightest `percent` % of the voxels `inside` are, at least one, and all that tie with them.

    Raises
    ------
    InputError
        If `percent` is not above 0 and at most 100.
    """
    if not 0 < percent <= 100:
        raise InputError("brightest-percent", f"is {percent}", "Give a number above 0 and at most 100")
    x, B = np.asarray(image, dtype=np.float32), np.asarray(inside, dtype=bool)
    values = x[B]
    if values.size == 0:
        return np.zeros(x.shape, dtype=np.bool_)
    k = brightest_number(values.size, percent)
    threshold = np.partition(values, values.size - k)[values.size - k]
    return np.asarray(B & (x >= threshold), dtype=np.bool_)


def brightest_number(voxels: int, percent: float) -> int:
    """Return how many of some voxels are so many percent, at least one."""
    return max(round(percent / 100.0 * voxels), 1)


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


def edge_map(image: npt.ArrayLike, brain: npt.ArrayLike) -> Float32Array:
    """Return the magnitude of the image's gradient, per voxel, blind to the brain's own outline.

    Along each axis the derivative is the mean of the steps to those of the two neighbours that lie in the brain: the
    central difference inside, one-sided at the border, 0 where neither neighbour is in the brain.
    """
    inside = np.asarray(brain, dtype=bool)
    values = np.asarray(image, dtype=np.float64)
    squares = np.zeros(values.shape)
    for axis in range(values.ndim):
        lower = [slice(None)] * values.ndim
        upper = [slice(None)] * values.ndim
        lower[axis], upper[axis] = slice(None, -1), slice(1, None)
        below, above = tuple(lower), tuple(upper)
        both = inside[below] & inside[above]
        step = np.where(both, values[above] - values[below], 0.0)
        total, number = np.zeros(values.shape), np.zeros(values.shape)
        for side in (below, above):
            total[side] += step
            number[side] += both
        squares += (total / np.maximum(number, 1)) ** 2
    return np.sqrt(squares).astype(np.float32)
