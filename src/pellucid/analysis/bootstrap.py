"""Resample subjects within their group: the interval that says how much the choice of subjects matters."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pellucid.ground.arrays import Float64Array, IndexArray

RESAMPLES = 2000
LOW, HIGH = 2.5, 97.5  # percentiles: a 95 % interval


def resample(strata: npt.ArrayLike, *, resamples: int = RESAMPLES, seed: int) -> IndexArray:
    """Draw subjects with replacement within each stratum.

    Each row keeps the number of subjects of every stratum, so that a resample never loses a group.

    Parameters
    ----------
    strata
        The stratum (group) of each of n subjects, (n,).
    resamples
        Number of rows B.
    seed
        The same seed gives the same draws.

    Returns
    -------
    Positions of the subjects drawn, (B, n).
    """
    stratum = np.asarray(strata)
    generator = np.random.default_rng(seed)
    drawn = np.empty((resamples, stratum.size), dtype=np.intp)
    for value in np.unique(stratum):
        members = np.flatnonzero(stratum == value)
        drawn[:, members] = members[generator.integers(0, members.size, size=(resamples, members.size))]
    return drawn


def counts(drawn: IndexArray) -> Float64Array:
    """Return how often each of n subjects stands in each resample: (B, n) positions to (B, n) counts."""
    rows, n = drawn.shape
    flat = drawn + n * np.arange(rows)[:, None]
    return np.bincount(flat.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float64)


def interval(draws: npt.ArrayLike) -> tuple[float, float]:
    """Return the 2.5th and 97.5th percentile of the draws of one statistic, (B,); NaN if any draw is NaN."""
    low, high = np.percentile(np.asarray(draws, dtype=np.float64), [LOW, HIGH])
    return float(low), float(high)
