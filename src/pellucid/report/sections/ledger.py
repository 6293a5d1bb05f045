"""The relevance ledger: how much of the logit each layer keeps for itself on the way to the image."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pellucid.ground.files import write_tsv
from pellucid.ground.numbers import DASH, number
from pellucid.report.html.blocks import Note, Picture, Section, Table, Text, missing, records
from pellucid.report.pictures.maps import ledger_figure
from pellucid.report.pictures.style import group_colours, save
from pellucid.rundir.run import Run
from pellucid.trust.alarms import BIAS, EPSILON, NETWORKS, NONE, SIGN

KINDS = (SIGN, BIAS, EPSILON, NETWORKS)
SUMMARY = "tables/ledger_summary.tsv"
SUMS = ("logit", "sum", "positive", "negative", "voxel_mean")
COLUMNS = ("relevance_out", "relevance_in", "absorbed_bias", "absorbed_epsilon")


def ledger(run: Run, figures: Path) -> Section:
    """Return the waterfall of each group's mean ledger and its table."""
    section = Section("ledger", "Where relevance goes")
    totals = run.table("sums")
    if totals is not None and not totals.empty:
        section.add(*_alarms(totals))
    table = run.maps_table("ledger")
    if table is None or table.empty:
        section.add(missing("The relevance ledger", "tables/ledger.tsv"))
        return section
    means = ledger_means(table)
    write_tsv(run.folder / SUMMARY, means)
    groups = sorted(means["group"].unique(), key=lambda group: (group != run.positive, group))
    by_group = {group: means[means["group"] == group] for group in groups}
    save(ledger_figure(by_group, group_colours(groups, run.positive)), figures / "ledger")
    section.add(
        Text(
            paragraphs=[
                "LRP-ε starts with the logit and hands it down layer by layer, but it is not conserved: each layer's "
                "biases and stabiliser ε take their share. In every layer, exactly: relevance out = relevance in + "
                "absorbed by the bias + absorbed by ε. What arrives in the map is therefore not the whole logit, and "
                "may be more than it."
            ]
        ),
        Picture(
            stem="ledger",
            suffix=".svg",
            alt="Waterfall from the logit to the map: what each layer's bias and epsilon absorb, one panel a group.",
            caption="Mean over the held-out subjects of each group, from the logit (left) to the sum of the map "
            "(right). Orange: absorbed by biases; grey: by ε. A bar that leads away from zero adds relevance instead "
            "of taking it.",
            sources=[SUMMARY, "tables/ledger.tsv"],
        ),
        Table(
            header=["Group", "Layer", "Out", "In", "Bias", "ε"],
            rows=[
                [str(row["group"]), str(row["layer"]), *(number(row[column]) for column in COLUMNS)]
                for row in records(means)
            ],
            caption="Mean ledger of each group, from the output to the input (logit units).",
            sources=[SUMMARY],
            closed=True,
            words=2,
        ),
    )
    if totals is not None and not totals.empty:
        section.add(_sums(totals))
    return section


def _alarms(table: pd.DataFrame) -> list[Note | Table]:
    """Count the maps of each arm whose sums contradict the logit that they explain."""
    rows, said = [], []
    for arm, one in table.groupby("arm", sort=False):
        checked = one[one["alarm"].notna()]
        alarmed = checked[checked["alarm"] != NONE]
        each = [f"{sum(kind in str(alarm).split('+') for alarm in checked['alarm'])}" for kind in KINDS]
        gross = number(float(one["gross_per_logit"].median()))
        counts = [f"{len(alarmed)} of {len(checked)}", *each] if len(checked) else ["not checked", *[DASH] * len(KINDS)]
        rows.append([str(arm), *counts, gross])
        if len(alarmed):
            said.append(f"{len(alarmed)} of {len(checked)} maps of arm {arm}")
    unchecked = table["alarm"].isna().all()
    text = (
        "Not checked: the method keeps no ledger, so nothing says whether its maps add up to their logits."
        if unchecked
        else f"Alarm: {', '.join(said)} do not add up. They speak against the logit that they explain, or the biases "
        "or ε took more than all of it: such a map does not show what the network decided by."
        if said
        else "No map has an alarm: each sums to its logit's sign, and neither biases nor ε took more than the logit."
    )
    caption = (
        "Maps with an alarm, by arm. Another sign: the map sums to another sign than its logit. Biases, ε: over all "
        "layers they absorbed more than the |logit|. Networks: of a mean of maps, one or more have such an alarm by "
        "themselves. Last: the sum of |relevance| over |logit|, median of the maps; where it is large, most of a map "
        "cancels."
    )
    header = ["Arm", "Maps with an alarm", "Another sign", "Biases", "ε", "Networks", "Gross over |logit|"]
    return [
        Note(tone="missing" if unchecked else "warning" if said else "pass", text=text),
        Table(header=header, rows=rows, caption=caption, sources=["tables/sums.tsv"]),
    ]


def _sums(table: pd.DataFrame) -> Table:
    """Show the sums of every explained arm's maps, a row an arm and group."""
    means = table.groupby(["arm", "group"], sort=False)[list(SUMS)].mean().reset_index()
    scans = table.groupby(["arm", "group"], sort=False).size().to_numpy()
    return Table(
        header=[
            "Arm",
            "Group",
            "Scans",
            "Logit",
            "Sum of the map",
            "Its positive part",
            "Its negative part",
            "A voxel",
        ],
        rows=[
            [str(row["arm"]), str(row["group"]), str(count), *(number(row[column]) for column in SUMS)]
            for row, count in zip(records(means), scans, strict=True)
        ],
        caption="Relevance of whole maps, mean over the held-out scans of a group (logit units). Last: the mean over "
        "all voxels, which is what the paper calls the sum of a group.",
        sources=["tables/sums.tsv"],
        words=2,
    )


def ledger_means(table: pd.DataFrame) -> pd.DataFrame:
    """Average the ledger over the subjects of each group, layers from the output to the input.

    Parameters
    ----------
    table
        Columns group, layer and COLUMNS; each scan's layers in the order of the forward pass.
    """
    means = table.groupby(["group", "layer"], sort=False)[list(COLUMNS)].mean().reset_index()
    return pd.concat([one.iloc[::-1] for _, one in means.groupby("group", sort=False)], ignore_index=True)
