"""What charts over the areas of an atlas share: places, violins, a scale for all sizes, and which share is seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes

from pellucid.ground.arrays import Float64Array
from pellucid.ground.numbers import seen_share
from pellucid.report.pictures.style import MUTED

AREA_LETTERS, LEGEND_LETTERS = 44, 60
"""Of a line of the label of an area, and of a legend."""

_LONG = 3.5  # of a signed logarithmic scale, in decades, from end to end


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
