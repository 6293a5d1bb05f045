"""Of simulated people: whether maps find what was planted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from pellucid.analysis.bootstrap import interval, resample
from pellucid.files import write_tsv
from pellucid.report.blocks import Section, Table, Text, number, percent, records, seen_share, twofold
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
    summary = truth_summary(patients, nulls, seed=int(run.record.get("seed") or 0))
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
            caption=f"Medians over the held-out subjects of group {run.positive}, with the 95 % bootstrap interval of "
            "the median; last column: how many have more positive than negative relevance in that place."
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


def truth_summary(
    patients: pd.DataFrame, nulls: Mapping[str, pd.DataFrame], *, seed: int, resamples: int = 2000
) -> pd.DataFrame:
    """Sum up subjects: medians of lift for map, nulls and scan, and how many have a positive signed mean.

    Parameters
    ----------
    patients
        Rows of tables/truth.tsv; the map `intensity` is the scan itself.
    nulls
        Such rows of the same subjects' maps of other networks, by the names of their arms.
    seed, resamples
        Of the bootstrap over subjects.

    Returns
    -------
    One row a place: place, subjects, seen_share, lift, low, high, lift_of_scan, above_zero; and for each null
    lift_of_NULL and more_than_NULL with _low and _high, the median over subjects of lift less the null's, and its
    interval.
    """

    def middle(values: pd.Series) -> tuple[float, float, float]:
        if values.empty:
            return (float("nan"),) * 3
        drawn = resample(np.zeros(len(values)), resamples=resamples, seed=seed)
        return float(values.median()), *interval(np.median(values.to_numpy()[drawn], axis=1))

    rows = []
    for place, every in patients.groupby("place", sort=False):
        one = _measured(every)
        own = one["lift"]
        lift, low, high = middle(own)
        row: dict[str, object] = {
            "place": place,
            "subjects": len(own),
            "seen_share": every["seen_share"].median(),
            "lift": lift,
            "low": low,
            "high": high,
            "lift_of_scan": every.loc[every["map"] == "intensity", "lift"].median(),
            "above_zero": (one["mean"] > 0).mean() if len(one) else float("nan"),
        }
        for name, table in nulls.items():
            other = _measured(table[table["place"] == place])["lift"]
            more = middle((own - other).dropna())
            row |= {f"lift_of_{name}": other.median()}
            row |= dict(zip((f"more_than_{name}{end}" for end in ("", "_low", "_high")), more, strict=True))
        rows.append(row)
    return pd.DataFrame(rows)


def _measured(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of maps that have a lift, by scan."""
    one = table[(table["map"] != "intensity") & table["lift"].notna()]
    return one.set_index([one[name].fillna("") for name in ("participant_id", "session_id") if name in one])
