"""Deletion over people: how far the logit falls, beside the best ranking that knows nothing of the network."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pellucid.analysis.clusters import by_person, clustered_interval, together
from pellucid.trust.deletion import LESIONS
from pellucid.trust.nulls import NULLS

BLIND = NULLS
"""Rankings that know nothing of the network: null maps, random voxels among them."""

COLUMNS = (
    *("ranking", "fill", "k", "people", "networks", "voxels", "logit", "fall", "low", "high", "correlation"),
    *("rival", "compared", "rival_fall", "difference", "difference_low", "difference_high"),
)


def deletion_summary(table: pd.DataFrame) -> pd.DataFrame:
    """Sum up one arm's deletions over people, a row a ranking, fill and k.

    A person of several scans counts once, with their mean. Intervals are of means, clustered by network
    (`clustered_interval`). Each ranking that knows the network is compared, person by person, with its best rival for
    that k and fill: of the rankings that know nothing of the network, the one of the largest mean fall over the people
    of both. The rival is chosen among these people, which favours it.

    Parameters
    ----------
    table
        Rows of `deletion` for many scans, with participant_id and networks.

    Returns
    -------
    Columns `COLUMNS`: ranking, fill, k (missing for `lesions`); people whose fall is known, networks behind the
    interval; voxels filled and logit before (medians); fall (mean), low, high; correlation (median of the ranking's
    map with the explained one); rival, compared (people of both), rival_fall, difference (mean of fall - the rival's
    fall), difference_low, difference_high: missing for what knows nothing of the network, and for `lesions`.
    """
    rows = []
    for (fill, k), some in table.groupby(["fill", "k"], sort=False, dropna=False):
        numbers = ["fall", "voxels", "logit", "correlation"]
        people = {str(name): by_person(one, numbers) for name, one in some.groupby("ranking", sort=False)}
        for name, one in people.items():
            known = one[one["fall"].notna()]
            low, high, networks = clustered_interval(known["fall"], known["networks"], statistic="mean")
            row = {"ranking": name, "fill": fill, "k": k, "people": len(known), "networks": networks}
            row |= {"voxels": known["voxels"].median(), "logit": known["logit"].median()}
            row |= {
                "fall": known["fall"].mean(),
                "low": low,
                "high": high,
                "correlation": known["correlation"].median(),
            }
            rows.append(row | ({} if name in (*BLIND, LESIONS) else _beside_best(one, people)))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _beside_best(one: pd.DataFrame, people: dict[str, pd.DataFrame]) -> dict[str, object]:
    """Return the columns that compare a ranking with the best of those that know nothing of the network."""
    best: dict[str, object] = {}
    for name in (name for name in people if name in BLIND):
        both = one.join(people[name].add_suffix("_rival"), how="inner").dropna(subset=["fall", "fall_rival"])
        rival_fall = float(both["fall_rival"].mean()) if len(both) else -np.inf
        if len(both) and (not best or rival_fall > float(str(best["rival_fall"]))):
            difference = both["fall"] - both["fall_rival"]
            networks = both["networks"].combine(both["networks_rival"], together)
            low, high, _ = clustered_interval(difference, networks, statistic="mean")
            best = {"rival": name, "compared": len(both), "rival_fall": rival_fall, "difference": difference.mean()}
            best |= {"difference_low": low, "difference_high": high}
    return best
