"""The relevance ledger: how much of the logit each layer keeps for itself on the way to the image."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pellucid.ground.numbers import DASH, number, whole
from pellucid.report.html.blocks import Note, Picture, Section, Table, Text, missing, records
from pellucid.report.pictures.maps import ledger_figure
from pellucid.report.pictures.style import group_colours, save
from pellucid.report.section_registry import page_section
from pellucid.rundir.run import Run
from pellucid.trust.alarms import ABSORBED, BIAS, EPSILON, NETWORKS, SIGN
from pellucid.trust.sums_summary import ALARM, PASSED, SUMS, absorbers

_WORDS = {SIGN: "Another sign", BIAS: "Biases", EPSILON: "ε", NETWORKS: "Networks"}
"""Kinds of alarm, and what the page calls them; what absorbs relevance by other rules has its own name."""

TABLE, SUMMARY = "tables/ledger.tsv", "tables/ledger_summary.tsv"
OF_MAPS, SUMS_SUMMARY, ALARMS = "tables/sums.tsv", "tables/sums_summary.tsv", "tables/alarms.tsv"


@page_section("ledger", title="Where relevance goes", order=170)
def ledger(run: Run, figures: Path) -> Section:
    """Return the waterfall of each group's mean ledger and its table."""
    section = Section("ledger", "Where relevance goes")
    alarms, sums, means = run.table("alarms"), run.table("sums_summary"), run.maps_table("ledger_summary")
    section.add(*(_alarms(alarms) if alarms is not None else [missing("Alarms", ALARMS)]))
    if means is None or means.empty:
        section.add(missing("The relevance ledger", SUMMARY))
        return section
    groups = sorted(means["group"].unique(), key=lambda group: (group != run.positive, group))
    by_group = {group: means[means["group"] == group] for group in groups}
    save(ledger_figure(by_group, group_colours(groups, run.positive)), figures / "ledger")
    took = absorbers(means)
    columns = (*PASSED, *(f"{ABSORBED}{name}" for name in took))
    words = {BIAS: "biases", EPSILON: "the stabiliser ε"}
    takers = " and ".join(words.get(name, name) for name in took) or "nothing"
    section.add(
        Text(
            paragraphs=[
                "Relevance starts as the logit and is handed down layer by layer, but it is not conserved: in each "
                f"layer {takers} take their share. In every layer, exactly: relevance out = relevance in + what was "
                "absorbed. What arrives in the map is therefore not the whole logit, and may be more than it."
            ]
        ),
        Picture(
            stem="ledger",
            suffix=".svg",
            alt="Waterfall from the logit to the map: what each layer absorbs, one panel per group.",
            caption="Mean over the held-out participants of each group, from the logit (left) to the sum of the map "
            "(right). Orange: absorbed by biases; grey: by ε. A bar away from zero adds relevance instead of "
            "absorbing it.",
            sources=[SUMMARY, TABLE],
        ),
        Table(
            header=["Group", "Layer", "Out", "In", *({BIAS: "Bias", EPSILON: "ε"}.get(name, name) for name in took)],
            rows=[
                [str(row["group"]), str(row["layer"]), *(number(row[column]) for column in columns)]
                for row in records(means)
            ],
            caption="Mean ledger of each group, from the output to the input (logit units).",
            sources=[SUMMARY],
            closed=True,
            words=2,
        ),
    )
    section.add(_sums(sums) if sums is not None else missing("The sums of the maps", SUMS_SUMMARY))
    return section


def _alarms(table: pd.DataFrame) -> list[Note | Table]:
    """Say how many maps of each arm and method have sums that contradict the logit that they explain."""
    rows, said = [], []
    counted = [str(name).removeprefix(ALARM) for name in table if str(name).startswith(ALARM)]
    kinds = [f"{ALARM}{kind}" for kind in sorted(counted, key=lambda kind: [*_WORDS, kind].index(kind))]
    for row in records(table):
        checked = int(row["checked"])
        of = f"{whole(row['alarmed'])} of {checked}"
        counts = [of, *(whole(row[kind]) for kind in kinds)] if checked else ["not checked", *[DASH] * len(kinds)]
        rows.append([str(row["arm"]), str(row["method"]), *counts, number(row["gross_per_logit"])])
        if row["alarmed"]:
            said.append(f"{of} maps of arm {row['arm']} by {row['method']}")
    unchecked = bool((table["checked"] == 0).all())
    text = (
        "Not checked: the method has no ledger, so it is unknown whether its maps add up to their logits."
        if unchecked
        else f"Alarm: {', '.join(said)} do not add up. Their sum has another sign than the logit, or biases or ε "
        "absorbed more than the logit: such a map does not show the reasons for the network's decision."
        if said
        else "No map has an alarm: the sum of each map has the sign of its logit, and neither biases nor ε absorbed "
        "more than the logit."
    )
    caption = (
        "Maps with an alarm, by arm and method. Another sign: the sum of the map and its logit have different signs. "
        "Biases, ε: over all layers they absorbed more than the |logit|. Networks: for a mean of maps, at least one "
        "of them has such an alarm. Last column: the sum of |relevance| divided by |logit|, median over maps; if it "
        "is large, most of a map cancels."
    )
    called = [_WORDS.get(kind.removeprefix(ALARM), kind.removeprefix(ALARM)) for kind in kinds]
    header = ["Arm", "Method", "Maps with an alarm", *called, "Gross over |logit|"]
    return [
        Note(tone="missing" if unchecked else "warning" if said else "pass", text=text),
        Table(header=header, rows=rows, caption=caption, sources=[ALARMS, OF_MAPS]),
    ]


def _sums(table: pd.DataFrame) -> Table:
    """Show the sums of every explained arm's maps, a row an arm, method and group."""
    return Table(
        header=[
            "Arm",
            "Method",
            "Group",
            "Scans",
            "Logit",
            "Sum of the map",
            "Its positive part",
            "Its negative part",
            "A voxel",
        ],
        rows=[
            [
                str(row["arm"]),
                str(row["method"]),
                str(row["group"]),
                whole(row["scans"]),
                *(number(row[column]) for column in SUMS),
            ]
            for row in records(table)
        ],
        caption="Relevance of whole maps, mean over the held-out scans of a group (logit units). Last column: the "
        "mean over all voxels, which the paper calls the sum of a group.",
        sources=[SUMS_SUMMARY, OF_MAPS],
        words=2,
    )
