"""What cross-validation does to intervals and tests: who is judged in one fold trains the models of the others."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pellucid.ground.arrays import Float64Array


def correction(folds: int) -> float:
    """Return by how much the standard error of a score over k folds exceeds that of independent subjects.

    With n/k judged and n - n/k trained on in each of k folds, Nadeau and Bengio's variance of the mean of k scores,
    (1/k + test/train) s^2, is 1 + k / (k - 1) times s^2 / k. Its root is returned.

    >>> round(correction(5), 3), round(correction(2), 3)
    (1.5, 1.732)

    Source: Nadeau and Bengio 2003, section 3, the corrected resampled t-test.
    """
    return float(np.sqrt(1.0 + folds / (folds - 1.0)))


def weakened(p: npt.ArrayLike, factor: float, *, sides: int) -> Float64Array:
    """Return the p of a normal statistic `factor` times smaller: sides (1 - Phi(Phi^-1(1 - p / sides) / factor)).

    One-sided a p above a half, which speaks for less than chance, moves towards a half too. Missing p stay missing.

    Parameters
    ----------
    p
        Chances in 0-1, of any shape.
    factor
        At least 1; 1 changes nothing.
    sides
        1 or 2.
    """
    from scipy.stats import norm

    chances = np.asarray(p, dtype=np.float64)
    return chances if factor == 1.0 else np.asarray(sides * norm.sf(norm.isf(chances / sides) / factor))
