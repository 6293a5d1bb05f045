"""Tab-separated tables that people type: every cell as it stands, every line a row, and what is odd about them."""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from pellucid.ground.errors import InputError
from pellucid.ground.opening import MOST_TYPED, read_bytes
from pellucid.ground.words import guess, printable, trim

_BREAK = re.compile(r"\r\n|\n|\r")
_MOST_LINES = 200_000
_SAVE = "Save it as a table separated by tabs, in UTF-8"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: its number in the file, its cells as they stand by column, and why it cannot be used."""

    line: int
    cells: dict[str, str]
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class TypedTable:
    """A table that somebody typed; `remarks` say what was mended in it."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    remarks: tuple[str, ...] = field(default=())

    def require(self, column: str) -> None:
        """Raise InputError unless the table has the column, with the name that may have been meant."""
        if column not in self.columns:
            raise InputError(
                self.path,
                f"has no column {column!r}.{guess(column, self.columns)}".rstrip("."),
                f"Its columns are {', '.join(map(printable, self.columns))}; add or rename one",
            )


def read_typed(path: Path) -> TypedTable:
    """Read a table line by line; no cell is taken for a number, and none reaches over a line's end.

    A line with a quotation mark that is not closed is read with the mark as a letter, so that it swallows no other
    line. A line with more or fewer cells than the header has a problem, for nobody knows which of its cells moved;
    empty cells at its end do not count. Lines without anything are left out.

    Raises
    ------
    InputError
        The file is missing or no text; it has no header; two columns have one name; its cells are separated otherwise.
    """
    text = _text(path)
    if (number := max(map(text.count, "\n\r"))) > _MOST_LINES:
        raise InputError(path, f"it has {number} lines, and a typed table at most {_MOST_LINES}", "Check the file")
    lines = _BREAK.split(text)
    filled = [(number, line) for number, line in enumerate(lines, start=1) if trim(line)]
    if not filled:
        raise InputError(path, "the file is not a tab-separated table (it is empty)", _SAVE)
    raw, _ = _cells(filled[0][1])
    columns = tuple(trim(cell) for cell in raw)
    remarks = [
        f"blanks around the column's name {a!r} were trimmed" for a, b in zip(raw, columns, strict=True) if a != b
    ]
    while len(columns) > 1 and not columns[-1]:
        columns = columns[:-1]
    if len(columns) == 1 and (mark := next((mark for mark in ",;" if mark in columns[0]), None)):
        name = {",": "commas", ";": "semicolons"}[mark]
        raise InputError(path, f"its cells are separated by {name} ({printable(columns[0])})", _SAVE)
    twice = [name for name, count in Counter(columns).items() if count > 1]
    if twice:
        raise InputError(path, f"has {twice[0]!r} as the name of two columns", "Rename or remove one")
    rows = []
    for number, line in filled[1:]:
        cells, whole = _cells(line)
        if not whole:
            remarks.append(f"line {number}: a quotation mark is not closed; it was read as a letter")
        while len(cells) > len(columns) and not trim(cells[-1]):
            cells = cells[:-1]
        problem = None
        if len(cells) != len(columns):
            problem = f"line {number} has {len(cells)} cells and the header {len(columns)}: its cells may be shifted"
        rows.append(Row(number, dict(zip(columns, cells, strict=False)), problem))
    return TypedTable(path, columns, tuple(rows), tuple(remarks))


def _text(path: Path) -> str:
    """Return the text of a file in UTF-8, with or without a mark at its start, or in UTF-16 with one."""
    content = read_bytes(path, most=MOST_TYPED)
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        what = (
            f"the file is not a tab-separated table (line {line} is not {encoding.removesuffix('-sig').upper()} text)"
        )
        raise InputError(path, what, _SAVE) from None


def _cells(line: str) -> tuple[list[str], bool]:
    """Return a line's cells, and whether its quotation marks are closed."""
    try:
        return next(csv.reader([line], delimiter="\t", strict=True)), True
    except csv.Error:
        return line.split("\t"), False
