"""Ages, scores and sexes as people type them: what is no such thing is missing for that person, and is reported."""

from __future__ import annotations

import math
import re

from pellucid.words import is_missing, trim

BOUNDS = {"age": (0.0, 130.0), "edss": (0.0, 10.0), "lesion_volume_ml": (0.0, 3000.0)}
"""Numbers that a table may give of a person, in years, points and millilitres, and between what they lie."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
_SEXES = {"f": "F", "female": "F", "m": "M", "male": "M", "o": "O", "other": "O"}


def read_number(column: str, cell: str | None) -> tuple[float | None, str | None]:
    """Return the number in a cell, and what is to be reported of it; a number that nobody can have is missing.

    An age of `89+`, as data are made anonymous, counts as 89.

    >>> read_number("age", "34"), read_number("age", "n/a")
    ((34.0, None), (None, None))
    >>> read_number("age", "34,5")
    (None, "age '34,5' is not a number and counts as missing; write it with a point")
    """
    if cell is None or is_missing(cell):
        return None, None
    text = trim(cell)
    if column == "age" and text == "89+":
        return 89.0, "age '89+' counts as 89"
    if not _NUMBER.fullmatch(text):
        hint = "; write it with a point" if _NUMBER.fullmatch(text.replace(",", ".", 1)) else ""
        return None, f"{column} {cell!r} is not a number and counts as missing{hint}"
    value, (low, high) = float(text), BOUNDS[column]
    if not math.isfinite(value) or not low <= value <= high:
        return None, f"{column} {cell!r} does not lie between {low:g} and {high:g} and counts as missing"
    return value, None


def read_sex(cell: str | None) -> str | None:
    """Return F, M or O for a word of BIDS, None for one that means missing, else the word itself.

    >>> read_sex("Female"), read_sex("N/A"), read_sex("intersex")
    ('F', None, 'intersex')
    """
    if cell is None or is_missing(cell):
        return None
    return _SEXES.get(trim(cell).lower(), trim(cell))
