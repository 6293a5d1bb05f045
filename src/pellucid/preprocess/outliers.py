"""Visits that are unlike the others of their dataset, measure by measure, whatever the bounds say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pellucid.image.scaling import MAD_TO_SD

FAR = 3.5
"""How many robust deviations off the median an outlier lies (Iglewicz and Hoaglin 1993)."""

FEWEST = 8
"""Of how many values an outlier can be told."""


def outliers(table: pd.DataFrame, measures: Sequence[str]) -> pd.DataFrame:
    """Return how many robust deviations each value lies above (+) or below (-) the median of its column.

    z = (x - median) / (1.4826 MAD), with MAD = median |x - median|. An outlier has |z| > `FAR`.

    Parameters
    ----------
    table
        One row a visit, one column a measure; what was not measured is missing.
    measures
        The columns to look at; one that the table lacks counts as not measured.

    Returns
    -------
    A table with the index of `table` and the columns `measures`. Missing where the value is, in a whole column where
    fewer than `FEWEST` were measured, and where the MAD is 0: of values that are mostly equal, nothing can be said.

    Examples
    --------
    >>> table = pd.DataFrame({"snr": [10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0, 40.0]})
    >>> outliers(table, ["snr"])["snr"].round(2).tolist()
    [-1.18, -0.84, -0.51, -0.17, 0.17, 0.51, 0.84, 8.94]
    """
    values = table.reindex(columns=list(measures)).astype("float64")
    away = values - values.median()
    spread = MAD_TO_SD * away.abs().median()
    tellable = (values.count() >= FEWEST) & (spread > 0.0)
    return away / spread.where(tellable, np.nan)


def describe(deviations: pd.DataFrame, *, most: int | None = None) -> pd.Series:
    """Say for each row of `outliers` which measures are outliers, the furthest first; empty where none is.

    Of more than `most`, the others are counted.

    >>> describe(pd.DataFrame({"snr": [4.04, 0.3], "cnr": [-9.5, float("nan")]})).tolist()
    ['cnr 9.5 deviations below, snr 4.0 deviations above', '']
    """
    texts = []
    for _, row in deviations.iterrows():
        far = row[row.abs() > FAR]
        order = far.abs().sort_values(ascending=False, kind="stable").index
        words = [f"{name} {abs(far[name]):.1f} deviations {'above' if far[name] > 0 else 'below'}" for name in order]
        hidden = 0 if most is None else max(0, len(words) - most)
        texts.append(", ".join(words[: len(words) - hidden] + ([f"and {hidden} more"] if hidden else [])))
    return pd.Series(texts, index=deviations.index, name="outlier", dtype="object")
