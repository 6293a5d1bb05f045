"""Where in the anatomy relevance lies, area by area."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from markupsafe import Markup

from pellucid.ground.numbers import number, seen_share, whole
from pellucid.report.html.blocks import Picture, Section, Table, Text, missing, records, twofold
from pellucid.report.pictures.maps import region_figure
from pellucid.report.pictures.style import group_colours, save
from pellucid.report.section_registry import page_section
from pellucid.rundir.run import Run

TABLE, SUMMARY, TESTED = "tables/regions.tsv", "tables/regions_summary.tsv", "tables/region_tests.tsv"
SHOWN = 20

TESTS = {"q": "q, sum", "q_per_logit": "q, per |logit|", "q_per_gross": "q, share"}
"""Columns of tables/region_tests.tsv that are shown, and what they are called."""

_OF_TESTS = (
    "q: permutation tests of the difference between the groups, with the false discovery rate over all areas, "
    "atlases, arms and these three tests: of the sum; of the sum divided by the map's |logit|; of the share (the sum "
    "divided by the map's sum of |relevance|). Sums follow the logit, so if the network separates the groups, they "
    "differ wherever there is relevance: a small q of the sum does not show where the evidence is."
)


@page_section("regions", title="Relevance by region", order=140)
def regions(run: Run, figures: Path) -> Section:
    """Return, for each atlas, the figure of the areas with most relevance and the table of all."""
    section = Section("regions", "Relevance by region")
    table, summaries = run.maps_table("regions"), run.maps_table("regions_summary")
    for found, path in ((table, TABLE), (summaries, SUMMARY)):
        if found is None:
            section.add(missing("Regions", path))
    if table is None or summaries is None:
        return section
    groups = sorted(table["group"].unique(), key=lambda group: (group != run.positive, group))
    for name, summary in summaries.groupby("atlas", sort=False):
        _add(section, run, figures, str(name), table[table["atlas"] == name], summary, groups)
    return section


def _add(
    section: Section, run: Run, figures: Path, name: str, table: pd.DataFrame, summary: pd.DataFrame, groups: list[str]
) -> None:
    """Add what there is to say of one atlas."""
    top = summary.dropna(subset="strength").nlargest(SHOWN, "strength")
    order = top.sort_values(f"sum_{groups[0]}", ascending=False)["area"].tolist()
    blind = int((summary["seen_share"] == 0).sum())
    partly = int(((summary["seen_share"] > 0) & (summary["seen_share"] < 1)).sum())
    atlas = name.capitalize() if name.islower() and "-" not in name else name
    section.add(
        Text(
            paragraphs=[
                f"Relevance is summed over the areas of {atlas}, left and right together, over the voxels that the "
                f"network can see. Of {len(summary)} areas {blind} cannot be seen at all and {partly} only in part: "
                "their sums are about the seen part only, with unequal parts of left and right. The atlas is matched "
                "to each scan by affines only, so borders of areas are approximate."
            ]
        )
    )
    if order:
        save(region_figure(table, order, group_colours(groups, run.positive)), figures / f"regions-{name}")
        section.add(
            Picture(
                stem=f"regions-{name}",
                suffix=".svg",
                alt=f"Relevance sums of the areas {', '.join(order[:5])} and others, one dot per participant, by "
                "group.",
                caption=f"The {len(order)} areas with the largest sum of |relevance| over participants, ordered by "
                f"the mean of {groups[0]}. Dots: participants; diamonds: means of groups. Right: the share of the "
                "area that the network sees.",
                sources=[TABLE],
            )
        )
    section.add(_table(summary, groups, atlas))


def _table(summary: pd.DataFrame, groups: list[str], atlas: str) -> Table:
    rows: list[list[str | Markup]] = []
    for row in records(summary):
        share = seen_share(row["seen_share"])
        seen = share if row["seen_share"] == 1 else Markup('<span class="flag">{}</span>').format(share)
        means = [twofold(number(row[f"sum_{group}"]), number(row[f"mean_{group}"])) for group in groups]
        tests = [number(row[column], 2) for column in TESTS]
        rows.append([str(row["area"]), whole(row["voxels"]), seen, *means, *tests])
    return Table(
        header=["Area", "Voxels", "Seen", *groups, *TESTS.values()],
        rows=rows,
        caption=f"All {len(rows)} areas of {atlas}, in its order: for each group the mean over participants of the "
        "relevance sum (logit units) and, second line, of the mean per seen voxel. Flagged: areas that the network "
        f"sees only in part. {_OF_TESTS}",
        sources=[SUMMARY, TABLE, TESTED],
        closed=True,
    )
