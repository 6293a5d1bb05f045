"""The relevance ledger: how much of the logit each layer keeps for itself on the way to the image."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pellucid.files import write_tsv
from pellucid.report.blocks import Picture, Section, Table, Text, missing, number, records
from pellucid.report.charts_maps import ledger_figure
from pellucid.report.run import Run
from pellucid.report.style import group_colours, save

SUMMARY = "tables/ledger_summary.tsv"
SUMS = ("logit", "sum", "positive", "negative", "voxel_mean")
COLUMNS = ("relevance_out", "relevance_in", "absorbed_bias", "absorbed_epsilon")


def ledger(run: Run, figures: Path) -> Section:
    """Return the waterfall of each group's mean ledger and its table."""
    section = Section("ledger", "Where relevance goes")
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
    totals = run.table("sums")
    if totals is not None and not totals.empty:
        section.add(_sums(totals))
    return section


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
