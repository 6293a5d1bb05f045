"""Where in a TOML text an error is: the line of a key or table."""

from __future__ import annotations

import re

from pellucid.ground.errors import CombinedInputError, InputError

_HEADER = re.compile(r"^\s*\[\[?\s*(?P<key>[^\]]+?)\s*\]\]?")
_ENTRY = re.compile(r"^\s*(?P<key>(?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|\"[^\"]*\"))*)\s*=")
_NAMED = re.compile(r"`([^`]+)`|^\[([^\]]+)\]")


def with_lines(error: InputError, text: str) -> InputError:
    """Return an error, or each of several, with the line of the TOML text that it is about, where one can be found."""
    if isinstance(error, CombinedInputError):
        return CombinedInputError(tuple(with_lines(one, text) for one in error.errors))
    named = _NAMED.search(error.what)
    line = line_of(text, named.group(1) or named.group(2)) if named else None
    return error if line is None else InputError(error.where, f"line {line}: {error.what}", error.fix)


def line_of(text: str, key: str) -> int | None:
    r"""Return the number of the line where a dotted key or table stands, or else the table that it should stand in.

    >>> line_of("[a]\nb = 1\n[a.c]\nd = 2\n", "a.c.d")
    4
    >>> line_of("[a]\nb = 1\n", "a.missing")
    1
    """
    lines: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if (header := _HEADER.match(line)) is not None:
            table = _plain(header["key"])
            lines.setdefault(table, number)
        elif (entry := _ENTRY.match(line)) is not None:
            lines.setdefault(f"{table}.{_plain(entry['key'])}" if table else _plain(entry["key"]), number)
    while key:
        if key in lines:
            return lines[key]
        inside = [number for known, number in lines.items() if known.startswith(f"{key}.")]
        if inside:
            return min(inside)
        key = key.rpartition(".")[0]
    return None


def _plain(key: str) -> str:
    """Return a dotted key without quotes and spaces around its parts."""
    return ".".join(part.strip().strip("\"'") for part in key.split("."))
