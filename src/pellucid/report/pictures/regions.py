"""Charts of quantities by area of an atlas: relevance of groups, of two models, and lesions."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pellucid.report.pictures.areas import (
    AREA_LETTERS,
    LEGEND_LETTERS,
    SignedLog,
    by_place,
    power_below,
    violins,
    write_shares,
)
from pellucid.report.pictures.style import INK, SERIES, drawn, row_height, styled

FDR = 0.05
_WIDTH = 10.2


@styled
def region_figure(people: pd.DataFrame, means: pd.DataFrame, colours: Mapping[str, str]) -> Figure:
    """Draw means of groups with intervals at the left, participants as violins at the right, areas from the top down.

    Parameters
    ----------
    people
        One row a participant and area: place (of the area, from 0), group, participant_id, value (the sum of relevance
        over the area, logit units).
    means
        One row an area and group: place, area, group, mean, low, high (its 95 % interval), seen_share, q (of a test
        whether the groups differ; missing where nobody tested).
    colours
        A colour for each group.
    """
    first = means.drop_duplicates("place")
    names = [
        drawn(f"{area} *" if q < FDR else str(area), AREA_LETTERS)
        for area, q in zip(first["area"], first["q"], strict=True)
    ]
    figure = Figure(figsize=(_WIDTH, 1.0 + row_height(names, 0.3) * len(first)), layout="constrained")
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    scale = SignedLog(power_below(float(people["value"].abs().median())))
    for offset, (group, colour) in zip((-0.19, 0.19), colours.items(), strict=True):
        own, each = means[means["group"] == group], people[people["group"] == group]
        y = own["place"] + offset
        left.hlines(y, scale(own["low"]), scale(own["high"]), color=colour, linewidth=1.5)
        label = f"{group}: mean of {each['participant_id'].nunique()}, 95 % interval over participants"
        left.scatter(scale(own["mean"]), y, color=colour, s=20, zorder=3, label=drawn(label, LEGEND_LETTERS))
        sizes = by_place(each.assign(size=scale(each["value"])), "size", offset)
        violins(right, sizes, colour, orientation="horizontal", width=0.36, means=False)
    left.set_title("Mean of each group")
    right.set_title("Each participant")
    ticks = scale.ticks(float(people["value"].min()), float(people["value"].max()))
    right.set_xticks(scale(ticks), [f"{tick:g}".replace("-", "−") for tick in ticks])
    for axes in (left, right):
        axes.set_xlabel(f"sum of relevance (logit units; logarithmic beyond ± {scale.linear:g})".replace("-", "−"))
        axes.axvline(0.0, color=INK, linewidth=0.8)
    _areas(left, right, first, names)
    write_shares(right, first)
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


@styled
def filled_figure(means: pd.DataFrame) -> Figure:
    """Draw signed bars with intervals, one panel a model, on one scale.

    Parameters
    ----------
    means
        One row an area and model: place (from 0, the top), area, images (the panel's title), mean, low, high,
        seen_share.
    """
    first = means.drop_duplicates("place")
    names = [drawn(str(area), AREA_LETTERS) for area in first["area"]]
    figure = Figure(figsize=(_WIDTH, 0.9 + row_height(names, 0.27) * len(first)), layout="constrained")
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    for axes, (title, one), colour in zip(panels, means.groupby("images", sort=False), SERIES, strict=False):
        axes.barh(one["place"], one["mean"], color=colour, alpha=0.75, height=0.7)
        axes.hlines(one["place"], one["low"], one["high"], color=INK, linewidth=1.2)
        axes.axvline(0.0, color=INK, linewidth=0.8)
        axes.set_title(drawn(str(title), AREA_LETTERS))
        axes.set_xlabel("mean sum of relevance (logit units)")
    _areas(panels[0], panels[1], first, names)
    write_shares(panels[1], first)
    return figure


@styled
def lesion_share_figure(scans: pd.DataFrame, colours: Mapping[str, str]) -> Figure:
    """Draw the groups' violins side by side on a scale that is logarithmic beyond the smallest shares.

    Parameters
    ----------
    scans
        One row a scan and area: place (from 0, the top), area, group, participant_id, session_id, share (of the area
        that is lesion), mean (of the group's shares).
    colours
        A colour for each group.
    """
    first = scans.drop_duplicates("place")
    names = [drawn(str(area), AREA_LETTERS) for area in first["area"]]
    figure = Figure(figsize=(8.6, 1.0 + row_height(names, 0.32) * len(names)), layout="constrained")
    axes = figure.subplots()
    some = scans.loc[scans["share"] > 0, "share"]
    scale = SignedLog(power_below(float(some.min()) if some.size else 0.01))
    for offset, (group, colour) in zip((-0.19, 0.19), colours.items(), strict=True):
        one = scans[scans["group"] == group]
        label = f"{group}: {one[['participant_id', 'session_id']].drop_duplicates().shape[0]} scans"
        shares = by_place(one.assign(scaled=scale(one["share"])), "scaled", offset)
        violins(
            axes,
            shares,
            colour,
            orientation="horizontal",
            width=0.36,
            means=False,
            label=drawn(label, LEGEND_LETTERS),
        )
        mean = one.drop_duplicates("place")
        y = mean["place"] + offset
        axes.scatter(scale(mean["mean"]), y, s=22, marker="D", color=colour, edgecolor="white", zorder=3)
    ticks = [tick for tick in scale.ticks(0.0, 1.0) if tick <= 1]
    axes.set_xticks(scale(ticks), [f"{100 * tick:g} %" for tick in ticks])
    axes.set_xlim(float(scale(0.0)) - 0.05, float(scale(max(float(scans["share"].max()), scale.linear))) + 0.1)
    axes.set_xlabel(f"share of the area that is lesion (logarithmic beyond {100 * scale.linear:g} %)")
    _areas(axes, axes, first, names)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def _areas(named: Axes, other: Axes, first: pd.DataFrame, names: list[str]) -> None:
    """Name the areas at the left, from the top down."""
    for axes in (named, other):
        axes.set_ylim(len(first) - 0.4, -0.6)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
    named.set_yticks(first["place"], names)
