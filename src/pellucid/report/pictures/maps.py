"""Charts of relevance maps: inside lesions, and layer by layer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from pellucid.report.pictures.models import LABEL_LETTERS, WIDTH
from pellucid.report.pictures.style import INK, MUTED, PATIENT, drawn, row_height, styled
from pellucid.trust.alarms import ABSORBED, BIAS, EPSILON
from pellucid.trust.nulls import NULLS
from pellucid.trust.sums_summary import absorbers

MEASURE_AXES = {
    "average_precision": "average precision of lesion voxels (no preference: their share of the seen brain)",
    "lift": "lift: share of positive relevance inside lesions / share of volume (1 = no preference)",
}
"""What `lesion_figure` can draw, and what its axis says."""

_NULL = "#6f7c8c"
_TOTAL, _OTHER = "#1b6a6f", "#6a4c93"
_ABSORBED = {BIAS: "#b4691f", EPSILON: "#8a93a0"}


@styled
def lesion_figure(table: pd.DataFrame, method: str, measure: str = "lift") -> Figure:
    """Draw a measure of every subject for the map, its nulls and other networks' maps, with boxes of the quartiles.

    Lift stands on a logarithmic axis, on which 0 has no place: such subjects stand as triangles at its left end.

    Parameters
    ----------
    table
        Columns map and `measure`; subjects without it are left out.
    method
        The map's name in column `map`; `|method|` is its absolute value.
    measure
        A key of `MEASURE_AXES`.
    """
    rows = [(str(name), one[measure].dropna().to_numpy()) for name, one in table.groupby("map", sort=False)]
    every = np.concatenate([values for _, values in rows] or [np.ones(1)])
    names = [drawn(f"{name}{_kind(name, method)}", LABEL_LETTERS) for name, _ in rows]
    figure = Figure(figsize=(WIDTH, 0.7 + row_height(names, 0.42) * len(rows)), layout="constrained")
    axes = figure.subplots()
    low, high = 0.0, max(float(every.max(initial=0.0)) * 1.04, 0.1)
    if measure == "lift":
        axes.set_xscale("log")
        axes.axvline(1.0, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)))
        low = min(float(every[every > 0].min(initial=1.0)) / 1.6, 0.5)
        high = max(float(every.max(initial=1.0)) * 1.6, 2.0)
    jitter = np.random.default_rng(0)
    for place, (name, values) in enumerate(rows):
        colour = PATIENT if name in (method, f"|{method}|") else _NULL
        shown = values[values > 0] if measure == "lift" else values
        if shown.size:
            axes.boxplot(
                [values.clip(min=low)],
                positions=[place],
                orientation="horizontal",
                widths=0.52,
                showfliers=False,
                patch_artist=True,
                manage_ticks=False,
                boxprops={"facecolor": colour, "alpha": 0.18, "edgecolor": colour},
                medianprops={"color": INK, "linewidth": 1.8},
                whiskerprops={"color": colour},
                capprops={"color": colour},
            )
        spread = place + jitter.uniform(-0.19, 0.19, shown.size)
        axes.scatter(shown, spread, s=13, color=colour, alpha=0.75, linewidth=0, zorder=3)
        zero = values.size - shown.size
        axes.scatter([low] * zero, place + jitter.uniform(-0.19, 0.19, zero), s=16, color=colour, marker="<", zorder=3)
    axes.set_yticks(range(len(rows)), names)
    axes.set(xlim=(low, high), ylim=(len(rows) - 0.5, -0.5))
    axes.set_xlabel(MEASURE_AXES[measure])
    if measure == "lift":
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    _bare(axes)
    return figure


def _kind(name: str, method: str) -> str:
    """Say of a row of `lesion_figure` what it is: the map, a null, or, by its name alone, another network's map."""
    return " (map)" if name == method else " (null)" if name in NULLS else ""


@styled
def ledger_figure(ledger: Mapping[str, pd.DataFrame], colours: Mapping[str, str]) -> Figure:
    """Draw for each group how the logit shrinks on its way to the image: what each layer absorbs.

    Parameters
    ----------
    ledger
        For each group the mean ledger from the output to the input: layer, relevance_out, relevance_in, and a column
        absorbed_NAME for each that took relevance.
    colours
        A colour for each group.
    """
    figure = Figure(figsize=(WIDTH, 3.7), layout="constrained")
    panels = figure.subplots(1, len(ledger), squeeze=False)[0]
    for axes, (group, rows) in zip(panels, ledger.items(), strict=True):
        names, level = ["logit"], float(rows["relevance_out"].iloc[0])
        axes.bar(0, level, color=colours.get(group, _TOTAL), width=0.68)
        for row in rows.to_dict("records"):
            for name in absorbers(rows):
                place, taken = len(names), float(row[f"{ABSORBED}{name}"])
                axes.bar(place, -taken, bottom=level, color=_ABSORBED.get(name, _OTHER), width=0.68)
                axes.plot([place - 1.34, place + 0.34], [level, level], color=INK, linewidth=0.6)
                level -= taken
                names.append(f"{row['layer']} {'ε' if name == EPSILON else name}")
        axes.plot([len(names) - 1.34, len(names) + 0.34], [level, level], color=INK, linewidth=0.6)
        axes.bar(len(names), float(rows["relevance_in"].iloc[-1]), color=colours.get(group, _TOTAL), width=0.68)
        names.append("map")
        axes.axhline(0, color=INK, linewidth=0.8)
        axes.set_xticks(range(len(names)), names, rotation=90, fontsize=7.5)
        axes.grid(visible=False, axis="x")
        axes.set_title(drawn(group, 2 * LABEL_LETTERS // len(ledger)))
        axes.use_sticky_edges = False
        axes.margins(x=0.02, y=0.06)
    panels[0].set_ylabel("relevance, mean over participants (logit units)")
    return figure


def _bare(axes: Axes) -> None:
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
