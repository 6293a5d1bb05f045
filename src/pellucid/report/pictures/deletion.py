"""The chart of deletion: how far the logit falls as more voxels are filled."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from pellucid.report.pictures.models import LABEL_LETTERS, WIDTH
from pellucid.report.pictures.style import INK, MUTED, PATIENT, SERIES, STYLES, drawn, styled


@styled
def deletion_figure(table: pd.DataFrame, method: str) -> Figure:
    """Draw the mean fall of the logit over k with its interval, a panel a fill; the map's line is the heavy one.

    Parameters
    ----------
    table
        One arm's rows of tables/deletion_summary.tsv that have a fall and a k.
    method
        The name of the map.
    """
    fills, rankings = list(dict.fromkeys(table["fill"])), list(dict.fromkeys(table["ranking"]))
    others = [name for name in rankings if name != method]
    figure = Figure(figsize=(WIDTH, 3.9), layout="constrained")
    panels = figure.subplots(1, len(fills), sharey=True, squeeze=False)[0]
    for axes, fill in zip(panels, fills, strict=True):
        for name in rankings:
            one = table[(table["ranking"] == name) & (table["fill"] == fill)].sort_values("k")
            place = others.index(name) if name != method else 0
            look = {"color": PATIENT, "linewidth": 2.4, "zorder": 4} if name == method else _other(place)
            k, fall = one["k"].to_numpy(), one["fall"].to_numpy()
            words = drawn(f"{name} (map)" if name == method else name, LABEL_LETTERS)
            axes.plot(k, fall, marker="o", markersize=3, label=words, **look)
            low, high = one["low"].to_numpy(), one["high"].to_numpy()
            axes.fill_between(k, low, high, color=look["color"], alpha=0.18 if name == method else 0.06, linewidth=0)
        axes.axhline(0, color=INK, linewidth=0.8)
        axes.set_xscale("log")
        numbers = sorted(set(table["k"]))
        axes.set_xticks(numbers, [f"{number:g}" for number in numbers])
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}".replace("-", "−")))
        axes.set_xlabel("voxels filled (k)")
        axes.set_title(f"filled with {fill.replace('-', ' ')}")
    panels[0].set_ylabel("fall of the logit, mean over participants")
    panels[-1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=7.5)
    return figure


def _other(place: int) -> dict[str, object]:
    colours = (*SERIES, MUTED)
    return {"color": colours[place % len(colours)], "linestyle": STYLES[place % len(STYLES)], "linewidth": 1.2}
