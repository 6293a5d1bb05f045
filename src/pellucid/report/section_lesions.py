"""Relevance inside lesions, beside maps that know nothing of the network."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from markupsafe import Markup

from pellucid.analysis.lesions import lesion_summary
from pellucid.files import write_tsv
from pellucid.report.blocks import Note, Picture, Section, Table, Text, missing, number, percent, records, twofold
from pellucid.report.charts_maps import lesion_figure
from pellucid.report.run import Run
from pellucid.report.style import save

SUMMARY = "tables/lesions_summary.tsv"

MEANING = {
    "intensity": "the scaled scan itself",
    "edge": "its gradient's magnitude",
    "random": "white noise",
    "mean-lesion": "the training subjects' mean lesion map",
}


def lesion_medians(run: Run) -> pd.DataFrame | None:
    """Return the medians over the patients of tables/lesions.tsv, one row a map, or None if there is no table."""
    patients = _patients(run)
    return None if patients is None else lesion_summary(patients, seed=int(run.record.get("seed") or 0))


def lesions(run: Run, figures: Path) -> Section:
    """Return the figure of lifts and the table of medians."""
    section = Section("lesions", "Relevance inside lesions")
    patients, medians = _patients(run), lesion_medians(run)
    if patients is None or medians is None:
        section.add(missing("Lesion shares", "tables/lesions.tsv"))
        return section
    write_tsv(run.folder / SUMMARY, medians)
    method = run.maps.method if run.maps else str(medians["map"].iloc[0])
    who = run.positive or "all groups"
    section.add(
        Text(
            paragraphs=[
                "Lift is the share of a map's positive relevance that lies inside lesions, divided by the share of "
                "the seen brain that the lesions fill: 1 means no preference, 10 ten times the density. On FLAIR, "
                "lesions are bright, so any map that follows brightness has a lift above 1. That is why each map "
                "stands beside null maps that know nothing of the network"
                f"{', and beside maps of networks that never learned from these people' if run.untaught else ''}. "
                "All are measured within the brain that the network can see."
            ]
        )
    )
    if medians["subjects"].max() == 0:
        text = "No subject has a lesion mask with a lesion in the seen brain: nothing can be measured."
        section.add(Note(tone="missing", text=text))
        return section
    save(lesion_figure(patients, method), figures / "lesions")
    section.add(
        Picture(
            stem="lesions",
            suffix=".svg",
            alt=f"Box plots with a dot a subject: lift of {', '.join(medians['map'])}, on a logarithmic axis.",
            caption=f"Lift of each held-out subject of group {who} (dots; boxes: quartiles and median). "
            "Triangles: no positive relevance inside lesions at all.",
            sources=["tables/lesions.tsv"],
        ),
        _table(medians, method, who, run.untaught),
    )
    own = medians[medians["map"] == method]
    without, subjects = int(own["without"].sum()), int(own["subjects"].sum())
    if without:
        why = "no mask, no lesion in the seen brain, or no positive relevance"
        text = f"Left out and not counted as 0, for want of a lift ({why}): {without} of {without + subjects} subjects."
        section.add(Text(paragraphs=[text]))
    return section


def _patients(run: Run) -> pd.DataFrame | None:
    """Return the patients' rows of the map, of its nulls, and of the same method's maps of untaught networks."""
    table, others = run.maps_table("lesions"), run.untaught_table("lesions")
    if table is None or others is None or run.positive is None:
        return table
    if run.maps is not None:
        others = others[others["map"] == run.maps.method]
        table = pd.concat([table, others.assign(map=others["arm"].map(_map_of))], ignore_index=True)
    return table[table["group"] == run.positive]


def _map_of(arm: str) -> str:
    return f"map of {arm}"


def _table(medians: pd.DataFrame, method: str, who: str, untaught: dict[str, str]) -> Table:
    meanings = MEANING | {_map_of(arm): f"the method on {network}" for arm, network in untaught.items()}
    rows: list[list[str | Markup]] = []
    for row in records(medians):
        name = str(row["map"])
        meaning = "the map" if name == method else f"null: {meanings.get(name, 'no knowledge of the network')}"
        interval = twofold(number(row["lift"]), f"[{number(row['low'])}, {number(row['high'])}]")
        shares = [percent(row["positive_share"], 2), percent(row["volume_share"], 2)]
        cells = [name, meaning, *shares, interval, percent(row["strongest_in_lesion"], 0), f"{row['subjects']:.0f}"]
        rows.append([Markup("<strong>{}</strong>").format(cell) for cell in cells] if name == method else [*cells])
    return Table(
        header=[
            "Map",
            "What it is",
            "Positive relevance in lesions",
            "Lesions' share of the seen brain",
            "Lift",
            "Strongest voxel in a lesion",
            "Subjects",
        ],
        rows=rows,
        caption=f"Medians over the held-out subjects of group {who}; lift with the 95 % bootstrap interval of its "
        "median; last but one: the share of subjects.",
        sources=[SUMMARY, "tables/lesions.tsv"],
        words=2,
    )
