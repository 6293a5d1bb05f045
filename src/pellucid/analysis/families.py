"""One family of tests a table: what a p is worth among all the others that stand beside it."""

from __future__ import annotations

import numpy as np
import pandas as pd


def with_q(table: pd.DataFrame, *, p: str = "p", q: str = "q") -> pd.DataFrame:
    """Return a table with a column q, its p with the false discovery rate of all its rows that have one controlled.

    Of p in rising order p_(1) to p_(m), q_(i) is the least of m p_(k) / k over k >= i: of all rows with q <= 0.05 no
    more than 5 % are expected to be chance. Rows without a p are no tests and have no q.

    Source: Benjamini and Hochberg 1995.
    """
    from scipy.stats import false_discovery_control

    chances = table[p].to_numpy(dtype=np.float64)
    found = np.full(chances.shape, np.nan)
    tested = ~np.isnan(chances)
    if tested.any():
        found[tested] = false_discovery_control(chances[tested])
    return table.assign(**{q: found})
