"""What a page is made of: sections of text, notes, figures and tables."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd
from markupsafe import Markup

from pellucid.ground.numbers import DASH, number


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
    called: str = ""
    """Its name, in place of its number on the page."""
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
        return f"over participants, clustered by their {number_of} networks"
    return (
        "over participants, for the maps of this one network; other networks are not covered"
        if number_of
        else "over participants"
    )


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as dictionaries by column name."""
    return [{str(column): value for column, value in row.items()} for row in table.to_dict("records")]


def twofold(above: str, below: str) -> Markup:
    """Put two lines into a cell: a number and its interval."""
    return Markup("{}<br>{}").format(above, below)


def plain(value: object) -> str:
    """Write any cell of a table that nothing is known about."""
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(value) if isinstance(value, float) else str(value)
