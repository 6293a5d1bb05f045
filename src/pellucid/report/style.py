"""One look for every figure: palette, type, and how a figure is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
from matplotlib.figure import Figure

from pellucid.files import atomic_path

INK = "#1c2430"
MUTED = "#5b6675"
RULE = "#d5dae1"
PATIENT = "#c2502e"
CONTROL = "#2f6ea3"
ALARM = "#c00020"
SERIES = ("#1b6a6f", "#b4691f", "#6a4c93", "#7a8a1f", "#8c3a5b")
"""Colours of arms, in order: told apart in print and with any colour vision by line style as well."""
STYLES = ("-", "--", "-.", ":", (0, (1, 1)))

DPI = 180

_RC: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "text.parse_math": False,  # names of groups and files are no formulas
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9.0,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.6,
    "hatch.linewidth": 0.5,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.hashsalt": "pellucid",
}

P = ParamSpec("P")
T = TypeVar("T")


def styled(draw: Callable[P, T]) -> Callable[P, T]:
    """Draw with Pellucid's settings, leaving matplotlib's own as they were."""
    wrapped: Callable[P, T] = mpl.rc_context(_RC)(draw)
    return wrapped


def group_colours(groups: list[str], positive: str | None) -> dict[str, str]:
    """Give patients the warm colour (as relevance for them is drawn warm), others cool ones."""
    cool = iter((CONTROL, *SERIES[2:]))
    return {group: PATIENT if group == positive else next(cool, MUTED) for group in groups}


@styled
def save(figure: Figure, stem: Path) -> None:
    """Write `stem`.png and `stem`.svg, atomically and without a date, so that equal figures are equal files."""
    for suffix, metadata in ((".svg", {"Date": None}), (".png", {"Software": None})):
        with atomic_path(stem.with_name(stem.name + suffix)) as temporary:
            figure.savefig(temporary, dpi=DPI, metadata=metadata)
