"""Intervals of shares and of AUCs by formula, where resampled people all say the same."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

Ends = tuple[float, float]
"""Both ends of a 95 % interval."""

_Z = float(norm.ppf(0.975))


def wilson(share: float, n: int) -> Ends:
    """Return the Wilson interval of a share of n, which as a mean over trials need not be a whole number of n.

    (share + z^2 / 2n -+ z sqrt(share (1 - share) / n + z^2 / 4n^2)) / (1 + z^2 / n), z = 1.96; scipy's takes whole
    numbers only.

    >>> [round(end, 3) for end in wilson(1.0, 13)]
    [0.772, 1.0]
    """
    z2 = _Z**2
    half = np.sqrt(z2 * (share * (1.0 - share) / n + z2 / (4.0 * n * n)))
    low, high = ((share + z2 / (2.0 * n) + side * half) / (1.0 + z2 / n) for side in (-1.0, 1.0))
    return float(low) if share > 0.0 else 0.0, float(high) if share < 1.0 else 1.0  # exactly, whatever the rounding


def mean_of_two(shares: Ends, intervals: tuple[Ends, Ends]) -> Ends:
    """Return the interval of the mean of two independent shares, from their own: squares of both sides' widths add up.

    Source: Newcombe 1998, method 10, for a sum instead of a difference.
    """
    (a, b), ((a_low, a_high), (b_low, b_high)) = shares, intervals
    mean = (a + b) / 2.0
    return mean - float(np.hypot(a - a_low, b - b_low)) / 2.0, mean + float(np.hypot(a_high - a, b_high - b)) / 2.0


def auc_interval(auc: float, patients: int, controls: int) -> Ends:
    """Return the interval of an AUC from the numbers of people alone, not empty at 0 and 1 either.

    Its ends are the A with |auc - A| = z SE(A), SE(A)^2 = A (1 - A) / (m n) (1 + (N - 1) ((1 - A) / (2 - A) +
    A / (1 + A))), with m patients, n controls and N = (m + n) / 2.

    Source: Newcombe 2006 (Statistics in Medicine 25:559), method 5; the variance is Hanley and McNeil's of exponential
    scores with both numbers replaced by their mean.
    """
    half = (patients + controls) / 2.0 - 1.0

    def excess(a: float) -> float:
        variance = a * (1.0 - a) / (patients * controls) * (1.0 + half * ((1.0 - a) / (2.0 - a) + a / (1.0 + a)))
        return (auc - a) ** 2 - _Z**2 * variance

    low = brentq(excess, 0.0, auc * (1.0 - 1e-12)) if auc > 0 else 0.0
    high = brentq(excess, auc + (1.0 - auc) * 1e-12, 1.0) if auc < 1 else 1.0
    return float(low), float(high)
