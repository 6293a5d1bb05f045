"""Figure S2: how many lesion voxels patients and controls have in each white-matter area."""

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
)
from pellucid.report.paper.material import WHITE, Drawing, Material, MissingError, Version, one_atlas
from pellucid.report.pictures.style import drawn, group_colours, row_height, styled

_FOOT = "For research only. Diamonds: means; violins: scans with a lesion mask."


def figure_s2(material: Material, version: Version) -> Drawing:
    """Draw violins of lesions by area, patients and controls (Eitel 2019, Figure S2)."""
    table, groups = material.table("lesion_regions"), material.groups
    rows = table[table["atlas"] == one_atlas(table, WHITE)]
    if rows.empty:
        raise MissingError(f"tables/lesion_regions.tsv has no row of a white-matter atlas ({WHITE})")
    atlas, sources = str(rows["atlas"].iloc[0]), ("tables/lesion_regions.tsv",)
    if version == "paper":
        data = paper_lesion_data(rows, groups)
        note = _paper_note(atlas, data)
        return Drawing(draw_paper_lesions(data, groups, note), data, note, sources)
    data = lesion_data(rows, groups)
    note = _note(atlas, data, groups)
    return Drawing(draw_lesions(data, groups, _FOOT), data, note, sources)


def paper_lesion_data(rows: pd.DataFrame, groups: tuple[str, str]) -> pd.DataFrame:
    """Return lesion voxels by area, areas in the first patient's own ranking, from most to none, as in the paper.

    Parameters
    ----------
    rows
        Columns participant_id, group, area, lesion_voxels, and session_id where there are sessions; no row where
        nobody drew a mask.
    groups
        Patients, controls.

    Returns
    -------
    One row a scan and area: place (from 0), area, group, participant_id, session_id, lesion_voxels.

    Raises
    ------
    MissingError
        If no patient has a lesion mask.
    """
    patients = _scans(rows, groups[0])
    first = patients[patients["scan"] == patients["scan"].iloc[0]]
    # Which end is the first the facts do not say; ties stay in the atlas's order.
    order = first.sort_values("lesion_voxels", ascending=False, kind="stable")["area"].tolist()
    return placed(rows, order, groups)[["place", "area", "group", "participant_id", "session_id", "lesion_voxels"]]


def lesion_data(rows: pd.DataFrame, groups: tuple[str, str]) -> pd.DataFrame:
    """Return the share of each area that is lesion, areas descending by the mean share of the patients.

    Parameters
    ----------
    rows, groups
        As for `paper_lesion_data`, with column voxels (of the area).

    Returns
    -------
    One row a scan and area: place (from 0), area, group, participant_id, session_id, lesion_voxels, voxels, share,
    mean (of the group's shares). Areas without a voxel on this grid are left out.

    Raises
    ------
    MissingError
        If no patient has a lesion mask.
    """
    kept = rows[rows["voxels"] > 0].assign(share=lambda table: table["lesion_voxels"] / table["voxels"])
    means = _scans(kept, groups[0]).groupby("area", sort=False)["share"].mean()
    order = means.sort_values(ascending=False, kind="stable").index.tolist()
    data = placed(kept, order, groups)
    data["mean"] = data.groupby(["area", "group"])["share"].transform("mean")
    columns = ["place", "area", "group", "participant_id", "session_id", "lesion_voxels", "voxels", "share", "mean"]
    return data[columns]


def _scans(rows: pd.DataFrame, group: str) -> pd.DataFrame:
    """Return a group's rows with the name of their scan."""
    some = rows[rows["group"] == group].copy()
    if some.empty:
        raise MissingError(f"no scan of group {group} has a lesion mask")
    session = some["session_id"].fillna("") if "session_id" in some else ""
    some["scan"] = some["participant_id"] + " " + session
    return some


@styled
def draw_paper_lesions(data: pd.DataFrame, groups: tuple[str, str], note: str) -> Figure:
    """Draw both groups' violins upon each other, areas from left to right."""
    areas = [drawn(area, AREA_LETTERS) for area in data.drop_duplicates("place")["area"]]
    with look("paper"):
        across = row_height(areas, 0.45) * len(areas)
        figure = Figure(figsize=(max(8.0, across + 1.6), 7.0), layout="constrained")
        axes = figure.subplots()
        for group, colour in zip(groups, PAPER_COLOURS, strict=True):
            one = data[data["group"] == group]
            violins(axes, by_place(one, "lesion_voxels"), colour, label=drawn(group, LEGEND_LETTERS))
        axes.set_xticks(range(len(areas)), areas, rotation=90)
        axes.set_xlim(-0.8, len(areas) - 0.2)
        axes.set_ylabel("Lesion voxels")
        axes.legend(loc="upper right")
        paper_ticks(axes)
        add_note(figure, note)
    return figure


@styled
def draw_lesions(data: pd.DataFrame, groups: tuple[str, str], note: str) -> Figure:
    """Draw the groups' violins side by side on a scale that is logarithmic beyond the smallest shares."""
    areas = [drawn(area, AREA_LETTERS) for area in data.drop_duplicates("place")["area"]]
    figure = Figure(figsize=(8.6, 1.3 + row_height(areas, 0.32) * len(areas)), layout="constrained")
    axes = figure.subplots()
    some = data.loc[data["share"] > 0, "share"]
    scale = SignedLog(power_below(float(some.min()) if some.size else 0.01))
    colours = group_colours(list(groups), groups[0])
    for offset, group in zip((-0.19, 0.19), groups, strict=True):
        one, colour = data[data["group"] == group], colours[group]
        shares = by_place(one.assign(scaled=scale(one["share"])), "scaled", offset)
        scans = one[["participant_id", "session_id"]].drop_duplicates().shape[0]
        label = drawn(f"{group}: {scans} scans", LEGEND_LETTERS)
        violins(axes, shares, colour, orientation="horizontal", width=0.36, means=False, label=label)
        means = one.drop_duplicates("place")
        axes.scatter(
            scale(means["mean"]), means["place"] + offset, s=22, marker="D", color=colour, edgecolor="white", zorder=3
        )
    ticks = [tick for tick in scale.ticks(0.0, 1.0) if tick <= 1]
    axes.set_xticks(scale(ticks), [f"{100 * tick:g} %" for tick in ticks])
    axes.set_xlim(float(scale(0.0)) - 0.05, float(scale(max(float(data["share"].max()), scale.linear))) + 0.1)
    axes.set_yticks(range(len(areas)), areas)
    axes.set_ylim(len(areas) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(f"share of the area that is lesion (logarithmic beyond {100 * scale.linear:g} %)")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    add_note(figure, note)
    return figure


def _paper_note(atlas: str, data: pd.DataFrame) -> str:
    return (
        f"As in the paper, atlas {atlas}: lesion voxels of every scan with a mask, held out or not. Areas are "
        "ordered by the first patient in the table, not by the group; a large area can contain more lesions than a "
        "small one. Scans without a mask are excluded (the paper's code filled them with noise). Violins: kernel "
        "densities with mean and extremes. For research only."
    )


def _note(atlas: str, data: pd.DataFrame, groups: tuple[str, str]) -> str:
    return (
        f"Atlas {atlas}: the share of each area that is lesion, of every scan with a mask; scans without one are "
        f"excluded. Areas are in descending order of the mean share in {groups[0]}. Diamonds: means of shares; "
        "violins: kernel densities on the scale shown, with extremes. For research only."
    )
