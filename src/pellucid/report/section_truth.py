"""Of simulated people: whether maps find what was planted."""

from __future__ import annotations

import numpy as np
import pandas as pd

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
    table = run.maps_table("truth")
    if table is None or run.positive is None or table.empty:
        return None
    summary = truth_summary(table[table["group"] == run.positive], seed=int(run.record.get("seed") or 0))
    write_tsv(run.folder / SUMMARY, summary)
    section = Section("truth", "What the simulation planted")
    section.add(
        Text(
            paragraphs=[
                "These people are simulated, so it is known where patients differ from controls. A map that can be "
                "believed has relevance there, and none where everybody is alike. Lift is the share of positive "
                "relevance in a place over its share of the seen brain; the scan itself is the null. Places lie in "
                "the template, from which each brain differs by a few millimetres."
            ]
        ),
        Table(
            header=["Place", "What was planted", "Seen", "Lift of the map", "Lift of the scan", "Patients above 0"],
            rows=[
                [
                    str(row["place"]),
                    PLACES.get(str(row["place"]), "an effect of the simulation"),
                    seen_share(row["seen_share"]),
                    twofold(number(row["lift"]), f"[{number(row['low'])}, {number(row['high'])}]"),
                    number(row["lift_of_scan"]),
                    percent(row["above_zero"], 0),
                ]
                for row in records(summary)
            ],
            caption=f"Medians over the held-out subjects of group {run.positive}, with the 95 % bootstrap interval of "
            "the median; last column: how many have more positive than negative relevance in that place.",
            sources=[SUMMARY, "tables/truth.tsv"],
            words=2,
        ),
    )
    return section


def truth_summary(patients: pd.DataFrame, *, seed: int, resamples: int = 2000) -> pd.DataFrame:
    """Sum up subjects: medians of lift for map and scan, and how many have a positive signed mean.

    Parameters
    ----------
    patients
        Rows of tables/truth.tsv; the map `intensity` is the scan itself.
    seed, resamples
        Of the bootstrap over subjects.

    Returns
    -------
    One row a place: place, subjects, seen_share, lift, low, high, lift_of_scan, above_zero.
    """
    rows = []
    for place, every in patients.groupby("place", sort=False):
        one = every[(every["map"] != "intensity") & every["lift"].notna()]
        low, high = float("nan"), float("nan")
        if len(one):
            drawn = resample(np.zeros(len(one)), resamples=resamples, seed=seed)
            low, high = interval(np.median(one["lift"].to_numpy()[drawn], axis=1))
        rows.append(
            {
                "place": place,
                "subjects": len(one),
                "seen_share": every["seen_share"].median(),
                "lift": one["lift"].median(),
                "low": low,
                "high": high,
                "lift_of_scan": every.loc[every["map"] == "intensity", "lift"].median(),
                "above_zero": (one["mean"] > 0).mean() if len(one) else float("nan"),
            }
        )
    return pd.DataFrame(rows)
