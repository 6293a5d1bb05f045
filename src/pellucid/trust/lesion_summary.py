"""Maps and nulls over people: what is usual of each measure, and a map paired with the best null."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.analysis.clusters import Clustered, Statistic, by_person, clustered_interval, together
from pellucid.analysis.proportions import share_interval
from pellucid.ground.arrays import Float64Array
from pellucid.trust.lesion_measures import MEASURES
from pellucid.trust.lesions import summed
from pellucid.trust.nulls import NULLS

COMPARED = (
    *("measure", "map", "best_null", "map_value", "null_value", "scan_value", "difference"),
    *("low", "high", "networks", "people", "wins", "losses", "na"),
)

Ends = tuple[float, float]
_NAN = float("nan")


def lesion_summary(table: pd.DataFrame) -> pd.DataFrame:
    """Sum up people: of each map and null the median of each measure, of what is a share the mean.

    A participant of several scans counts once, with the mean of those that are measured. Participants of whose scans
    none is measured are left out and show in `without`.

    Parameters
    ----------
    table
        Rows of `lesions.lesion_table` for many scans, with participant_id, and `networks` as in `clusters.by_person`.

    Returns
    -------
    One row a map, in order of appearance: map, people, without, `lesions.summed`, networks (over how many the intervals
    are), and MEASURE_low and MEASURE_high, the 95 % interval for other people and other networks, of those measures
    that are of the map; missing where people are too few.
    """
    rows, columns = [], summed()
    for name, scans in table.groupby("map", sort=False):
        people = by_person(scans[scans["auroc"].notna()], columns)
        row = {"map": name, "people": len(people), "without": scans["participant_id"].nunique() - len(people)}
        row |= {column: _middle(people[column], column) for column in columns}
        for measure in MEASURES:
            networks = people.get("networks")
            found = _interval(people[measure].to_numpy(), networks, measure)
            row |= {"networks": found.networks, f"{measure}_low": found.low, f"{measure}_high": found.high}
        rows.append(row)
    return pd.DataFrame(rows)


def compare_with_nulls(table: pd.DataFrame, *, nulls: Collection[str] = NULLS) -> pd.DataFrame:
    """Compare every map that is no null, measure by measure, with the null that is best by that measure, paired.

    People count for whom the map and every null that is measured for anybody are measured: all are summed up over the
    same people, and no null is spared for want of some. The best null is the one of the best median (mean, of a share);
    of equals the first. It is chosen among these very people, which favours it. difference
    is the median (mean) over people of the map's value less the null's.

    Parameters
    ----------
    table
        As for `lesion_summary`.
    nulls
        Names of the maps to compare with.

    Returns
    -------
    One row a map and measure, `COMPARED`: map_value, null_value and, of the scan itself, scan_value are medians
    (means), low and high the 95 % interval of the difference for other people and other networks, of which
    there are networks, wins and losses the people for
    whom the map is better and worse, na those left out. Without anybody there is no best null.
    """
    of_map = {str(name): by_person(rows[rows["auroc"].notna()], list(MEASURES)) for name, rows in table.groupby("map")}
    rivals = [name for name in nulls if name in of_map and len(of_map[name])]
    everybody, rows = table["participant_id"].nunique(), []
    for name in (name for name in dict.fromkeys(table["map"]) if name not in nulls):
        own = of_map[name]
        people = [who for who in own.index if all(who in of_map[null].index for null in rivals)]
        for measure in MEASURES:
            row = dict.fromkeys(COMPARED, _NAN) | {"measure": measure, "map": name, "best_null": None}
            row |= {"people": len(people), "wins": 0, "losses": 0, "na": everybody - len(people)}
            if people and rivals:
                values = {one: of_map[one].loc[people, measure] for one in (name, *rivals)}
                best = max(rivals, key=lambda null: _sign(measure) * _middle(values[null], measure))
                row |= {"best_null": best} | _paired(own.loc[people], of_map[best].loc[people], measure)
                row["scan_value"] = _middle(values["intensity"], measure) if "intensity" in values else _NAN
            rows.append(row)
    return pd.DataFrame(rows, columns=list(COMPARED))


def _paired(own: pd.DataFrame, null: pd.DataFrame, measure: str) -> dict[str, float]:
    """Return what `compare_with_nulls` says of a map and a null, a row a person and the same people in both."""
    more = (own[measure] - null[measure]).to_numpy()
    networks = own.get("networks")
    if networks is not None:
        pairs = zip(networks, null["networks"], strict=True)
        networks = pd.Series([together(*pair) for pair in pairs], index=own.index)
    found = _interval(more, networks, measure, paired=True)
    return {
        "map_value": _middle(own[measure], measure),
        "null_value": _middle(null[measure], measure),
        "difference": _middle(more, measure),
        "low": found.low,
        "high": found.high,
        "networks": found.networks,
        "wins": int((_sign(measure) * more > 0).sum()),
        "losses": int((_sign(measure) * more < 0).sum()),
    }


def agresti_min(differences: npt.ArrayLike) -> Ends:
    """Return the interval of the mean difference of paired shares, not empty either where all differences are one.

    Two people are added: half a person with a difference of 1, half a one with -1, and one with 0; then
    mean -+ z sqrt(sum of (d - mean)^2) / (n + 2), z = 1.96.

    >>> [round(end, 2) for end in agresti_min([1.0] * 10)]
    [0.57, 1.0]

    Source: Agresti and Min 2005 (Statistics in Medicine 24:729), for shares that may lie between 0 and 1 too.
    """
    from scipy.stats import norm

    d = np.asarray(differences, dtype=np.float64)
    n, weight = d.size + 2.0, np.append(np.ones(d.size), [0.5, 1.0, 0.5])
    d = np.append(d, [-1.0, 0.0, 1.0])
    mean = float(weight @ d) / n
    half = float(norm.ppf(0.975)) * float(np.sqrt(weight @ (d - mean) ** 2)) / n
    return max(mean - half, -1.0), min(mean + half, 1.0)


def _middle(values: pd.Series | Float64Array, measure: str) -> float:
    if len(values) == 0:
        return _NAN
    return float(np.median(values) if _statistic(measure) == "median" else np.mean(values))


def _statistic(measure: str) -> Statistic:
    """Return what is taken of people: the median of what is about the lesions too."""
    return MEASURES[measure].summary if measure in MEASURES else "median"


def _sign(measure: str) -> int:
    """Return 1 if more of a measure is better, -1 if less is."""
    return 1 if MEASURES[measure].better == "more" else -1


def _interval(values: Float64Array, networks: pd.Series | None, measure: str, *, paired: bool = False) -> Clustered:
    """Return the interval of `_middle`; a mean share's is never narrower than that of a formula for shares."""
    if len(values) == 0:
        return Clustered(_NAN, _NAN, 0)
    entry = MEASURES[measure]
    least, most = entry.least, entry.most
    if paired:
        least, most = least - most, most - least
    found = clustered_interval(values, networks, statistic=entry.summary, least=least)
    low, high = found.low, found.high if np.isnan(found.high) else min(found.high, most)
    if entry.summary == "mean":
        ends = agresti_min(values) if paired else share_interval(float(values.mean()), len(values))
        # Of one person there is no interval of a mean, and Python's min and max keep a missing first argument.
        low, high = min(ends[0], low), max(ends[1], high)
    return Clustered(low, high, found.networks)


def in_words(row: Mapping[Any, Any]) -> str:
    """Say what a row of `compare_with_nulls` shows, and no more.

    >>> in_words({"measure": "lift", "best_null": "intensity", "difference": 0.1, "low": -0.1, "high": 0.3})
    'no better than bright voxels (intensity)'
    """
    null = row["best_null"]
    if pd.isna(null):
        return "not measured"
    rival = f"{NULLS[null].rival} ({null})" if null in NULLS else str(null)  # of a module that is not loaded
    better, sign = MEASURES[str(row["measure"])].better, _sign(str(row["measure"]))
    if min(sign * row["low"], sign * row["high"]) > 0:
        return f"{better} than {rival}"
    if np.isnan(row["low"]) and sign * row["difference"] > 0:
        return f"too few participants to compare with {rival}"
    return f"no better than {rival}"
