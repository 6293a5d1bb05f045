"""What the paper's charts share: their look, places and violins of areas, a scale for all sizes, notes below."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pellucid.ground.arrays import Float64Array
from pellucid.ground.numbers import seen_share
from pellucid.report.paper.material import Version
from pellucid.report.pictures.style import MUTED, SANS, SERIF, drawn

AREA_LETTERS, LEGEND_LETTERS = 44, 60
"""Of a line of the label of an area, and of a legend."""
PAPER_COLOURS = ((0.12, 0.47, 0.71), (1.00, 0.50, 0.05))
"""Patients and controls in Figure 4."""


# The paper's sizes: 12 for ticks and legends, 14 for axes, 16 for titles.
_PAPER: Any = {
    "font.family": SERIF,
    "font.size": 12.0,
    "axes.titlesize": 16.0,
    "axes.titleweight": "normal",
    "axes.titlelocation": "center",
    "axes.labelsize": 14.0,
    "axes.spines.top": True,
    "axes.spines.right": True,
    "axes.grid": False,
    "axes.edgecolor": "black",
    "xtick.labelsize": 12.0,
    "ytick.labelsize": 12.0,
    "legend.fontsize": 12.0,
    "legend.frameon": True,
}
_NOTE_SIZE = 7.5
_LINE, _EDGE = 0.145, 0.12  # inches: a line of the note, and the margin around it
_LONG = 3.5  # of a signed logarithmic scale, in decades, from end to end
_CHARACTER = 0.0575  # inches: what a character of the note takes on average


@contextmanager
def look(version: Version) -> Iterator[None]:
    """Draw in the paper's type and frames, or leave the settings as they are."""
    with mpl.rc_context(_PAPER if version == "paper" else {}):
        yield


def paper_ticks(axes: Axes) -> None:
    """Keep tick labels in the paper's type also where matplotlib makes them later, when the figure is written."""
    axes.tick_params(labelfontfamily=SERIF)
    for axis in (axes.xaxis, axes.yaxis):
        axis.get_offset_text().set_fontfamily(SERIF)


def violins(
    axes: Axes,
    values: Mapping[float, Float64Array],
    colour: Any,
    *,
    orientation: Literal["vertical", "horizontal"] = "vertical",
    width: float = 0.8,
    alpha: float = 0.5,
    means: bool = True,
    label: str | None = None,
) -> None:
    """Draw a violin with extremes, and its mean if asked, at each place; what is missing or empty is left out."""
    kept = {place: some[~np.isnan(some)] for place, some in values.items()}
    kept = {place: some for place, some in kept.items() if some.size}
    if not kept:
        return
    drawn = axes.violinplot(
        list(kept.values()),
        positions=list(kept),
        orientation=orientation,
        widths=width,
        showmeans=means,
        showextrema=True,
    )
    bodies: Any = drawn["bodies"]
    for body in bodies:
        body.set(facecolor=colour, edgecolor="none", alpha=alpha)
    for part in ("cmins", "cmaxes", "cbars", *(["cmeans"] if means else [])):
        drawn[part].set(color=colour, linewidth=0.9)
    if label is not None:
        axes.fill_between([], [], color=colour, alpha=alpha, linewidth=0, label=label)


@dataclass(frozen=True, slots=True)
class SignedLog:
    """A scale that shows large and small values of both signs: f(x) = sign(x) log10(1 + |x| / linear).

    Violins are drawn of f(x), not of x on a bent axis: else their widths would mean nothing.

    Parameters
    ----------
    linear
        The size up to which the scale is about linear.
    """

    linear: float

    def __call__(self, values: npt.ArrayLike) -> Float64Array:
        """Return f of the values."""
        x = np.asarray(values, dtype=np.float64)
        return np.asarray(np.sign(x) * np.log10(1.0 + np.abs(x) / self.linear), dtype=np.float64)

    def ticks(self, low: float, high: float) -> list[float]:
        """Return values to be labelled between two others: 0 and, outward, powers of ten from `linear` on.

        On a long scale they begin at ten times `linear`, for the first would run into 0.
        """
        ends = self([min(low, 0.0), max(high, 0.0)])
        first = round(np.log10(self.linear)) + (1 if float(np.ptp(ends)) > _LONG else 0)
        decades = 10.0 ** np.arange(first, 13)
        signed = np.concatenate([-decades[::-1], [0.0], decades])
        return [float(x) for x in signed if 1.02 * min(low, 0.0) <= x <= 1.02 * max(high, 0.0)]


def placed(table: pd.DataFrame, order: Sequence[str], groups: Sequence[str]) -> pd.DataFrame:
    """Keep the rows of the areas in `order` and of `groups`, sorted by both, with the area's place (from 0)."""
    kept = table[table["area"].isin(order) & table["group"].isin(groups)].copy()
    if "session_id" not in kept:
        kept["session_id"] = pd.NA
    kept["place"] = kept["area"].map({area: n for n, area in enumerate(order)})
    rank = kept["group"].map({group: n for n, group in enumerate(groups)})
    return kept.assign(rank=rank).sort_values(["place", "rank"], kind="stable").reset_index(drop=True)


def by_place(table: pd.DataFrame, column: str, offset: float = 0.0) -> dict[float, Float64Array]:
    """Return a column's values at each place, moved by `offset`."""
    values = table[column].to_numpy(dtype=np.float64)
    place = table["place"].to_numpy(dtype=np.float64)
    return {float(n) + offset: values[place == n] for n in np.unique(place)}


def write_shares(axes: Axes, first: pd.DataFrame) -> None:
    """Write at the right of each area that is not seen whole how much of it is seen: columns place, seen_share."""
    partly = first[first["seen_share"] < 1]
    side = axes.secondary_yaxis("right")
    side.set_yticks(partly["place"], [f"{seen_share(float(share))} seen" for share in partly["seen_share"]])
    side.tick_params(length=0, labelcolor=MUTED, labelsize=7.5)
    side.spines[:].set_visible(False)


def power_below(value: float) -> float:
    """Return the power of ten at or below a positive number; 1 for 0 or what is missing.

    >>> power_below(0.034), power_below(0.0)
    (0.01, 1.0)
    """
    return float(10.0 ** np.floor(np.log10(value))) if value > 0 else 1.0


def note_lines(text: str, width: float) -> list[str]:
    """Break a note into lines for a figure `width` inches wide."""
    return textwrap.wrap(drawn(text), int((width - 2 * _EDGE) / _CHARACTER))


def note_height(text: str, width: float) -> float:
    """Return the height in inches that a note takes below a figure."""
    return _LINE * len(note_lines(text, width)) + 2 * _EDGE


def write_note(figure: Figure, text: str) -> None:
    """Write a note at the foot of a figure, where `note_height` inches are free."""
    width, height = figure.get_size_inches()
    figure.text(
        _EDGE / width,
        _EDGE / height,
        "\n".join(note_lines(text, width)),
        fontsize=_NOTE_SIZE,
        family=SANS,
        color=MUTED,
        va="bottom",
        linespacing=1.25,
    )


def add_note(figure: Figure, text: str) -> None:
    """Make a figure of constrained layout taller, and write a note below it."""
    width, height = figure.get_size_inches()
    extra = note_height(text, width)
    total = height + extra
    figure.set_size_inches(width, total)
    engine: Any = figure.get_layout_engine()
    engine.set(rect=(0.0, extra / total, 1.0, height / total))
    write_note(figure, text)
