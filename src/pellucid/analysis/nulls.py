"""Null maps: what a map that knows nothing of the network would score by the same measure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pellucid.errors import InputError

NULLS = ("intensity", "edge", "random", "mean-lesion")


def null_maps(
    image: npt.ArrayLike, brain: npt.ArrayLike, mean_lesion: npt.ArrayLike, *, seed: int
) -> dict[str, npt.NDArray[np.float32]]:
    """Make the four null maps of one subject, each 0 outside the brain.

    - intensity: the scaled image itself, as the network sees it. Lesions are bright, so this is the one to beat.
    - edge: the gradient's magnitude (`edge_map`).
    - random: white Gaussian noise, mean 0, SD 1. Its expected lift is 1.
    - mean-lesion: the mean lesion mask of the training subjects: where lesions usually are.

    Parameters
    ----------
    image
        The image as given to the network, (X, Y, Z).
    brain
        The brain mask, bool, same shape.
    mean_lesion
        The mean lesion map of the training subjects only, same shape; a held-out subject in it would leak.
    seed
        Seed of the noise.

    Raises
    ------
    InputError
        If the shapes differ.
    """
    values = np.asarray(image, dtype=np.float32)
    inside = np.asarray(brain, dtype=bool)
    lesion = np.asarray(mean_lesion, dtype=np.float32)
    for name, array in (("brain", inside), ("mean lesion map", lesion)):
        if array.shape != values.shape:
            raise InputError(name, f"its shape {array.shape} is not the image's {values.shape}", "Use one grid for all")
    noise = np.random.default_rng(seed).standard_normal(values.shape, dtype=np.float32)
    return {
        "intensity": values * inside,
        "edge": edge_map(values, inside),
        "random": noise * inside,
        "mean-lesion": lesion * inside,
    }


def edge_map(image: npt.ArrayLike, brain: npt.ArrayLike) -> npt.NDArray[np.float32]:
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
