"""One look for every figure: palette, type, and how a figure is written."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font

from pellucid.ground.files import atomic_path

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

SANS, SERIF = "DejaVu Sans", "DejaVu Serif"  # what matplotlib brings, so that figures are the same everywhere
_LINE = 0.155  # inches: a line of a label
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # controls, marks that turn a line around, and line ends
_UNDERSCORE = "\u200b_"  # matplotlib leaves what begins with a bare underscore out of legends

_RC: Any = {
    "font.family": SANS,
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


def drawn(name: str, letters: int | None = None) -> str:
    r"""Return a name from a table or file as charts show it: all of it, in lines of at most `letters`.

    What cannot be seen, and what the charts' type has no letter for, is written as Python escapes it, for an empty box
    would make all such names one.

    >>> drawn("a\nb 中"), drawn("posterior cingulate", 12)
    ('a\\nb \\u4e2d', 'posterior\ncingulate')
    """
    composed = unicodedata.normalize("NFC", name)
    text = "".join(c if _is_drawn(c) else c.encode("unicode_escape").decode("ascii") for c in composed)
    lines = textwrap.wrap(text, letters, break_on_hyphens=False) if letters else [text]
    shown = "\n".join(lines)
    return shown.replace("_", _UNDERSCORE, 1) if shown.startswith("_") else shown


def _is_drawn(letter: str) -> bool:
    return ord(letter) in _letters() and unicodedata.category(letter) not in _UNSEEN


@cache
def _letters() -> frozenset[int]:
    """Return what each of the charts' types can draw."""
    types = [FontProperties(family=SANS), FontProperties(family=SANS, weight="bold"), FontProperties(family=SERIF)]
    return frozenset.intersection(*(frozenset(get_font(findfont(one)).get_charmap()) for one in types))


def row_height(labels: Iterable[str], least: float) -> float:
    """Return the height of a row in inches, at least `least`, in which the label of the most lines has room."""
    return max([least, *(_LINE * (label.count("\n") + 1) for label in labels)])


def group_colours(groups: list[str], positive: str | None) -> dict[str, str]:
    """Give patients the warm colour (as relevance for them is drawn warm), others cool ones."""
    cool = iter((CONTROL, *SERIES[2:]))
    return {group: PATIENT if group == positive else next(cool, MUTED) for group in groups}


def save(figure: Figure, stem: Path) -> None:
    """Write `stem`.png and `stem`.svg."""
    for suffix in (".svg", ".png"):
        write(figure, stem.with_name(stem.name + suffix))


@styled
def write(figure: Figure, path: Path) -> None:
    """Write a figure as PNG or SVG, atomically and without a date, so that equal figures are equal files."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=DPI, metadata={"Date" if path.suffix == ".svg" else "Software": None})
