"""Ages, scores and sexes as people type them: what is no such thing is missing for that person, and is reported."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from pellucid.ground.words import is_missing, trim

DURATION = "disease_duration_months"
BOUNDS = {"age": (0.0, 130.0), "edss": (0.0, 10.0), DURATION: (0.0, 1200.0), "lesion_volume_ml": (0.0, 3000.0)}
"""Numbers that a table may give of a person, in years, points, months and millilitres, and between what they lie."""

_LIMITS = BOUNDS | {"disease_duration_years": (0.0, 100.0)}
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
    value, (low, high) = float(text), _LIMITS[column]
    if not math.isfinite(value) or not low <= value <= high:
        return None, f"{column} {cell!r} does not lie between {low:g} and {high:g} and counts as missing"
    return value, None


def read_duration(cells: Mapping[str, str]) -> tuple[float | None, list[str]]:
    """Return a disease's duration in months, given in months or in years, and what is to be reported.

    A column `disease_duration` alone has no unit, so it is not used.

    >>> read_duration({"disease_duration_years": "2.5"}), read_duration({"disease_duration_months": "30"})
    ((30.0, []), (30.0, []))
    >>> read_duration({"disease_duration": "4"})
    (None, ['disease_duration has no unit and is not used; name it disease_duration_months or disease_duration_years'])
    """
    months, remark = read_number(DURATION, cells.get(DURATION))
    remarks = [remark] if remark else []
    years, remark = read_number("disease_duration_years", cells.get("disease_duration_years"))
    remarks += [remark] if remark else []
    if months is not None and years is not None and abs(months - 12.0 * years) > 1.0:
        remarks.append(f"{months:g} months and {years:g} years of disease differ; the months are used")
    if not is_missing(cells.get("disease_duration", "n/a")):
        remarks.append(f"disease_duration has no unit and is not used; name it {DURATION} or disease_duration_years")
    return (12.0 * years if months is None and years is not None else months), remarks


def read_sex(cell: str | None) -> str | None:
    """Return F, M or O for a word of BIDS, None for one that means missing, else the word itself.

    >>> read_sex("Female"), read_sex("N/A"), read_sex("intersex")
    ('F', None, 'intersex')
    """
    if cell is None or is_missing(cell):
        return None
    return _SEXES.get(trim(cell).lower(), trim(cell))
