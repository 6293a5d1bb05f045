"""Relevance in colour: its limits, its colours, its colour bar, and the voxel to cut through."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import numpy.typing as npt

from pellucid.ground.arrays import Float64Array
from pellucid.ground.numbers import number
from pellucid.report.pictures.brain import Bar, Paint

LIMIT_PERCENTILE = 99.9
UNIT = "relevance (logit units per voxel)"


def symmetric_limit(maps: Sequence[npt.ArrayLike]) -> float:
    """Return the colour limit for maps shown side by side: the 99.9th percentile of |R| over voxels where R is not 0.

    1 if no voxel differs from 0, so that the scale stays valid.
    """
    sizes = np.concatenate([np.abs(np.asarray(values, dtype=np.float64)).ravel() for values in maps])
    sizes = sizes[sizes > 0]
    return float(np.percentile(sizes, LIMIT_PERCENTILE)) if sizes.size else 1.0


def strongest_voxel(relevance: npt.ArrayLike, seen: npt.ArrayLike) -> tuple[int, int, int]:
    """Return the seen voxel that argues most for the verdict.

    That is the voxel of largest relevance if the map's sum is positive (towards patient), of smallest otherwise.
    """
    values = np.asarray(relevance, dtype=np.float64)
    directed = values if values.sum() >= 0 else -values
    i, j, k = np.unravel_index(np.where(np.asarray(seen), directed, -np.inf).argmax(), values.shape)
    return int(i), int(j), int(k)


def colours(relevance: Float64Array, limit: float) -> Float64Array:
    """Map relevance to RGBA (..., 4): coolwarm between -limit and limit, opacity |R| / limit, so that 0 is transparent.

    # deviates: the paper's opacity is a parabola in R, which shows little but the extremes.
    """
    t = np.clip(relevance / limit, -1.0, 1.0)
    rgba = np.asarray(mpl.colormaps["coolwarm"]((t + 1.0) / 2.0), dtype=np.float64)
    rgba[..., 3] = np.abs(t)
    return rgba


def relevance_paint(limit: float) -> Paint:
    """Return `colours` with its limit."""
    return lambda values: colours(values, limit)


def relevance_bar(limit: float, *, clipped: bool) -> Bar:
    """Return the colour bar of relevance; `clipped` says that some voxels lie beyond its ends."""
    below, above = ("≤ ", "≥ ") if clipped else ("", "")
    half, whole = number(limit / 2), number(limit)
    ends = (f"{below}−{whole}", f"−{half}", "0", f"+{half}", f"{above}+{whole}")
    words = zip((-limit, -limit / 2, 0.0, limit / 2, limit), ends, strict=True)
    return Bar(relevance_paint(limit), -limit, limit, tuple(words), UNIT)
