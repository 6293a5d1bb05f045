"""Where in the anatomy relevance lies, area by area."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from pellucid.ground.files import write_tsv
from pellucid.ground.numbers import number, seen_share, whole
from pellucid.report.html.blocks import Picture, Section, Table, Text, missing, records
from pellucid.report.pictures.maps import region_figure
from pellucid.report.pictures.style import group_colours, save
from pellucid.rundir.run import Run

SUMMARY = "tables/regions_summary.tsv"
SHOWN = 20

TESTS = {"q": "q, sum", "q_per_logit": "q, per |logit|", "q_per_gross": "q, share"}
"""Columns of tables/region_tests.tsv that are shown, and what they are called."""

TESTED = [f"{name}{ending}" for ending in ("", "_per_logit", "_per_gross") for name in ("difference", "p", "q")]

_OF_TESTS = (
    " q: whether the groups differ, by permutation, the false discovery rate of all areas, atlases, arms and of these "
    "three tests controlled together: in the sum; in the sum over the map's |logit|; in the share, the sum over the "
    "map's sum of |relevance|. Sums follow the logit, so if the network tells the groups apart they differ wherever "
    "relevance is: a small q of the sum does not say where the evidence lies."
)


def regions(run: Run, figures: Path) -> Section:
    """Return, for each atlas, the figure of the areas with most relevance and the table of all."""
    section = Section("regions", "Relevance by region")
    table = run.maps_table("regions")
    if table is None:
        section.add(missing("Regions", "tables/regions.tsv"))
        return section
    groups = sorted(table["group"].unique(), key=lambda group: (group != run.positive, group))
    tests, summaries = run.maps_table("region_tests"), []
    for name, one in table.groupby("atlas", sort=False):
        summary = region_means(one, groups)
        if tests is not None:
            tested = tests[tests["atlas"] == name].set_index("area")
            summary = summary.join(tested[TESTED], on="area")
        summary.insert(0, "atlas", name)
        summaries.append(summary)
        _add(section, run, figures, str(name), one, summary, groups)
    write_tsv(run.folder / SUMMARY, pd.concat(summaries, ignore_index=True))
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
                "their sums speak of the seen part alone, and left and right do not weigh alike in them. The "
                "atlas is laid over each scan by affines alone, so borders of areas are approximate."
            ]
        )
    )
    if order:
        save(region_figure(table, order, group_colours(groups, run.positive)), figures / f"regions-{name}")
        section.add(
            Picture(
                stem=f"regions-{name}",
                suffix=".svg",
                alt=f"Relevance sums of the areas {', '.join(order[:5])} and others, a dot a subject, by group.",
                caption=f"The {len(order)} areas with the largest sum of |relevance| over subjects, ordered by the "
                f"mean of {groups[0]}. Dots: subjects; diamonds: means of groups. Right: the share of the area that "
                "the network sees.",
                sources=["tables/regions.tsv"],
            )
        )
    section.add(_table(summary, groups, atlas))


def region_means(table: pd.DataFrame, groups: list[str]) -> pd.DataFrame:
    """Sum up people: for each area the size, the seen share, and each group's mean sum and mean per seen voxel.

    A person of several scans counts once, with their mean.

    `strength` is the sum over subjects of |sum|, by which areas are chosen for the figure (Eitel 2019, Figure 4).

    Returns
    -------
    One row an area, in the atlas's order: area, voxels, seen_share, strength, sum_GROUP and mean_GROUP for each group.
    """
    by_area = table.groupby("area", sort=False)
    result = by_area[["voxels", "seen_share"]].first()
    people = table.groupby(["participant_id", "group", "area"], sort=False)[["sum", "mean"]].mean().reset_index()
    result["strength"] = people.groupby("area", sort=False)["sum"].agg(lambda sums: sums.abs().sum(min_count=1))
    for group in groups:
        means = people[people["group"] == group].groupby("area", sort=False)[["sum", "mean"]].mean()
        result[f"sum_{group}"], result[f"mean_{group}"] = means["sum"], means["mean"]
    return result.reset_index()


def _table(summary: pd.DataFrame, groups: list[str], atlas: str) -> Table:
    tested = "q" in summary
    header = [
        "Area",
        "Voxels",
        "Seen",
        *(f"Sum, {group}" for group in groups),
        *(f"Per voxel, {group}" for group in groups),
        *(TESTS.values() if tested else ()),
    ]
    rows: list[list[str | Markup]] = []
    for row in records(summary):
        share = seen_share(row["seen_share"])
        seen = share if row["seen_share"] == 1 else Markup('<span class="flag">{}</span>').format(share)
        sums = [number(row[f"sum_{group}"]) for group in groups]
        means = [number(row[f"mean_{group}"]) for group in groups]
        rows.append([str(row["area"]), whole(row["voxels"]), seen, *sums, *means, *_test(row, tested)])
    return Table(
        header=header,
        rows=rows,
        caption=f"All {len(rows)} areas of {atlas}, in its order: mean over subjects of the relevance sum (logit "
        "units) and of the mean per seen voxel. Flagged: areas that the network does not see whole."
        + (_OF_TESTS * tested),
        sources=[SUMMARY, "tables/regions.tsv", *(["tables/region_tests.tsv"] if tested else [])],
        closed=True,
    )


def _test(row: dict[str, Any], tested: bool) -> list[str]:
    return [number(row[column], 2) for column in TESTS] if tested else []
