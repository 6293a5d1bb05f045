"""Every measure over all visits: a strip of points each, with its bounds, and the outliers by name."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pellucid.preprocess.outliers import FAR
from pellucid.preprocess.quality import MEASURES, Measure
from pellucid.report.pictures.style import INK, MUTED, RULE, drawn, styled

COLOURS = {"pass": "#1b6a6f", "check": "#d9a514", "fail": "#c2502e"}
_COLUMNS = 2
_LABELLED = 6  # outliers a strip, the furthest: more would lie on each other
_ROOM = 0.6  # of the span of values and bounds, beyond which nothing is drawn
_GOLDEN = 0.618034  # spreads points over a strip without a pattern, and without chance


@styled
def strips(values: pd.DataFrame, deviations: pd.DataFrame, verdicts: Mapping[str, str]) -> Figure:
    """Draw a strip for each measure that was taken.

    Parameters
    ----------
    values
        One row a visit, by its name; one column a measure.
    deviations
        What `outliers` returns of it.
    verdicts
        pass, check or fail of each visit.
    """
    measured = [name for name in MEASURES if name in values and values[name].notna().any()]
    rows = max(1, math.ceil(len(measured) / _COLUMNS))
    figure = Figure(figsize=(13.0, 0.98 * rows + 0.2), layout="constrained")
    grid = figure.subplots(rows, _COLUMNS, squeeze=False)
    for axes in grid.flat[len(measured) :]:
        axes.set_axis_off()
    for axes, name in zip(grid.flat, measured, strict=False):
        _strip(axes, MEASURES[name], values[name].dropna(), deviations[name], verdicts)
    return figure


def shown_bounds(measure: Measure) -> list[tuple[str, float]]:
    """Return the bounds that a value can fall beyond for the worse, as (verdict, bound).

    >>> shown_bounds(MEASURES["brain_dice"])
    [('fail', 0.88), ('check', 0.93)]
    """
    sides = {"high": (0,), "low": (1,), None: (0, 1)}[measure.better]
    spans = (("fail", measure.fail), ("check", measure.check))
    return [(verdict, span[side]) for verdict, span in spans for side in sides if math.isfinite(span[side])]


def _strip(axes: Axes, measure: Measure, values: pd.Series, deviations: pd.Series, verdicts: Mapping[str, str]) -> None:
    heights = (np.arange(len(values)) * _GOLDEN) % 1.0
    colours = [COLOURS.get(verdicts.get(str(name), ""), MUTED) for name in values.index]
    axes.scatter(values, heights, s=16, c=colours, alpha=0.8, linewidths=0)
    axes.axvline(float(values.median()), color=RULE, linewidth=1.5, zorder=0)
    bounds = shown_bounds(measure)
    ends = [float(values.min()), float(values.max()), *(bound for verdict, bound in bounds if verdict == "check")]
    room = _ROOM * (max(ends) - min(ends))
    for verdict, bound in bounds:
        if not min(ends) - room <= bound <= max(ends) + room:
            continue  # so far off that the points would lie on each other
        axes.axvline(bound, color=COLOURS[verdict], linewidth=1.1, linestyle="--" if verdict == "check" else "-")
    far = deviations.reindex(values.index).abs()
    far = far[far > FAR].sort_values(ascending=False)
    order = list(values.index)
    middle = sum(axes.get_xlim()) / 2
    for name in far.index[:_LABELLED]:
        x, y = float(values[name]), float(heights[order.index(name)])
        right = x > middle
        axes.annotate(
            drawn(str(name)),
            (x, y),
            (-5 if right else 5, 0),
            textcoords="offset points",
            ha="right" if right else "left",
            va="center",
            fontsize=7.5,
            color=INK,
        )
    axes.set_ylim(-0.15, 1.15)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    unit = f" ({measure.unit})" if measure.unit else ""
    axes.set_title(f"{measure.title[0].upper()}{measure.title[1:]}{unit}", fontsize=8.5, fontweight="normal", pad=3)
