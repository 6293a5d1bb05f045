"""What a page is made of: sections of text, notes, figures and tables, and how numbers are written in them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
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
    key: str = ""
    """What `reference` calls it by; its number is the page's to give."""
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


def reference(key: str, otherwise: str) -> str:
    """Point to the table of this key, wherever the page has it; `otherwise` stands there if the page has none."""
    return f"\ue000{key}\ue001{otherwise}\ue002"


def resolved(text: str, tables: Sequence[str]) -> str:
    """Put `Table 3`, as a link, where a finished page has references; `tables` are the keys of its tables in order.

    >>> resolved("as in " + reference("scores", "table2.tsv"), ["people", "scores"])
    'as in <a href="#table-scores">Table 2</a>'
    >>> resolved("as in " + reference("scores", "table2.tsv"), ["people"])
    'as in table2.tsv'
    """

    def point(found: re.Match[str]) -> str:
        key, otherwise = found.groups()
        return f'<a href="#table-{key}">Table {tables.index(key) + 1}</a>' if key in tables else otherwise

    return re.sub("\ue000(.*?)\ue001(.*?)\ue002", point, text)


def over_networks(networks: Iterable[int]) -> str:
    """Say in a caption what intervals over people speak of, by how many networks their maps come from."""
    number_of = max(networks, default=0)
    if number_of > 1:
        return f"over people and the {number_of} networks that they share"
    return "over people, for the maps of this one network; others are not covered" if number_of else "over people"


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as dictionaries by column name."""
    return [{str(column): value for column, value in row.items()} for row in table.to_dict("records")]


def number(value: float | None, digits: int = 3) -> str:
    """Write a number to some significant digits but no fewer than its whole ones; a dash for what is missing.

    >>> number(0.012345), number(-1234.5), number(float("nan")), number(0)
    ('0.0123', '−1234', '–', '0')
    """
    if value is None or not math.isfinite(value):
        return _not_finite(value)
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
    if value is None or not math.isfinite(value):
        return _not_finite(value)
    return f"{100 * value:.{decimals}f} %".replace("-", "−")


def score(value: float | None, metric: str) -> str:
    """Write a score: an AUC as 0.925, which is no share of people, any other as 92.5 %.

    >>> score(0.925, "auc"), score(0.925, "sensitivity"), score(float("nan"), "auc")
    ('0.925', '92.5 %', '–')
    """
    if metric != "auc" or value is None or math.isnan(value):
        return percent(value)
    return f"{value:.3f}"


def score_interval(low: float, high: float, metric: str) -> str:
    """Write an interval of a score: `[0.846, 0.981]`, `[84.6, 98.1]`; `no interval` for one that is missing.

    >>> score_interval(0.8463, 1.0, "auc"), score_interval(0.8463, 1.0, "specificity")
    ('[0.846, 1.000]', '[84.6, 100.0]')
    """
    if math.isnan(low) or math.isnan(high):
        return "no interval"
    return f"[{low:.3f}, {high:.3f}]" if metric == "auc" else f"[{100 * low:.1f}, {100 * high:.1f}]"


def whole(value: float | None) -> str:
    """Write a count, with thin spaces between thousands."""
    if value is None or not math.isfinite(value):
        return _not_finite(value)
    return f"{int(value):,}".replace(",", "\u202f")


def seen_share(share: float) -> str:
    """Write how much of an area is seen; only the whole of it is 100 %."""
    if not math.isfinite(share):
        return _not_finite(share)
    return "100 %" if share == 1 else f"{min(round(100 * share), 99)} %"


def twofold(above: str, below: str) -> Markup:
    """Put two lines into a cell: a number and its interval."""
    return Markup("{}<br>{}").format(above, below)


def seconds(value: float | None) -> str:
    """Write a duration: `48 s`, `3 min 20 s`, `2 h 05 min`."""
    if value is None or not math.isfinite(value):
        return _not_finite(value)
    total = round(value)
    if total < 60:
        return f"{value:.1f} s" if value < 10 else f"{total} s"
    if total < 3600:
        return f"{total // 60} min {total % 60:02d} s"
    return f"{total // 3600} h {total % 3600 // 60:02d} min"


def _not_finite(value: float | None) -> str:
    return DASH if value is None or math.isnan(value) else "∞" if value > 0 else "−∞"


def plain(value: object) -> str:
    """Write any cell of a table that nothing is known about."""
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(value) if isinstance(value, float) else str(value)
