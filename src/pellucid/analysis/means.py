"""Means over people, with the interval that says how far they would move with other people."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.analysis.bootstrap import HIGH, LOW, RESAMPLES, counts, resample
from pellucid.analysis.clusters import clustered_interval, together
from pellucid.ground.arrays import Float64Array


def mean_intervals(
    values: npt.ArrayLike,
    networks: Sequence[str] | pd.Series,
    *,
    resamples: int = RESAMPLES,
    correction: float = 1.0,
    seed: int,
) -> tuple[Float64Array, Float64Array]:
    """Return the 95 % interval of the mean of each column of `values`, (n subjects, k): low and high, (k,).

    Subjects are drawn with replacement, the same ones for every column. Where they share several `networks`, names
    separated by spaces for each subject, the interval is no narrower than `clustered_interval` has it. Ends are
    `correction` times as far from the mean. Missing for a column that holds a missing value, and for all where there
    are fewer than two subjects, who have no spread.
    """
    table = np.asarray(values, dtype=np.float64)
    n, k = table.shape
    if n < 2:
        return np.full(k, np.nan), np.full(k, np.nan)
    weight = counts(resample(np.zeros(n), resamples=resamples, seed=seed)) / n
    mean = table.mean(axis=0)
    low, high = np.percentile(weight @ table, [LOW, HIGH], axis=0)
    for column in np.flatnonzero(~np.isnan(mean)):
        found = clustered_interval(table[:, column], networks, statistic="mean")
        if found.networks > 1:
            low[column], high[column] = min(low[column], found.low), max(high[column], found.high)
    return mean + correction * (low - mean), mean + correction * (high - mean)


def networks_by_participant(rows: pd.DataFrame, participants: pd.Index) -> pd.Series:
    """Return the networks of each of these participants' maps, names separated by spaces, in their order."""
    return rows.groupby("participant_id")["networks"].agg(together).loc[participants]


def by_participant(rows: pd.DataFrame, value: str) -> pd.DataFrame:
    """Lay rows of participant_id, area and a value out as (participant, area): the mean over a participant's scans."""
    means = rows.groupby(["participant_id", "area"], sort=False)[value].mean().unstack("area")  # noqa: PD010
    return means.reindex(columns=list(dict.fromkeys(rows["area"])))
