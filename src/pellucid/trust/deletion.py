"""Deletion: how far the logit falls when the voxels that a map ranks first are filled with something else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial import cKDTree

from pellucid.ground.arrays import BoolArray, Float32Array, Float64Array, FloatArray, IndexArray
from pellucid.ground.errors import InputError
from pellucid.image.scaling import MAD_TO_SD

FILLS = ("local-white-matter", "brain-median")
VOXELS = (50, 100, 500, 1000, 5000)
DRAWS = 3
"""How often a choice among equal voxels is drawn."""

RANDOM, LESIONS = "random", "lesions"

CONSTANT = "the map is constant over the seen brain"
FEW = "the seen brain has fewer voxels"
NO_WHITE = "there is no white matter to fill with"
NO_LESION = "no lesion mask, or no lesion in the seen brain"

NEIGHBOURS, ENOUGH = 32, 8
_SPREADS = 2.0

Predict = Callable[[Float32Array], FloatArray]
"""Images (B, X, Y, Z) to logits (B,)."""

COLUMNS = ("ranking", "fill", "k", "voxels", "draws", "logit", "fall", "correlation", "missing")


def deletion(
    image: Float32Array,
    rankings: Mapping[str, npt.ArrayLike],
    *,
    inside: BoolArray,
    white: BoolArray,
    lesions: BoolArray | None,
    voxels: Sequence[int],
    voxel_sizes: Sequence[float],
    predict: Predict,
    seed: int,
) -> pd.DataFrame:
    """Fill the first k voxels of each ranking and see how far the logit falls: `fall = f(x) - f(x filled)`.

    The logit and never the probability, which saturates. Two fills: `local-white-matter`, the median of the white
    matter around (`local_values`), which says what the network makes of plausible tissue; and `brain-median`, the
    median of the brain, one number.

    A ranking takes the seen brain's voxels by falling value. Equal ones are taken at random: where that matters to
    which voxels are among the first k, the fall is the mean of `DRAWS` draws. `random`, which is always there, finds
    all voxels equal. `lesions` fills every lesion voxel instead of k.

    Parameters
    ----------
    image
        The prepared scan x, (X, Y, Z); so are all arrays.
    rankings
        Maps by name; the first is the explained one.
    inside
        The seen brain: what may be filled.
    white
        White-matter-like voxels (`white_matter_like`).
    lesions
        The lesion mask; None where there is none.
    voxels
        The numbers k.
    voxel_sizes
        In millimetres.
    predict
        Gives the logits of a few images at a time, no more than there are numbers k.
    seed
        Of the draws.

    Returns
    -------
    Rows of `COLUMNS`, one a ranking, fill and k: k (missing for `lesions`), voxels that were filled, draws, logit
    (before), fall, correlation, Pearson's r of the ranking's map with the first one over the seen brain, and missing,
    why there is no fall: fewer than k voxels, a constant map, no lesion, or no white matter. None where there is one.

    Raises
    ------
    InputError
        A ranking is not finite, or not of the image's shape.

    Source: pixel flipping, Samek et al. 2017, "Evaluating the visualization of what a deep neural network has learned",
    IEEE TNNLS 28, on logits and with plausible tissue in place of noise.
    """
    places = np.flatnonzero(inside)
    values = {name: _inside(name, ranking, places, inside.shape) for name, ranking in rankings.items()}
    first = next(iter(values.values()))
    before = float(predict(image[None])[0])
    fills = _Fills(image, inside, white, voxel_sizes)
    known: dict[tuple[str, bytes], float] = {}
    rows: list[tuple[object, ...]] = []
    for number, (name, value) in enumerate([*values.items(), (RANDOM, np.zeros(len(places)))]):
        generator = np.random.default_rng([seed, number])
        told = name == RANDOM or (value != value[:1]).any()
        possible = [k for k in voxels if k <= len(places)] if told else []
        sets = list(_first(value, places, possible, generator)) if possible else []
        for fill in FILLS:
            each = [_falls(fill, one, possible, fills, before, predict, known) for one in sets]
            falls = dict(zip(possible, np.mean(each, axis=0), strict=True)) if sets else {}
            for k in voxels:
                fall = float(falls.get(k, np.nan))
                why = None if np.isfinite(fall) else CONSTANT if not told else FEW if k not in falls else NO_WHITE
                said = (k, k if why is None else 0, len(sets), before, fall, _pearson(value, first), why)
                rows.append((name, fill, *said))
    drawn = np.zeros(0, dtype=np.intp) if lesions is None else np.flatnonzero(lesions & inside)
    for fill in FILLS:
        fall = float(_falls(fill, drawn, [len(drawn)], fills, before, predict, known)[0]) if len(drawn) else np.nan
        why = None if np.isfinite(fall) else NO_WHITE if len(drawn) else NO_LESION
        rows.append((LESIONS, fill, np.nan, len(drawn), int(len(drawn) > 0), before, fall, np.nan, why))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def white_matter_like(image: npt.ArrayLike, brain: npt.ArrayLike, likely: npt.ArrayLike) -> BoolArray:
    """Return the voxels of a brain that lie where white matter is likely and are as bright as it.

    `|x - m| <= 2 s`, m and s median and 1.4826 times the median absolute deviation of the likely voxels of the brain;
    lesions and fluid among them are left out by that.
    """
    x, place = np.asarray(image, dtype=np.float64), np.asarray(brain, dtype=bool) & np.asarray(likely, dtype=bool)
    if not place.any():
        return np.asarray(place)
    middle = float(np.median(x[place]))
    spread = MAD_TO_SD * float(np.median(np.abs(x[place] - middle)))
    return np.asarray(place & (np.abs(x - middle) <= _SPREADS * spread))


class _Fills:
    """What removed voxels of one image are filled with."""

    def __init__(self, image: Float32Array, inside: BoolArray, white: BoolArray, voxel_sizes: Sequence[float]) -> None:
        self.image = image
        self.median = np.float32(np.median(image[inside])) if inside.any() else np.float32(0)
        self._sizes = np.asarray(voxel_sizes, dtype=np.float64)
        self._white = np.flatnonzero(white)
        self._tree = cKDTree(self._positions(self._white)) if self._white.size else None

    def nearest(self, removed: IndexArray) -> IndexArray | None:
        """Return the flat places of the white-matter-like voxels nearest to each removed one, (n, 32); None if none."""
        if self._tree is None:
            return None
        number = min(NEIGHBOURS, self._white.size)
        _, found = self._tree.query(self._positions(removed), k=number)
        return self._white[np.asarray(found, dtype=np.intp).reshape(len(removed), number)]

    def local_values(self, removed: IndexArray, nearest: IndexArray) -> Float32Array:
        """Return for each removed voxel the median of those of its 32 nearest white-matter-like ones that are kept.

        Where fewer than 8 are, that of all white-matter-like voxels that are kept.
        """
        gone = np.zeros(self.image.size, dtype=np.bool_)
        gone[removed] = True
        flat = self.image.ravel()
        kept = self._white[~gone[self._white]]
        anywhere = np.median(flat[kept]) if kept.size else self.median
        around = np.where(gone[nearest], np.inf, flat[nearest])
        around.sort(axis=1)
        number = np.isfinite(around).sum(axis=1)
        rows, half = np.arange(len(removed)), np.maximum(number, 1)
        middle = (around[rows, (half - 1) // 2] + around[rows, half // 2]) / 2
        return np.where(number >= min(ENOUGH, nearest.shape[1]), middle, anywhere).astype(np.float32)

    def _positions(self, places: IndexArray) -> Float64Array:
        return np.stack(np.unravel_index(places, self.image.shape), axis=1) * self._sizes


def _falls(
    fill: str,
    order: IndexArray,
    numbers: Sequence[int],
    fills: _Fills,
    before: float,
    predict: Predict,
    known: dict[tuple[str, bytes], float],
) -> Float64Array:
    """Return how far the logit falls when the first k voxels of an order are filled, for each k; each set once."""
    nearest = fills.nearest(order[: max(numbers)]) if fill == FILLS[0] else None
    if fill == FILLS[0] and nearest is None:
        return np.full(len(numbers), np.nan)
    keys = [(fill, np.sort(order[:k]).tobytes()) for k in numbers]
    new = [(key, k) for key, k in zip(keys, numbers, strict=True) if key not in known]
    if new:
        images = np.repeat(fills.image[None], len(new), axis=0)
        for image, (_, k) in zip(images, new, strict=True):
            value = fills.median if nearest is None else fills.local_values(order[:k], nearest[:k])
            image.reshape(-1)[order[:k]] = value
        for (key, _), after in zip(new, predict(images), strict=True):
            known[key] = before - float(after)
    return np.array([known[key] for key in keys])


def _first(
    value: Float64Array, places: IndexArray, numbers: Sequence[int], generator: np.random.Generator
) -> Iterator[IndexArray]:
    """Yield the places of the largest values, the largest first: once, or `DRAWS` times if equal ones are cut apart."""
    ordered = -np.sort(-value)
    cut = any(k < len(value) and ordered[k - 1] == ordered[k] for k in numbers)
    for _ in range(DRAWS if cut else 1):
        yield places[np.lexsort((generator.random(len(value)), -value))[: max(numbers)]]


def _inside(name: str, ranking: npt.ArrayLike, places: IndexArray, shape: tuple[int, ...]) -> Float64Array:
    """Return the values of a ranking's map at some places."""
    array = np.asarray(ranking)
    if array.shape != shape:
        raise InputError(name, f"its shape {array.shape} is not the image's {shape}", "Use the same grid for all")
    values = np.asarray(array.ravel()[places], dtype=np.float64)
    if not np.isfinite(values).all():
        raise InputError(name, "a voxel is not finite", "Explain the scan again")
    return values


def _pearson(one: Float64Array, two: Float64Array) -> float:
    """Return Pearson's r; NaN if either is constant."""
    a, b = one - one.mean() if one.size else one, two - two.mean() if two.size else two
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 0 else np.nan
