"""How often chance does as well as what was observed, and what that is for a statistic that is too large."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import norm, permutation_test

from pellucid.analysis.crossed import weakened

PERMUTATIONS = 9999

_COUNTED = 10
"""Permutations as extreme as the statistic from which on their number is taken for its chance."""


class Chance(NamedTuple):
    """Statistics as observed and their p, one each or arrays."""

    observed: Any
    p: Any


def chance(
    data: tuple[npt.ArrayLike, ...],
    statistic: Any,
    *,
    kind: str,
    alternative: str,
    middle: float = 0.0,
    factor: float = 1.0,
    permutations: int = PERMUTATIONS,
    seed: int,
) -> Chance:
    """Permute data and count how often a statistic is at least as extreme as the observed one.

    Of a statistic `factor` times too large p is `weakened`. Where fewer than ten permutations are as extreme, p is no
    more than their number lets it be, and weakened would stay large whatever was observed; there it is the normal tail
    of z / factor, with z the statistic's distance from its middle in standard deviations of the permutations.

    Parameters
    ----------
    data, statistic, kind, alternative, permutations
        As `scipy.stats.permutation_test` takes them (`permutation_type`, `n_resamples`), along the first axis. Where
        there are no more orders than `permutations`, each is taken once.
    middle
        What the statistic is on average if nothing is there.
    factor
        By how much the statistic's distance from its middle is too large, at least 1 (`crossed.correction`).
    seed
        Of the permutations.
    """
    found = permutation_test(
        data,
        statistic,
        permutation_type=kind,
        alternative=alternative,
        n_resamples=permutations,
        batch=500,
        axis=0,
        vectorized=True,
        rng=np.random.default_rng(seed),
    )
    if factor == 1.0:
        return Chance(found.statistic, found.pvalue)
    sides, drawn = (2 if alternative == "two-sided" else 1), found.null_distribution
    p = weakened(found.pvalue, factor, sides=sides)
    if len(drawn) == permutations:  # fewer are all orders there are, and p is exact
        z = (np.asarray(found.statistic) - middle) / np.maximum(drawn.std(axis=0), np.finfo(float).tiny)
        z = {"greater": z, "less": -z, "two-sided": np.abs(z)}[alternative]
        p = np.where(found.pvalue * permutations < sides * _COUNTED, sides * norm.sf(z / factor), p)
    return Chance(found.statistic, p)
