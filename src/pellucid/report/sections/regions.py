"""Where in the anatomy relevance lies, area by area."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from markupsafe import Markup

from pellucid.ground.numbers import number, seen_share, whole
from pellucid.report.html.blocks import Picture, Section, Table, Text, missing, records, twofold
from pellucid.report.pictures.regions import FDR, filled_figure, region_figure
from pellucid.report.pictures.style import group_colours, save
from pellucid.report.section_registry import page_section
from pellucid.rundir.run import Run

TABLE, SUMMARY, TESTED = "tables/regions.tsv", "tables/regions_summary.tsv", "tables/region_tests.tsv"
FILLED = "tables/regions_filled.tsv"
SHOWN = 30

TESTS = {"q": "q, sum", "q_per_logit": "q, per |logit|", "q_per_gross": "q, share"}
"""Columns of tables/region_tests.tsv that are shown, and what they are called."""

_OF_TESTS = (
    "q: permutation tests of the difference between the groups, with the false discovery rate over all areas, "
    "atlases, arms and these three tests: of the sum; of the sum divided by the map's |logit|; of the share (the sum "
    "divided by the map's sum of |relevance|). Sums follow the logit, so if the network separates the groups, they "
    "differ wherever there is relevance: a small q of the sum does not show where the evidence is."
)
_PARTLY = "Right: the seen share of areas that are only partly seen, whose sums are about that part only."


@page_section("regions", title="Relevance by region", order=140)
def regions(run: Run, figures: Path) -> Section:
    """Return, for each atlas, the figure of the areas with most relevance, the table of all, and lesions filled."""
    section = Section("regions", "Relevance by region")
    table, summaries = run.maps_table("regions"), run.maps_table("regions_summary")
    for found, path in ((table, TABLE), (summaries, SUMMARY)):
        if found is None:
            section.add(missing("Regions", path))
    if table is None or summaries is None:
        return section
    groups = sorted(table["group"].unique(), key=lambda group: (group != run.positive, group))
    filled = run.maps_table("regions_filled")
    for name, summary in summaries.groupby("atlas", sort=False):
        _add(section, run, figures, str(name), table[table["atlas"] == name], summary, groups)
        beside = None if filled is None else filled[filled["atlas"] == name]
        if beside is not None and len(beside):
            section.add(_filled(run, figures, str(name), beside))
    return section


def _add(
    section: Section, run: Run, figures: Path, name: str, table: pd.DataFrame, summary: pd.DataFrame, groups: list[str]
) -> None:
    """Add what there is to say of one atlas."""
    blind = int((summary["seen_share"] == 0).sum())
    partly = int(((summary["seen_share"] > 0) & (summary["seen_share"] < 1)).sum())
    atlas = _called(name)
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
    means = group_means(summary, groups)
    if len(means):
        order = means.drop_duplicates("place").set_index("area")["place"]
        people = table.groupby(["participant_id", "group", "area"], sort=False)["sum"].mean().rename("value")
        shown = people.reset_index().assign(place=lambda rows: rows["area"].map(order)).dropna()
        save(region_figure(shown, means, group_colours(groups, run.positive)), figures / f"regions-{name}")
        section.add(
            Picture(
                stem=f"regions-{name}",
                suffix=".svg",
                alt=f"Relevance sums of {', '.join(order.index[:5])} and other areas, by group.",
                caption=f"The {len(order)} areas with the largest sum of |relevance| over participants, ordered by "
                f"the mean of {groups[0]}. Left: means of groups with 95 % intervals over participants and the "
                f"networks that they share.{_widened(run)} Right: participants (violins: kernel densities on the "
                f"scale shown, with extremes). Stars: the sums of the groups differ, q < {FDR}. {_PARTLY}",
                sources=[TABLE, SUMMARY],
            )
        )
    section.add(_table(summary, groups, atlas))


def group_means(summary: pd.DataFrame, groups: Sequence[str], shown: int = SHOWN) -> pd.DataFrame:
    """Return what `region_figure` draws of rows of tables/regions_summary.tsv: the areas of most relevance.

    They are the first `shown` by strength, in the order of the first group's mean, the largest first.
    """
    top = summary.dropna(subset="strength").nlargest(shown, "strength")
    top = top.sort_values(f"sum_{groups[0]}", ascending=False, kind="stable").reset_index(drop=True)
    known = {name: top[name] for name in ("area", "seen_share", "q")}
    means = [
        pd.DataFrame(
            {"place": top.index, "group": group, "mean": top[f"sum_{group}"]}
            | {end: top[f"{end}_{group}"] for end in ("low", "high")}
            | known
        )
        for group in groups
    ]
    return pd.concat(means, ignore_index=True)


def _filled(run: Run, figures: Path, name: str, table: pd.DataFrame) -> Picture:
    """Draw the patients' relevance under the model of scans as they are beside that of lesion-filled ones."""
    arm, other, people = (table[column].iloc[0] for column in ("arm", "filled", "people"))
    total = (table["mean"] + table["mean_filled"]).sort_values(ascending=False, kind="stable")
    table = table.loc[total.index].assign(place=range(len(table)))
    titles = {"": f"{arm}: scans as they are", "_filled": f"{other}: lesions filled"}
    both = [
        table[["place", "area", "seen_share"]].assign(
            images=title, **{column: table[f"{column}{ending}"] for column in ("mean", "low", "high")}
        )
        for ending, title in titles.items()
    ]
    save(filled_figure(pd.concat(both, ignore_index=True)), figures / f"regions-filled-{name}")
    return Picture(
        stem=f"regions-filled-{name}",
        suffix=".svg",
        alt=f"Bars of the mean relevance of each area of {_called(name)} under two models, with intervals.",
        caption=f"All {len(table)} seen areas of {_called(name)}, from the largest total of both models to the "
        f"smallest: relevance summed over an area, mean of the same {people:.0f} held-out participants of group "
        f"{run.positive}, whether correctly classified or not, with arm {arm} and with arm {other}, which learned from "
        f"lesion-filled scans. Lines: 95 % intervals over participants and their networks.{_widened(run)} "
        "One scale. The two models differ in their training, so the lesions are not the only cause of a difference. "
        f"{_PARTLY}",
        sources=[FILLED],
    )


def _widened(run: Run) -> str:
    """Say by how much intervals are widened; nothing where they are not."""
    correction = run.correction(run.maps.arm) if run.maps else 1.0
    if correction == 1.0:
        return ""
    return (
        f" Intervals are {number(correction)} times as wide, to correct for the overlap of the cross-validation folds."
    )


def _called(name: str) -> str:
    """Return an atlas's name as a sentence has it."""
    return name.capitalize() if name.islower() and "-" not in name else name


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
