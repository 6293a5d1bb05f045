"""What a method is called in names of files and folders: words only, nothing is imported here."""

from __future__ import annotations

import re
from itertools import takewhile

_IN_NAMES = {".": "p", "-": "m"}
"""What stands for characters of a number: 0.01 is 0p01, 1e-05 is 1em05."""


def method_label(text: str) -> str:
    """Return the name of a method's files and folders, given what a study or a command calls it.

    >>> [method_label(text) for text in ("lrp-epsilon", "lrp-epsilon:epsilon=0.01", "package.module:Mine:of=all")]
    ['lrp-epsilon', 'lrp-epsilon-epsilon-0p01', 'Mine-of-all']
    """
    where, given = _parted(text)
    words = re.split("[=,]", given) if given else []
    name = where[-1] if where else ""
    return "-".join([name, *("".join(c if c.isalnum() else _IN_NAMES.get(c, "") for c in word) for word in words)])


def imported_by(text: str) -> list[str]:
    """Return the import paths that a method's text names: of the method itself, and of rules among its parameters.

    >>> imported_by("gradient"), imported_by("a.b:Mine:p=2"), imported_by("lrp-rules:rule=a.b:Mine,first=epsilon")
    ([], ['a.b:Mine'], ['a.b:Mine'])
    """
    where, given = _parted(text)
    values = [part.partition("=")[2] for part in given.split(",")]
    return [path for path in (":".join(where), *values) if ":" in path]


def _parted(text: str) -> tuple[list[str], str]:
    """Return what names a method, split at colons, and its parameters."""
    parts = text.replace(" ", "").rstrip(":").split(":")
    where = list(takewhile(lambda part: "=" not in part, parts))
    return where, ":".join(parts[len(where) :])
