"""Charts that set scores beside each other: arms against an arm, probabilities against outcomes, groups of subjects."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from pellucid.ground.numbers import number
from pellucid.report.html.blocks import records
from pellucid.report.pictures.models import ACROSS, LABEL_LETTERS, TITLE_LETTERS, WIDTH
from pellucid.report.pictures.style import INK, MUTED, RULE, SERIES, drawn, row_height, styled

KINDS = {"sigmoid": ("as it is", SERIES[0], "o", "-"), "calibrated": ("calibrated", SERIES[1], "s", "--")}
"""Kind of probability: what it is called, its colour, marker and line."""
_DASHED = (0, (4, 3))


@styled
def forest_figure(pairs: pd.DataFrame, metrics: Mapping[str, str]) -> Figure:
    """Draw one panel a metric and one row an opponent: the difference with its interval, its p above it.

    A difference whose interval is not known is drawn hollow.

    Parameters
    ----------
    pairs
        Columns other, metric, difference, low, high, p; a difference above 0 speaks for the arm, below 0 for the other.
    metrics
        What is drawn: name in column metric, and title.
    """
    others = list(dict.fromkeys(pairs["other"]))
    names = [drawn(other, LABEL_LETTERS) for other in others]
    figure = Figure(figsize=(WIDTH, 0.95 + row_height(names, 0.42) * len(others)), layout="constrained")
    panels = figure.subplots(1, len(metrics), squeeze=False, sharey=True)[0]
    for axes, (metric, title) in zip(panels, metrics.items(), strict=True):
        axes.axvline(0, color=MUTED, linewidth=0.9, linestyle=_DASHED)
        for row in records(pairs[pairs["metric"] == metric]):
            _interval(axes, row, "difference", others.index(row["other"]))
            if not math.isnan(row["p"]):
                place = (row["difference"], others.index(row["other"]) - 0.2)
                axes.annotate(
                    p_value(row["p"]), place, ha="center", va="bottom", fontsize=7, color=MUTED, annotation_clip=False
                )
        axes.set_title(title)
        axes.xaxis.set_major_formatter(FuncFormatter(_difference if metric == "auc" else _percentage))
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axes.margins(x=0.12)
        _rows(axes, names)
    panels[len(panels) // 2].set_xlabel("difference, 95 % interval")
    return figure


@styled
def reliability_figure(table: pd.DataFrame) -> Figure:
    """Draw one panel an arm: the observed share of patients against the predicted one, and below it the counts.

    Parameters
    ----------
    table
        Columns arm, kind (of KINDS), low, high (edges of the bin), n, mean_probability, observed, observed_low,
        observed_high; empty bins are left out.
    """
    arms = list(dict.fromkeys(table["arm"]))
    across, down = min(len(arms), ACROSS), math.ceil(len(arms) / ACROSS)
    panel = min(WIDTH / across, 3.4)
    figure = Figure(figsize=(panel * across, (panel + 0.9) * down), layout="constrained")
    ratios = [3.4, 1.0] * down
    grid = figure.subplots(2 * down, across, squeeze=False, sharex=True, sharey="row", height_ratios=ratios)
    most = float(table["n"].max())
    for place in range(across * down):
        upper, lower = (grid[2 * (place // across) + row][place % across] for row in (0, 1))
        if place >= len(arms):
            upper.remove()
            lower.remove()
            continue
        upper.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=_DASHED, label="perfect")
        of_arm = table[(table["arm"] == arms[place]) & (table["n"] > 0)]
        for kind, (words, colour, marker, line) in KINDS.items():
            one = of_arm[of_arm["kind"] == kind]
            if len(one):
                x, y = one["mean_probability"], one["observed"]
                upper.vlines(x, one["observed_low"], one["observed_high"], color=colour, linewidth=1, alpha=0.6)
                upper.plot(x, y, color=colour, linestyle=line, linewidth=1.2, marker=marker, markersize=4, label=words)
                middle, width = (one["low"] + one["high"]) / 2, one["high"] - one["low"]
                lower.bar(middle, one["n"], width=0.9 * width, fill=False, edgecolor=colour, linestyle=line)
        upper.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        upper.set_title(drawn(arms[place], TITLE_LETTERS), fontsize=9)
        upper.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
        lower.set_ylim(0, 1.08 * most)
        lower.yaxis.set_major_locator(MaxNLocator(2, integer=True))
        lower.set_xlabel("predicted")
        lower.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
        lower.tick_params(labelbottom=True)
        if place % across == 0:
            upper.set_ylabel("share of patients")
            lower.set_ylabel("count")
    named = [axes.get_legend_handles_labels() for axes in figure.axes]
    found = {label: handle for handles, labels in named for handle, label in zip(handles, labels, strict=True)}
    figure.legend(list(found.values()), list(found), loc="outside upper left", ncols=3, handlelength=2.4)
    return figure


@styled
def subgroup_figure(groups: pd.DataFrame, metrics: Mapping[str, str], overall: Mapping[str, float]) -> Figure:
    """Draw one panel a metric and one row a group of subjects: the score with its interval, hollow for few subjects.

    Parameters
    ----------
    groups
        Columns factor, label, few, and for each metric its name and that with `_low` and `_high`; a row without a
        score keeps its place and says so.
    metrics
        What is drawn: column, and title.
    overall
        The score of all subjects, by metric: a dashed line.
    """
    labels = [drawn(str(label), LABEL_LETTERS) for label in groups["label"]]
    figure = Figure(figsize=(WIDTH, 0.95 + row_height(labels, 0.3) * len(labels)), layout="constrained")
    panels = figure.subplots(1, len(metrics), squeeze=False, sharey=True)[0]
    factor = groups["factor"].to_numpy()
    borders = [n - 0.5 for n in range(1, len(factor)) if factor[n] != factor[n - 1]]
    for axes, (metric, title) in zip(panels, metrics.items(), strict=True):
        if metric in overall:
            axes.axvline(overall[metric], color=SERIES[0], linewidth=0.9, linestyle=_DASHED)
        axes.axvline(0.5, color=MUTED, linewidth=0.8, linestyle=(0, (1, 2)))
        for border in borders:
            axes.axhline(border, color=RULE, linewidth=0.9)
        for place, row in enumerate(records(groups)):
            if math.isnan(row[metric]):
                axes.text(0.02, place, "no score", va="center", fontsize=7.5, color=MUTED)
                continue
            ends = {"low": row[f"{metric}_low"], "high": row[f"{metric}_high"]}
            _interval(axes, {metric: row[metric], **ends}, metric, place, hollow=bool(row["few"]))
        axes.set_title(title)
        axes.set_xlim(-0.03, 1.03)
        if metric != "auc":
            axes.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
        _rows(axes, labels)
    return figure


def _difference(value: float, _: int | None = None) -> str:
    return f"{round(value, 10):g}".replace("-", "−")


def _percentage(value: float, _: int | None = None) -> str:
    return f"{round(100 * value, 8):g} %".replace("-", "−")


def p_value(p: float) -> str:
    """Write a p: `p = 0.031`, `p < 0.001`."""
    return "p < 0.001" if p < 0.001 else f"p = {number(p, 2)}"


def _interval(axes: Axes, row: Mapping[str, Any], key: str, place: int, *, hollow: bool = False) -> None:
    """Draw a value and its interval in a row; hollow, too, if it has no interval."""
    known = not (math.isnan(row["low"]) or math.isnan(row["high"]))
    if known:
        axes.plot([row["low"], row["high"]], [place, place], color=INK, linewidth=1.4, solid_capstyle="butt")
    face = SERIES[0] if known and not hollow else "white"
    axes.scatter(row[key], place, s=34, color=face, edgecolor=SERIES[0], zorder=3)


def _rows(axes: Axes, labels: Sequence[str]) -> None:
    """Name the rows from top to bottom."""
    axes.set_yticks(range(len(labels)), labels, fontsize=8)
    axes.set_ylim(len(labels) - 0.4, -0.75)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
