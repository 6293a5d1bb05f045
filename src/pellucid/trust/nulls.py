"""Null maps: what a map that knows nothing of the network would score by the same measure, the hardest among them."""

from __future__ import annotations

from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt

from pellucid.ground.arrays import BoolArray, Float32Array
from pellucid.ground.errors import InputError
from pellucid.trust.lesion_chance import Sizes, features, probability
from pellucid.trust.null_registry import NULLS, Known, Learned, null_map

__all__ = ["NO_IMAGE", "NULLS", "Known", "Learned", "Nulls", "null_map", "null_maps"]

NO_IMAGE = "the scan that the map explains is not available"


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
    """Make every null map that is registered, of one subject, each 0 outside the brain.

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
        If the shapes differ, also that of a map which a module of the user's makes.
    """
    inside = np.asarray(brain, dtype=bool)
    for name, array in (("image", image), ("field of view", seen), ("mean lesion map", learned.mean_lesion)):
        if array is not None and np.shape(array) != inside.shape:
            what = f"its shape {np.shape(array)} is not the brain's {inside.shape}"
            raise InputError(name, what, "Use the same grid for all")
    x = None if image is None else np.where(inside, np.asarray(image, dtype=np.float32), np.float32(0))
    known = Known(
        image=x,
        brain=inside,
        seen=np.asarray(seen, dtype=bool),
        learned=learned,
        voxel_sizes=voxel_sizes,
        seed=seed,
    )
    maps, missing = dict[str, Float32Array](), dict[str, str]()
    for name, null in NULLS.items():
        lacking = known.lacks(null.needs)
        if lacking is not None:
            missing[name] = no_image if lacking == "image" else learned.missing
            continue
        values = np.asarray(null.make(known), dtype=np.float32)
        if values.shape != inside.shape:
            raise InputError(f"null map {name}", f"its shape is {values.shape}", f"Return one of {inside.shape}")
        maps[name] = values * inside
    return Nulls(maps, missing)


@null_map("intensity", meaning="the scaled scan itself", rival="bright voxels", needs=("image",))
def intensity(known: Known) -> Float32Array:
    """Return the scaled image x itself, as the network sees it. Lesions are bright on FLAIR."""
    return _image(known)


@null_map("edge", meaning="its gradient's magnitude", rival="edges", needs=("image",), deletion=False)
def edge(known: Known) -> Float32Array:
    """Return the magnitude of the gradient of x (`edge_map`)."""
    return edge_map(_image(known), known.brain)


@null_map("random", meaning="white noise", rival="noise", deletion=False)
def random(known: Known) -> Float32Array:
    """Return white Gaussian noise, mean 0, SD 1. Its expected lift is 1."""
    return np.random.default_rng(known.seed).standard_normal(known.brain.shape, dtype=np.float32)


@null_map(
    "mean-lesion",
    meaning="the training participants' mean lesion map",
    rival="the mean lesion map",
    needs=("mean-lesion",),
    deletion=False,
)
def mean_lesion(known: Known) -> Float32Array:
    """Return the mean lesion mask of the training participants: where lesions usually are."""
    return cast(Float32Array, known.learned.mean_lesion)


@null_map(
    "brightest-percent",
    meaning="the scan in its brightest part, 0 elsewhere; the size of this part is best for the training participants",
    rival="bright voxels",
    needs=("image",),
)
def brightest_percent(known: Known) -> Float32Array:
    """Return x in the brightest `learned.percent` % of the seen brain, else 0 (`brightest`).

    Its strongest voxel is the scan's.
    """
    x = _image(known)
    return x * brightest(x, known.brain & known.seen, known.learned.percent)


@null_map(
    "intensity-power-4",
    meaning="the scan to the power of 4: the same ranking, sharpened",
    rival="bright voxels",
    needs=("image",),
)
def intensity_power_4(known: Known) -> Float32Array:
    """Return x |x|^3.

    It has the order of x, and with it all measures of ranks; its lift shows what sharpening alone is worth.
    """
    x = _image(known)
    return cast(Float32Array, x * np.abs(x) ** 3)


@null_map(
    "intensity-x-prior",
    meaning="the scan times the smoothed mean lesion map",
    rival="bright voxels where lesions usually are",
    needs=("image", "mean-lesion"),
)
def intensity_x_prior(known: Known) -> Float32Array:
    """Return x times the mean lesion map smoothed by 3.8 mm (`smooth_prior`)."""
    return _image(known) * cast(Float32Array, known.prior)


@null_map(
    "logistic",
    meaning="a voxel's probability of lesion from brightness, local contrast and mean lesion map, by a regression "
    "fitted to the training participants",
    rival="bright voxels where lesions usually are",
    needs=("image", "mean-lesion", "logistic"),
)
def logistic(known: Known) -> Float32Array:
    """Return P(lesion) given intensity, local contrast and smoothed mean lesion map (`features`, `probability`)."""
    chance = np.zeros(known.brain.shape, dtype=np.float32)
    of_voxels = features(_image(known), known.brain, cast(Float32Array, known.prior), known.voxel_sizes)
    regression = known.learned.logistic
    assert regression is not None  # it is among the needs
    chance[known.brain] = probability(regression, of_voxels[known.brain])
    return chance


def _image(known: Known) -> Float32Array:
    """Return the image of a null that needs it."""
    return cast(Float32Array, known.image)


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
