"""What a page is made of: sections of text, notes, figures and tables, and how numbers are written in them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd
from markupsafe import Markup

DASH = "–"


@dataclass(frozen=True, kw_only=True)
class Text:
    """Paragraphs."""

    paragraphs: Sequence[str | Markup]
    kind: str = "text"


@dataclass(frozen=True, kw_only=True)
class Items:
    """A list."""

    items: Sequence[str | Markup]
    kind: str = "items"


@dataclass(frozen=True, kw_only=True)
class Note:
    """Something to be noticed: all is well (`pass`), a `remark`, what is `missing`, a `warning` or an `error`."""

    tone: Literal["pass", "remark", "missing", "warning", "error"]
    text: str | Markup
    kind: str = "note"


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure: `stem` in the folder figures, shown as `suffix`, with caption, alternative text and sources."""

    stem: str
    suffix: Literal[".png", ".svg"]
    alt: str
    caption: str | Markup
    sources: Sequence[str] = ()
    kind: str = "picture"


@dataclass(frozen=True, kw_only=True)
class Flicker:
    """Two pictures of one size, one upon the other, shown by turns until one of their `names` is chosen."""

    stems: tuple[str, str]
    suffix: Literal[".png"]
    names: tuple[str, str]
    alts: tuple[str, str]
    caption: str | Markup
    sources: Sequence[str] = ()
    kind: str = "flicker"


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of cells that are ready to print; `closed` folds it away under its caption."""

    header: Sequence[str]
    rows: Sequence[Sequence[str | Markup]]
    caption: str | Markup
    sources: Sequence[str] = ()
    closed: bool = False
    words: int = 1
    """How many columns, from the left, hold words; the others are numbers."""
    kind: str = "table"


@dataclass(frozen=True, kw_only=True)
class Card:
    """One headline number, with what it is and where it stands."""

    value: str
    label: str
    detail: str
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class Cards:
    """Headline numbers."""

    cards: Sequence[Card]
    kind: str = "cards"


@dataclass(frozen=True, kw_only=True)
class Code:
    """A file's text, folded away."""

    title: str
    text: str
    source: str
    kind: str = "code"


Block = Text | Items | Note | Picture | Flicker | Table | Cards | Code


@dataclass
class Section:
    """A numbered part of the page; `anchor` is what links point to."""

    anchor: str
    title: str
    blocks: list[Block] = field(default_factory=list)

    def add(self, *blocks: Block) -> None:
        """Append blocks."""
        self.blocks.extend(blocks)


def missing(what: str, path: str) -> Note:
    """Say that a file that would be shown here does not exist."""
    return Note(tone="missing", text=Markup("Missing: {}. The run has no file <code>{}</code>.").format(what, path))


def link(path: str, text: str | None = None) -> Markup:
    """Link to a file of the run directory, by its relative path."""
    return Markup('<a href="{}">{}</a>').format(path, text or path)


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as dictionaries by column name."""
    return [{str(column): value for column, value in row.items()} for row in table.to_dict("records")]


def number(value: float | None, digits: int = 3) -> str:
    """Write a number to some significant digits but no fewer than its whole ones; a dash for what is missing.

    >>> number(0.012345), number(-1234.5), number(float("nan")), number(0)
    ('0.0123', '−1234', '–', '0')
    """
    if value is None or math.isnan(value):
        return DASH
    if value == 0:
        return "0"
    if abs(value) < 1e-4:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return f"{mantissa}e{int(exponent)}".replace("-", "−")
    rounded = float(f"{value:.{digits}g}")
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(rounded))))
    return f"{value:.{decimals}f}".replace("-", "−")


def percent(value: float | None, decimals: int = 1) -> str:
    """Write a share as a percentage: 0.4701 becomes `47.0 %`."""
    return DASH if value is None or math.isnan(value) else f"{100 * value:.{decimals}f} %".replace("-", "−")


def whole(value: float | None) -> str:
    """Write a count, with thin spaces between thousands."""
    return DASH if value is None or math.isnan(value) else f"{int(value):,}".replace(",", "\u202f")


def seen_share(share: float) -> str:
    """Write how much of an area is seen; only the whole of it is 100 %."""
    if math.isnan(share):
        return DASH
    return "100 %" if share == 1 else f"{min(round(100 * share), 99)} %"


def twofold(above: str, below: str) -> Markup:
    """Put two lines into a cell: a number and its interval."""
    return Markup("{}<br>{}").format(above, below)


def seconds(value: float | None) -> str:
    """Write a duration: `48 s`, `3 min 20 s`, `2 h 05 min`."""
    if value is None or math.isnan(value):
        return DASH
    total = round(value)
    if total < 60:
        return f"{value:.1f} s" if value < 10 else f"{total} s"
    if total < 3600:
        return f"{total // 60} min {total % 60:02d} s"
    return f"{total // 3600} h {total % 3600 // 60:02d} min"


def plain(value: object) -> str:
    """Write any cell of a table that nothing is known about."""
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(value) if isinstance(value, float) else str(value)
