"""Relevance in places of known truth over people: medians, beside the best null and other networks."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from pellucid.analysis.clusters import by_person, clustered_interval, together
from pellucid.trust.nulls import NULLS


def place_summary(patients: pd.DataFrame, untaught: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Sum up people, each once: medians of lift for map, nulls and untaught networks, and who is above 0.

    Parameters
    ----------
    patients
        Rows of `relevance_in_places` of one model's map and of nulls, named in column `map`, with participant_id and
        `networks`; the null `intensity` is the scan itself.
    untaught
        Such rows of the same subjects' maps of other networks, by the names of their arms.

    Returns
    -------
    One row a place: place, subjects, networks (over how many the interval is), seen_share, lift, low, high,
    lift_of_scan, above_zero, best_null (of the highest median over the same people, which favours it); and
    for `best_null` and each other network lift_of_NAME and more_than_NAME with _low and _high, the median over people
    of lift less theirs, and its interval.
    """
    rows = []
    for place, every in patients.groupby("place", sort=False):
        own = _people(every[~every["map"].isin(NULLS)])
        of_null = {str(name): _people(some) for name, some in every.groupby("map") if name in NULLS}
        of_null = {name: of_null[name] for name in NULLS if len(of_null.get(name, ()))}
        shared = [who for who in own.index if all(who in null.index for null in of_null.values())]
        lifts = {name: null.loc[shared, "lift"].median() for name, null in of_null.items()} if shared else {}
        best = max(lifts, key=lambda name: lifts[name]) if lifts else None
        found = clustered_interval(own["lift"], own.get("networks"), least=0.0)
        row: dict[str, object] = {
            "place": place,
            "subjects": len(own),
            "networks": found.networks,
            "seen_share": by_person(every, ["seen_share"])["seen_share"].median(),
            "lift": own["lift"].median(),
            "low": found.low,
            "high": found.high,
            "lift_of_scan": of_null["intensity"]["lift"].median() if "intensity" in of_null else float("nan"),
            "above_zero": (own["mean"] > 0).mean() if len(own) else float("nan"),
            "best_null": best,
        }
        row |= _more("best_null", own.loc[shared], own.iloc[:0] if best is None else of_null[best])
        for name, table in untaught.items():
            there = table[(table["place"] == place) & ~table["map"].isin(NULLS)]
            row |= _more(name, own, _people(there))
        rows.append(row)
    return pd.DataFrame(rows)


def _people(table: pd.DataFrame) -> pd.DataFrame:
    """Return the means of each person's scans that have a lift."""
    return by_person(table[table["lift"].notna()], ["lift", "mean"])


def _more(name: str, own: pd.DataFrame, other: pd.DataFrame) -> dict[str, float]:
    """Return another map's median lift and what the map has more, over the people of both."""
    both = [who for who in own.index if who in other.index]
    own, other = own.loc[both], other.loc[both]
    networks = None
    if "networks" in own and "networks" in other:
        pairs = zip(own["networks"], other["networks"], strict=True)
        networks = pd.Series([together(*pair) for pair in pairs], index=own.index, dtype=object)
    more = own["lift"] - other["lift"]
    found = clustered_interval(more, networks)
    return {
        f"lift_of_{name}": other["lift"].median(),
        f"more_than_{name}": more.median(),
        f"more_than_{name}_low": found.low,
        f"more_than_{name}_high": found.high,
    }
