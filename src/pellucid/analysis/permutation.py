"""How often chance does as well as what was observed, and as well as a share of it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import permutation_test

PERMUTATIONS = 9999


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
    """Permute data and count how often a statistic is as far from its middle as the observed one over `factor`.

    With t the statistic, m its middle and t* that of a permutation, p = #{t* >= m + (t - m) / factor} / permutations,
    the observed order counted as one of them; two-sided, twice the smaller of both tails, at most 1. To divide the
    statistic, and not a normal quantile of p, leaves the smallest p where the number of permutations has it.

    Parameters
    ----------
    data, statistic, kind, alternative, permutations
        As `scipy.stats.permutation_test` takes them (`permutation_type`, `n_resamples`), along the first axis. Where
        there are no more orders than `permutations`, each is taken once.
    middle
        What the statistic is on average if nothing is there.
    factor
        By how much the statistic is too large, at least 1 (`crossed.correction`).
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
    least = middle + (np.asarray(found.statistic) - middle) / factor
    drawn = found.null_distribution
    slack = np.maximum(1e-14, 1e-14 * np.abs(least))  # equal but for rounding
    own = 1 if len(drawn) == permutations else 0  # all orders hold the observed one already
    above, below = (
        ((tail).sum(axis=0) + own) / (len(drawn) + own) for tail in (drawn >= least - slack, drawn <= least + slack)
    )
    p = {"greater": above, "less": below, "two-sided": np.minimum(1.0, 2.0 * np.minimum(above, below))}[alternative]
    return Chance(found.statistic, p)
