"""Of simulated people: whether maps find what was planted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup

from pellucid.analysis.clusters import by_person, clustered_interval, together
from pellucid.files import write_tsv
from pellucid.report.blocks import Section, Table, Text, number, over_networks, percent, records, seen_share, twofold
from pellucid.report.run import Run

SUMMARY = "tables/truth_summary.tsv"

PLACES = {
    "lesionprior": "where patients' lesions are likely, most of them behind the middle of the ventricles",
    "callosum": "corpus callosum, thinner in patients",
    "thalamus": "thalami, smaller in patients",
    "ventricles": "ventricles, wider with age, and patients are older",
    "caps": "bright caps at the frontal horns, in everybody: nothing is to be found there",
    "artefact": "a fault of the coil, patients only",
}
"""What lies in the places of a simulated cohort; a strength of 0 in the specification takes the difference away."""


def truth(run: Run) -> Section | None:
    """Return the table of relevance in planted places; None of a study whose people are real."""
    table, others = run.maps_table("truth"), run.untaught_table("truth")
    if table is None or others is None or run.positive is None or table.empty:
        return None
    patients, others = table[table["group"] == run.positive], others[others["group"] == run.positive]
    nulls = {str(arm): rows for arm, rows in others.groupby("arm", sort=False)}
    summary = truth_summary(patients, nulls)
    write_tsv(run.folder / SUMMARY, summary)
    networks = "; ".join(f"{arm}: {run.untaught[arm]}" for arm in nulls)
    beside = (
        f"Lifts of networks that never learned from these people stand beside it ({networks}): what the map has no "
        "more of than they is due to the method, to the anatomy or to earlier training. "
    )
    section = Section("truth", "What the simulation planted")
    section.add(
        Text(
            paragraphs=[
                "These people are simulated, so it is known where patients differ from controls. A map that can be "
                "believed has relevance there, and none where everybody is alike. Lift is the share of positive "
                "relevance in a place over its share of the seen brain; the scan itself is the null. "
                f"{beside if nulls else ''}Places lie in "
                "the template, from which each brain differs by a few millimetres."
            ]
        ),
        Table(
            header=[
                *("Place", "What was planted", "Seen", "Lift of the map"),
                *(f"Lift of {arm}; the map has more" for arm in nulls),
                *("Lift of the scan", "Patients above 0"),
            ],
            rows=[
                [
                    str(row["place"]),
                    PLACES.get(str(row["place"]), "an effect of the simulation"),
                    seen_share(row["seen_share"]),
                    twofold(number(row["lift"]), f"[{number(row['low'])}, {number(row['high'])}]"),
                    *(_beside(row, arm) for arm in nulls),
                    number(row["lift_of_scan"]),
                    percent(row["above_zero"], 0),
                ]
                for row in records(summary)
            ],
            caption=f"Medians over the held-out subjects of group {run.positive}, with the 95 % interval of the median "
            f"{over_networks(summary['networks'])}; last column: how many have more positive than negative relevance "
            "in that place. A person of several scans counts once."
            + (" Below a network's lift: what the same subject's map has more." if nulls else ""),
            sources=[SUMMARY, "tables/truth.tsv"],
            words=2,
        ),
    )
    return section


def _beside(row: Mapping[str, Any], arm: str) -> Markup:
    """Return a cell: an untaught network's lift, and below it what the map has more, with the interval."""
    more, low, high = (number(row[f"more_than_{arm}{end}"], 2) for end in ("", "_low", "_high"))
    return twofold(number(row[f"lift_of_{arm}"]), twofold(more, f"[{low}, {high}]"))


def truth_summary(patients: pd.DataFrame, nulls: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Sum up people: medians of lift for map, nulls and scan, and how many have a positive signed mean.

    A person of several scans counts once, with their mean; intervals are over people and over the networks whose maps
    these are (`clustered_interval`). No p is made, so that there is no family of tests.

    Parameters
    ----------
    patients
        Rows of tables/truth.tsv; the map `intensity` is the scan itself.
    nulls
        Such rows of the same people's maps of other networks, by the names of their arms.

    Returns
    -------
    One row a place: place, subjects, networks (over how many the interval is), seen_share, lift, low, high,
    lift_of_scan, above_zero; and for each null lift_of_NULL and more_than_NULL with _low and _high, the median over
    people of lift less the null's, and its interval.
    """
    rows = []
    for place, every in patients.groupby("place", sort=False):
        one = _measured(every)
        found = clustered_interval(one["lift"], one["networks"], least=0.0)
        scan = by_person(every[every["map"] == "intensity"], ["lift"])
        row: dict[str, object] = {
            "place": place,
            "subjects": len(one),
            "networks": found.networks,
            "seen_share": by_person(every, ["seen_share"])["seen_share"].median(),
            "lift": one["lift"].median(),
            "low": found.low,
            "high": found.high,
            "lift_of_scan": scan["lift"].median(),
            "above_zero": (one["mean"] > 0).mean() if len(one) else float("nan"),
        }
        for name, table in nulls.items():
            other = _measured(table[table["place"] == place])
            shared = one.index.intersection(other.index)
            more = one["lift"][shared] - other["lift"][shared]
            pairs = zip(one["networks"][shared], other["networks"][shared], strict=True)
            networks = [together(*pair) for pair in pairs]
            ends = clustered_interval(more, networks)
            row |= {
                f"lift_of_{name}": other["lift"].median(),
                f"more_than_{name}": more.median(),
                f"more_than_{name}_low": ends.low,
                f"more_than_{name}_high": ends.high,
            }
        rows.append(row)
    return pd.DataFrame(rows)


def _measured(table: pd.DataFrame) -> pd.DataFrame:
    """Return the maps that have a lift, one row a person."""
    return by_person(table[(table["map"] != "intensity") & table["lift"].notna()], ["lift", "mean"])
