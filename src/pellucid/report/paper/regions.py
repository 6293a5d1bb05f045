"""Figure 4: relevance of patients and controls over the areas of a grey-matter and a white-matter atlas."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from pellucid.report.paper.charts import (
    AREA_LETTERS,
    LEGEND_LETTERS,
    PAPER_COLOURS,
    SignedLog,
    add_note,
    by_place,
    look,
    paper_ticks,
    placed,
    power_below,
    violins,
    write_shares,
)
from pellucid.report.paper.intervals import (
    by_participant,
    mean_intervals,
    networks_by_participant,
    widened_words,
)
from pellucid.report.paper.material import GREY, WHITE, Drawing, Material, MissingError, Version
from pellucid.report.pictures.style import INK, drawn, group_colours, row_height, styled

SHOWN = 30
"""Areas of the grey-matter atlas; of white matter all are shown."""
FDR = 0.05

_FOOT = (
    "For research only. Dots: means of groups with 95 % intervals over participants; violins: participants. Stars: q "
    "< 0.05. Right: the seen share of areas that are only partly seen."
)
_COLUMNS = ["place", "area", "group", "participant_id", "session_id", "value", "mean"]


def figure4a(material: Material, version: Version) -> Drawing:
    """Draw the 30 areas of the grey-matter atlas with most relevance (Eitel 2019, Figure 4a)."""
    return _figure(material, version, GREY, SHOWN)


def figure4b(material: Material, version: Version) -> Drawing:
    """Draw all areas of the white-matter atlas (Eitel 2019, Figure 4b)."""
    return _figure(material, version, WHITE, None)


def _figure(material: Material, version: Version, atlas: str, shown: int | None) -> Drawing:
    rows, groups = material.regions(atlas, material.main), material.groups
    name = str(rows["atlas"].iloc[0])
    sources: tuple[str, ...] = ("tables/regions.tsv",)
    if version == "paper":
        data = paper_region_data(rows, groups, shown)
        note = _paper_note(name, data, shown)
        return Drawing(draw_paper_regions(data, groups, note), data, note, sources)
    tests = material.tests(atlas, material.main)
    correction = material.run.correction(material.main)
    data = region_data(
        rows,
        tests,
        groups,
        shown,
        resamples=material.spec.analysis.bootstrap,
        correction=correction,
        seed=material.spec.study.seed,
    )
    note = _note(name, rows, data, groups, shown, correction, tested=tests is not None)
    sources += ("tables/region_tests.tsv",) if tests is not None else ()
    return Drawing(draw_regions(data, groups, _FOOT), data, note, sources)


def paper_region_data(rows: pd.DataFrame, groups: tuple[str, str], shown: int | None) -> pd.DataFrame:
    """Return what the paper's Figure 4 shows: its metric, of correctly classified scans only.

    With `shown`, areas are those of the largest sum over subjects of |value|, ordered ascending by the signed sum over
    both groups; without, all are ordered ascending by the mean of the patients.

    Parameters
    ----------
    rows
        Columns participant_id, group, correct, area, paper, and session_id where there are sessions.
    groups
        Patients, controls.
    shown
        How many areas; all if None.

    Returns
    -------
    One row a scan and area: place (from 0), area, group, participant_id, session_id, value (the paper's metric: a
    label's sum over the voxels of the whole volume, mean over an area's labels), mean (of the group).

    Raises
    ------
    MissingError
        If a group has no correctly classified scan.
    """
    right = rows[rows["correct"].astype(bool)]
    # A map is 0 where the network does not look, and so is the paper's metric; our tables call that missing.
    right = right.assign(value=right["paper"].fillna(0.0))
    for group in groups:
        if not (right["group"] == group).any():
            raise MissingError(f"no scan of group {group} is classified correctly")
    by_area = right.groupby("area", sort=False)["value"]
    if shown is None:
        order = right[right["group"] == groups[0]].groupby("area", sort=False)["value"].mean()
    else:
        strength = by_area.agg(lambda values: values.abs().sum())
        order = by_area.sum()[strength.nlargest(shown).index]
    return _ordered(right, order, groups)[_COLUMNS]


def region_data(
    rows: pd.DataFrame,
    tests: pd.DataFrame | None,
    groups: tuple[str, str],
    shown: int | None,
    *,
    resamples: int,
    correction: float = 1.0,
    seed: int,
) -> pd.DataFrame:
    """Return true sums of all held-out subjects with intervals of the groups' means.

    A participant's scans are averaged first. With `shown`, areas are those where the mean of |sum|, averaged over both
    groups so that the larger does not count more, is largest. All are ordered ascending by the mean of the patients.
    Areas without a seen voxel have no sum and are left out.

    Returns
    -------
    One row a participant and area: place (from 0), area, group, participant_id, value (sum of relevance over the
    area's seen voxels, logit units), mean (of the group), low, high (its 95 % interval over participants and the
    networks that they share, widened by the correction), seen_share (of the area), q (of the tests; missing where
    nobody tested).

    Raises
    ------
    MissingError
        If a group has no row.
    """
    parts = []
    for group in groups:
        wide = by_participant(rows[rows["group"] == group], "sum").dropna(axis="columns", how="all")
        if wide.empty:
            raise MissingError(f"tables/regions.tsv has no row of group {group}")
        low, high = mean_intervals(
            wide,
            networks_by_participant(rows, wide.index),
            resamples=resamples,
            correction=correction,
            seed=seed,
        )
        spread = pd.DataFrame({"area": wide.columns, "low": low, "high": high})
        long = wide.reset_index().melt("participant_id", var_name="area", value_name="value").dropna(subset="value")
        parts.append(long.merge(spread, on="area").assign(group=group))
    table = pd.concat(parts, ignore_index=True)
    order = table[table["group"] == groups[0]].groupby("area", sort=False)["value"].mean()
    if shown is not None:
        size = table.assign(size=table["value"].abs()).groupby(["group", "area"], sort=False)["size"].mean()
        order = order[size.groupby("area", sort=False).mean().nlargest(shown).index.intersection(order.index)]
    data = _ordered(table, order, groups)
    data["seen_share"] = data["area"].map(rows.groupby("area")["seen_share"].first())
    known = {} if tests is None else dict(zip(tests["area"], tests["q"], strict=True))
    data["q"] = data["area"].map(known).astype(float)
    return data[["place", "area", "group", "participant_id", "value", "mean", "low", "high", "seen_share", "q"]]


def _ordered(table: pd.DataFrame, order: pd.Series[float], groups: tuple[str, str]) -> pd.DataFrame:
    """Keep the areas of `order`, ascending by it, and say their groups' means."""
    kept = placed(table, order.sort_values(kind="stable").index.tolist(), groups)
    kept["mean"] = kept.groupby(["area", "group"])["value"].transform("mean")
    return kept


@styled
def draw_paper_regions(data: pd.DataFrame, groups: tuple[str, str], note: str) -> Figure:
    """Draw the groups' means as dots above, each subject's values as violins below, areas from left to right."""
    areas = [drawn(area, AREA_LETTERS) for area in data.drop_duplicates("place")["area"]]
    with look("paper"):
        across = row_height(areas, 0.38) * len(areas)
        figure = Figure(figsize=(max(8.0, across + 1.6), 10.5), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True)
        for group, colour in zip(groups, PAPER_COLOURS, strict=True):
            one = data[data["group"] == group]
            means = one.drop_duplicates("place")
            above.scatter(
                means["place"], means["mean"], color=colour, s=42, label=drawn(group, LEGEND_LETTERS), zorder=3
            )
            violins(below, by_place(one, "value"), colour, label=drawn(group, LEGEND_LETTERS))
        for axes in (above, below):
            axes.set_ylabel("Relevance")
            axes.legend(loc="upper left")
            axes.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
            paper_ticks(axes)
        above.set_title("Mean relevance of each group")
        below.set_title("Relevance of each participant")
        below.set_xticks(range(len(areas)), areas, rotation=90)
        below.set_xlim(-0.8, len(areas) - 0.2)
        add_note(figure, note)
    return figure


@styled
def draw_regions(data: pd.DataFrame, groups: tuple[str, str], note: str) -> Figure:
    """Draw means with intervals on the left, subjects as violins on the right, areas from bottom to top."""
    first = data.drop_duplicates("place")
    names = [
        drawn(_starred(str(area), float(q)), AREA_LETTERS) for area, q in zip(first["area"], first["q"], strict=True)
    ]
    figure = Figure(figsize=(10.2, 1.3 + row_height(names, 0.3) * len(first)), layout="constrained")
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    scale = SignedLog(power_below(float(data["value"].abs().median())))
    colours = group_colours(list(groups), groups[0])
    for offset, group in zip((0.19, -0.19), groups, strict=True):
        one, colour = data[data["group"] == group], colours[group]
        means = one.drop_duplicates("place")
        y = means["place"] + offset
        left.hlines(y, scale(means["low"]), scale(means["high"]), color=colour, linewidth=1.5)
        label = f"{group}: mean of {one['participant_id'].nunique()}, 95 % interval over participants"
        left.scatter(scale(means["mean"]), y, color=colour, s=20, zorder=3, label=drawn(label, LEGEND_LETTERS))
        sizes = by_place(one.assign(size=scale(one["value"])), "size", offset)
        violins(right, sizes, colour, orientation="horizontal", width=0.36, means=False)
    left.set_title("Mean of each group")
    right.set_title("Each participant")
    unit = f"sum of relevance (logit units; logarithmic beyond ± {scale.linear:g})".replace("-", "−")
    ticks = scale.ticks(float(data["value"].min()), float(data["value"].max()))
    right.set_xticks(scale(ticks), [f"{tick:g}".replace("-", "−") for tick in ticks])
    for axes in (left, right):
        axes.set_xlabel(unit)
        axes.axvline(0.0, color=INK, linewidth=0.8)
        axes.set_ylim(-0.7, len(first) - 0.3)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
    left.set_yticks(first["place"], names)
    write_shares(right, first)
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    add_note(figure, note)
    return figure


def _starred(area: str, q: float) -> str:
    return f"{area} *" if q < FDR else area


def _paper_note(atlas: str, data: pd.DataFrame, shown: int | None) -> str:
    areas = data["place"].nunique()
    which = (
        f"all {areas} areas, ordered by the patients' mean"
        if shown is None
        else f"the {areas} areas with the largest sum of |value| over participants, ordered by the signed sum of "
        "both groups"
    )
    return (
        f"As in the paper, atlas {atlas}: {which}. Value: each label's relevance divided by the voxels of the whole "
        "volume, then the mean over the labels of an area, so an area of four labels shows a quarter of its sum. "
        "Correctly classified held-out scans only; no intervals, no tests; voxels that the network cannot see count "
        "as 0. Violins: kernel densities with mean and extremes. For research only."
    )


def _note(
    atlas: str,
    rows: pd.DataFrame,
    data: pd.DataFrame,
    groups: tuple[str, str],
    shown: int | None,
    correction: float,
    *,
    tested: bool,
) -> str:
    blind = int((rows.groupby("area")["seen_share"].first() == 0).sum())
    unseen = f" Not seen at all, and excluded: {blind}." if blind else ""
    areas = data["place"].nunique()
    which = f"All {areas} seen areas" if shown is None else f"The {areas} areas with the largest mean of |sum|"
    stars = (
        f"Stars: groups differ, q < {FDR} (false discovery rate over all areas). " if tested else "No table of tests. "
    )
    return (
        f"{which} of atlas {atlas}, ordered by the mean of {groups[0]}. Relevance is summed over an area's seen "
        "voxels, left and right together; all held-out participants, whether correctly classified or not. "
        f"{stars}Right: the seen share of areas that are not seen whole, whose sums are about the seen part "
        f"only.{unseen}{widened_words(correction)} Violins: kernel densities on the scale shown, with extremes. For "
        "research only."
    )
