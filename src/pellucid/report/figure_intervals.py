"""Means over subjects, with the interval that says how far they would move with other subjects."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.analysis.bootstrap import HIGH, LOW, RESAMPLES, counts, resample
from pellucid.report.blocks import number


def mean_intervals(
    values: npt.ArrayLike, *, resamples: int = RESAMPLES, correction: float = 1.0, seed: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the bootstrap 95 % interval of the mean of each column of `values`, (n subjects, k): low and high, (k,).

    Subjects are drawn with replacement, the same ones for every column. Ends are `correction` times as far from the
    mean as those of the draws. Missing for a column that holds a missing value, and for all where there are fewer than
    two subjects, who have no spread.
    """
    table = np.asarray(values, dtype=np.float64)
    n, k = table.shape
    if n < 2:
        return np.full(k, np.nan), np.full(k, np.nan)
    weight = counts(resample(np.zeros(n), resamples=resamples, seed=seed)) / n
    mean = table.mean(axis=0)
    low, high = mean + correction * (np.percentile(weight @ table, [LOW, HIGH], axis=0) - mean)
    return low, high


def widened_words(correction: float) -> str:
    """Say in a caption by how much intervals are widened; nothing where they are not."""
    if correction == 1.0:
        return ""
    return f" Intervals are {number(correction)} times as wide, for what the folds of the cross-validation share."


def by_participant(rows: pd.DataFrame, value: str) -> pd.DataFrame:
    """Lay rows of participant_id, area and a value out as (participant, area): the mean over a participant's scans."""
    means = rows.groupby(["participant_id", "area"], sort=False)[value].mean().unstack("area")  # noqa: PD010
    return means.reindex(columns=list(dict.fromkeys(rows["area"])))
