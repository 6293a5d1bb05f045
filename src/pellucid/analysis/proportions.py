"""Intervals of shares, their differences and AUCs over people, also where nobody is wrong, and where there are few."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import betainc, ndtri

Ends = tuple[float, float]
"""Both ends of a 95 % interval."""

FEW = 5
"""Fewer patients, or fewer controls, are few: intervals take another form, and whoever prints them says so."""

_Z = float(ndtri(0.975))
_BETWEEN = 0.75
"""Of few people the interval lies between Jeffreys' (1/2) and Clopper and Pearson's exact one (1): Wilson's and
Jeffreys' hold the truth in as few as 80 % of samples of one to four people, the exact one in nearly all."""


def share_interval(share: float, people: int, *, widening: float = 1.0) -> Ends:
    """Return the interval of a share of people: Wilson's from `FEW` people on, `few_interval` of fewer.

    Parameters
    ----------
    share
        0-1; as a mean over trials it need not be a whole number of people.
    people
        How many; trials and scans add none.
    widening
        By how much the standard error exceeds that of independent people (`crossed.correction`): people / widening^2
        take their place.
    """
    return (wilson if people >= FEW else few_interval)(share, people / widening**2)


def wilson(share: float, n: float) -> Ends:
    """Return the Wilson interval of a share of n.

    (share + z^2 / 2n -+ z sqrt(share (1 - share) / n + z^2 / 4n^2)) / (1 + z^2 / n), z = 1.96; scipy's takes whole
    numbers only.

    >>> [round(end, 3) for end in wilson(1.0, 13)]
    [0.772, 1.0]
    """
    z2 = _Z**2
    half = np.sqrt(z2 * (share * (1.0 - share) / n + z2 / (4.0 * n * n)))
    low, high = ((share + z2 / (2.0 * n) + side * half) / (1.0 + z2 / n) for side in (-1.0, 1.0))
    return float(low) if share > 0.0 else 0.0, float(high) if share < 1.0 else 1.0  # exactly, whatever the rounding


def few_interval(share: float, n: float) -> Ends:
    """Return an interval of a share of few: quantiles of Beta distributions, between Jeffreys' and the exact ones.

    With x = n share and c = 3/4, low is the 2.5 % quantile of Beta(x + 1 - c, n - x + c), high the 97.5 % quantile of
    Beta(x + c, n - x + 1 - c); c = 1 is Clopper and Pearson's interval, c = 1/2 Jeffreys'.

    >>> [round(end, 3) for end in few_interval(1.0, 1)]
    [0.067, 1.0]
    """
    from scipy.stats import beta

    x, c = n * share, _BETWEEN
    low = float(beta.ppf(0.025, x + 1.0 - c, n - x + c)) if share > 0.0 else 0.0
    high = float(beta.ppf(0.975, x + c, n - x + 1.0 - c)) if share < 1.0 else 1.0
    return low, high


def mean_of_two(shares: Ends, intervals: tuple[Ends, Ends], *, people: tuple[int, int]) -> Ends:
    """Return the interval of the mean of two independent shares of people, from their own intervals.

    Squares of both sides' widths add up. With one or two people in either group the plain mean of both intervals is
    taken: with squares alone an error more could narrow it, and it holds the truth of 3 v 2 people in 92 % of samples.

    Source: Newcombe 1998, method 10, for a sum instead of a difference.
    """
    (a, b), ((a_low, a_high), (b_low, b_high)) = shares, intervals
    if min(people) < 3:
        return (a_low + b_low) / 2.0, (a_high + b_high) / 2.0
    mean = (a + b) / 2.0
    return mean - float(np.hypot(a - a_low, b - b_low)) / 2.0, mean + float(np.hypot(a_high - a, b_high - b)) / 2.0


def paired_interval(strata: Sequence[npt.ArrayLike], *, widening: float = 1.0) -> Ends:
    """Return the interval of a mean over strata of mean differences of shares, paired over people.

    With d_i in [-1, 1] of the n people of a stratum, two more are thought of, who differ by 1 and by -1:

        m = sum of d / (n + 2),   v = ((sum of d^2 + 2) / (n + 2) - m^2) / (n + 2),

    and over K strata the interval is mean(m) -+ 1.96 widening sqrt(sum of v) / K, within [-1, 1]. It has a width also
    where nobody differs.

    Source: Bonett and Price 2012, for whole differences; several trials have parts.
    """
    middles, variances = [], []
    for differences in strata:
        d = np.asarray(differences, dtype=np.float64)
        n = d.size + 2.0
        middles.append(d.sum() / n)
        variances.append(((np.square(d).sum() + 2.0) / n - middles[-1] ** 2) / n)
    half = _Z * widening * float(np.sqrt(np.sum(variances))) / len(middles)
    middle = float(np.mean(middles))
    return max(middle - half, -1.0), min(middle + half, 1.0)


def difference_of_two(values: Ends, intervals: tuple[Ends, Ends], *, correlation: float) -> Ends:
    """Return the interval of the difference of two scores of the same people, from their own intervals.

    With scores a and b, of intervals (l, u) and (m, v), and the correlation r of the two,

        low = a - b - sqrt((a - l)^2 + (v - b)^2 - 2 r (a - l) (v - b)),
        high = a - b + sqrt((u - a)^2 + (b - m)^2 - 2 r (u - a) (b - m)).

    Source: Zou 2007 (Psychological Methods 12:399), the method of variance estimates recovery.
    """
    (a, b), ((a_low, a_high), (b_low, b_high)) = values, intervals
    below, above = (
        float(np.sqrt(max(x * x + y * y - 2.0 * correlation * x * y, 0.0)))
        for x, y in ((a - a_low, b_high - b), (a_high - a, b - b_low))
    )
    return max(a - b - below, -1.0), min(a - b + above, 1.0)


def auc_interval(auc: float, folds: Sequence[tuple[int, int]], *, widening: float = 1.0) -> Ends:
    """Return the interval of an AUC from the numbers of people alone, not empty at 0 and 1 either.

    An AUC A over the pairs of a patient and a control within folds f, of m_f patients, n_f controls and N_f =
    (m_f + n_f) / 2, is taken for a share of as many independent people as would have its variance,

        n(A) = (sum of m_f n_f)^2 / sum of m_f n_f (1 + (N_f - 1) ((1 - A) / (2 - A) + A / (1 + A))).

    Its ends are the A with |auc - A| = z sqrt(A (1 - A) / n(A)): Newcombe's interval, where one fold holds everybody.
    Where a class has fewer than `FEW` people they are the A of which auc is the quantile that `few_interval` takes, of
    n(A) people.

    Parameters
    ----------
    auc
        0-1; it may be a mean over trials.
    folds
        (patients, controls) of each fold; one pair at least. One fold is one holdout.
    widening
        As in `share_interval`.

    Source: Newcombe 2006 (Statistics in Medicine 25:559), method 5; the variance is Hanley and McNeil's of exponential
    scores with both numbers replaced by their mean.
    """
    sizes = np.array(folds, dtype=np.float64)
    pairs, more = sizes.prod(axis=1), sizes.mean(axis=1) - 1.0

    def people(a: float) -> float:
        alike = (1.0 - a) / (2.0 - a) + a / (1.0 + a)
        return float(pairs.sum() ** 2 / (pairs * (1.0 + more * alike)).sum()) / widening**2

    if sizes.sum(axis=0).min() < FEW:
        c = _BETWEEN

        def tail(a: float, extra: float, chance: float) -> float:
            n = people(a)
            return float(betainc(n * auc + 1.0 - extra, n * (1.0 - auc) + extra, a)) - chance

        low = brentq(tail, 0.0, 1.0, args=(c, 0.025)) if auc > 0 else 0.0
        high = brentq(tail, 0.0, 1.0, args=(1.0 - c, 0.975)) if auc < 1 else 1.0
        return float(low), float(high)

    def excess(a: float) -> float:
        return (auc - a) ** 2 - _Z**2 * a * (1.0 - a) / people(a)

    low = brentq(excess, 0.0, auc * (1.0 - 1e-12)) if auc > 0 else 0.0
    high = brentq(excess, auc + (1.0 - auc) * 1e-12, 1.0) if auc < 1 else 1.0
    return float(low), float(high)
