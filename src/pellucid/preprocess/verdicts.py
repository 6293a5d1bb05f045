"""The verdicts of quality control as those read them who use the data: quality.tsv, and a human's word in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from pellucid.errors import InputError
from pellucid.files import read_tsv

QUALITY = "quality.tsv"
OVERRIDES = ("use", "exclude")
"""What a human may write into the column `override` of quality.tsv."""
_WORDS = dict.fromkeys(("participant_id", "session_id", "override"), str)
_VERDICTS = _WORDS | {"verdict": str, "findings": str}

Key = tuple[str, str | None]
"""Participant and session."""


def refused(root: Path) -> dict[Key, str]:
    """Return the visits of a derivative dataset that must not be used, by participant and session, with the reason.

    Those that an override excludes, and those that failed quality control and that no override admits. A dataset
    without quality.tsv has none.
    """
    path = root / QUALITY
    if not path.is_file():
        return {}
    out: dict[Key, str] = {}
    for row in read_tsv(path, columns=_VERDICTS).to_dict("records"):
        name, session = _key(row)
        override = row["override"] if pd.notna(row["override"]) else None
        if override == "exclude":
            out[name, session] = f"{path}: {name} is excluded by its override."
        elif override != "use" and row["verdict"] == "fail":
            out[name, session] = (
                f"{path}: {name} failed quality control. {row['findings']} Look at its page; to use it all the same, "
                "write `use` into its column override."
            )
    return out


def overrides(root: Path) -> dict[Key, str]:
    """Return what humans wrote into the column `override` of a dataset's quality.tsv.

    Raises
    ------
    InputError
        It is neither `use` nor `exclude`.
    """
    path = root / QUALITY
    if not path.is_file():
        return {}
    found: dict[Key, str] = {}
    for row in read_tsv(path, columns=_WORDS).to_dict("records"):
        word = row.get("override")
        if pd.notna(word):
            if word not in OVERRIDES:
                what = f"the override of {row['participant_id']} is {word!r}"
                raise InputError(path, what, f"Write {' or '.join(OVERRIDES)}, or n/a")
            found[_key(row)] = str(word)
    return found


def _key(row: Mapping[Any, Any]) -> Key:
    session = row["session_id"]
    return str(row["participant_id"]), str(session) if pd.notna(session) else None
