"""Deletion: whether the network uses the voxels that its map ranks first, compared with maps without the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from pellucid.attribution.naming import method_label
from pellucid.ground.numbers import DASH, number, whole
from pellucid.report.html.blocks import Note, Picture, Section, Table, Text, missing, records, twofold
from pellucid.report.pictures.deletion import deletion_figure
from pellucid.report.pictures.style import save
from pellucid.report.section_registry import page_section
from pellucid.rundir.run import Run
from pellucid.trust.deletion import LESIONS

SUMMARY = "tables/deletion_summary.tsv"
SOURCES = [SUMMARY, "tables/deletion.tsv"]
BY_GRADIENT = "input-x-gradient"
_CLOSE = 0.95  # Pearson's r


@page_section("deletion", title="Deletion: does the network use what its map shows?", order=130)
def deletion(run: Run, figures: Path) -> Section | None:
    """Return the chart and table of each arm whose maps were tested, with what they say in words; None if none was."""
    asked = run.explain
    if asked is None or not asked.deletion:
        return None
    section = Section("deletion", "Deletion: does the network use what its map shows?")
    summary = run.table("deletion_summary")
    if summary is None or summary.empty:
        section.add(missing("Deletion", SUMMARY))
        return section
    section.add(
        Text(
            paragraphs=[
                "The k voxels that a map ranks first in the seen brain are filled, and the network predicts again: "
                "how far does its logit fall? Each patient's map is compared with rankings that do not use the "
                "network. Two fills are used: the median of the white matter around each voxel, which is plausible "
                "tissue, and the brain's median. The fill is a choice; if the two disagree, nothing can be concluded."
            ]
        )
    )
    for (arm, method), table in summary.groupby(["arm", "method"], sort=False):
        section.add(*_arm(str(arm), table.reset_index(drop=True), str(method), figures))
    return section


def _arm(arm: str, table: pd.DataFrame, method: str, figures: Path) -> list[Text | Picture | Table | Note]:
    """Return what is shown of one arm."""
    known = table[table["fall"].notna()]
    if known.empty:
        return [
            Note(
                tone="missing",
                text=f"Nothing could be measured for arm {arm} and {method}; {SOURCES[1]} has the reasons.",
            )
        ]
    stem = f"deletion-{arm}-{method_label(method)}"
    save(deletion_figure(known[known["k"].notna()], method), figures / stem)
    people, networks = int(known["people"].max()), int(known["networks"].max())
    of = (
        "one network, and hold for this network only"
        if networks == 1
        else f"{networks} networks, and clustered by them"
    )
    return [
        Text(paragraphs=[f"Arm {arm}, {method}. {sentence}" for sentence in sentences(table, method)]),
        Picture(
            stem=stem,
            suffix=".svg",
            alt=f"Lines of the fall of the logit against the number of filled voxels, by ranking, arm {arm}, {method}.",
            caption=f"Mean fall of the logit over {people} participants with its 95 % interval, arm {arm}, {method}. "
            f"The participants are explained by {of}. {_closeness(table, method)}",
            sources=SOURCES,
        ),
        Table(
            header=["Ranking", "Fill", "k", "Fall of the logit", "Best rival", "Difference to it", "People"],
            rows=[_row(row) for row in records(table)],
            caption="Mean over participants [95 % interval]. Rival: the ranking that does not use the network and "
            "has the largest fall for this k and fill, selected on the same participants; difference: paired by "
            "participant.",
            sources=SOURCES,
            closed=True,
            words=2,
        ),
    ]


def sentences(table: pd.DataFrame, method: str) -> list[str]:
    """Say for each fill at which k the map is ahead of its best rival, where undecided, and where behind."""
    said = []
    for fill, one in table[(table["ranking"] == method) & table["k"].notna()].groupby("fill", sort=False):
        groups: dict[str, list[str]] = {"ahead": [], "behind": [], "undecided": [], "missing": []}
        for row in records(one):
            groups[_verdict(row)].append(_beside(row))
        words = {
            "ahead": "the map's voxels lower the logit more than those of its best rival at",
            "behind": "they carry less at",
            "undecided": "no significant difference at",
            "missing": "no comparison was possible at",
        }
        parts = [f"{words[verdict]} {', '.join(some)}" for verdict, some in groups.items() if some]
        said.append(f"Filled with {str(fill).replace('-', ' ')}, {'; '.join(parts)}.")
    lesions = table[(table["ranking"] == LESIONS) & table["fall"].notna()]
    each = [f"{number(row['fall'])} ({str(row['fill']).replace('-', ' ')})" for row in records(lesions)]
    if each:
        first = records(lesions)[0]
        said.append(
            f"All lesion voxels filled (median of {whole(first['voxels'])} voxels), the logit falls by "
            f"{' or '.join(each)}, from a median of {number(first['logit'])}."
        )
    return said


def _verdict(row: dict[str, Any]) -> str:
    """Return on which side of 0 the interval of the difference lies."""
    if pd.isna(row["difference_low"]) or pd.isna(row["difference_high"]):
        return "missing"
    return "ahead" if row["difference_low"] > 0 else "behind" if row["difference_high"] < 0 else "undecided"


def _beside(row: dict[str, Any]) -> str:
    k = f"k = {row['k']:g}"
    if pd.isna(row["rival_fall"]):
        return k
    return f"{k} ({number(row['fall'])} against {number(row['rival_fall'])} of {row['rival']})"


def _closeness(table: pd.DataFrame, method: str) -> str:
    """Report how close the method is to input times gradient, as measured on these participants."""
    found = table[(table["ranking"] == BY_GRADIENT) & table["correlation"].notna()]
    if method == BY_GRADIENT or found.empty:
        return ""
    r = float(found["correlation"].iloc[0])
    close = "close to" if r > _CLOSE else "not the same as"
    return (
        f"{method} is {close} input times gradient here: Pearson's r {r:.3f} over the seen brain, median over "
        "participants."
    )


def _row(row: dict[str, Any]) -> list[str | Markup]:
    compared = not pd.isna(row["difference"])
    beside: list[str | Markup] = [DASH, DASH]
    if compared:
        ends = f"[{number(row['difference_low'])}, {number(row['difference_high'])}]"
        beside = [f"{row['rival']}: {number(row['rival_fall'])}", twofold(number(row["difference"]), ends)]
    fall = twofold(number(row["fall"]), f"[{number(row['low'])}, {number(row['high'])}]")
    k = "all" if pd.isna(row["k"]) else whole(row["k"])
    return [str(row["ranking"]), str(row["fill"]).replace("-", " "), k, fall, *beside, whole(row["people"])]
