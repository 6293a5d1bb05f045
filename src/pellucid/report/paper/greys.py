"""How a scan becomes grey: as the paper shows it, or windowed by what is in the brain."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pellucid.ground.arrays import Float64Array

UNIT_SCALINGS = ("max", "minmax")
"""Intensity scalings that bring a scan to 0-1, as the paper's does."""

_WINDOW = (1.0, 50.0, 99.7)  # percentiles of the brain: white is the last, black half as far below the first


def windowed(scan: npt.ArrayLike) -> Float64Array:
    """Bring a scan, exactly 0 outside the brain, to grey in 0-1 by percentiles of the brain."""
    x = np.asarray(scan, dtype=np.float64)
    brain = x != 0
    if not brain.any():
        return np.zeros_like(x)
    low, middle, high = np.percentile(x[brain], _WINDOW)
    low -= 0.5 * (middle - low)
    return np.where(brain, np.clip((x - low) / max(high - low, np.finfo(float).tiny), 0.0, 1.0), 0.0)


def spanned(scan: npt.ArrayLike, scaling: str) -> Float64Array:
    """Bring a mean scan to grey in 0-1 from its smallest to its largest value, as the paper shows it.

    # deviates: windowed as other scans where the scaling puts values below 0, for the background would not be black.
    """
    x = np.asarray(scan, dtype=np.float64)
    if scaling not in UNIT_SCALINGS:
        return windowed(x)
    return np.asarray((x - x.min()) / max(float(np.ptp(x)), np.finfo(float).tiny), dtype=np.float64)


def spanned_words(scaling: str) -> str:
    """Say how `spanned` differs from the paper under a scaling; nothing if it does not."""
    return (
        ""
        if scaling in UNIT_SCALINGS
        else " (its grey levels windowed by percentiles, because this scaling goes below 0)"
    )
