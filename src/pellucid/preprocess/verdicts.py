"""The verdicts of quality control as those read them who use the data: records, quality.tsv, a human's word in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pellucid.bids.naming import entities
from pellucid.ground.errors import InputError
from pellucid.ground.files import read_json, read_tsv
from pellucid.ground.words import guess, is_missing, trim
from pellucid.preprocess.outputs import LOGS

QUALITY = "quality.tsv"
_DESCRIPTION = "dataset_description.json"
_DEEPEST = 4  # folders above a scan: anat, session, participant, dataset
OVERRIDES = ("use", "exclude")
"""What a human may write into the column `override` of quality.tsv."""
_WORDS = dict.fromkeys(("participant_id", "session_id", "override"), str)
_VERDICTS = _WORDS | dict.fromkeys(("verdict", "findings", "state", "error"), str)

Key = tuple[str, str | None]
"""Participant and session."""


@dataclass(frozen=True, slots=True)
class Said:
    """What quality control says of a visit that it does not simply pass: whether it is `refused`, and why."""

    text: str
    refused: bool


def refused(root: Path) -> dict[Key, str]:
    """Return the visits of a derivative dataset that must not be used, by participant and session, with the reason.

    Those that an override excludes, those that failed quality control or were not finished and that no override admits.
    What was measured is read from the visits' own records, which are there as soon as a visit is done; a visit without
    one, from quality.tsv.
    """
    out: dict[Key, str] = {}
    for key, said in _everything(root).items():
        if said.refused:
            cure = (
                ""
                if "override" in said.text
                else (" Look at its page; to use it all the same, write `use` into its column override.")
            )
            out[key] = f"{root / QUALITY}: {_name(key)} {said.text}.{cure}"
    return out


def not_reached(root: Path) -> dict[str, str]:
    """Return whom preprocessing left out of a derivative dataset though the raw one names them, with the reason."""
    return {
        str(row["participant_id"]): f"{root / QUALITY}: left out by preprocessing. {row.get('error')}"
        for row in _rows(root).values()
        if row.get("state") == "left out"
    }


def said_of(path: Path) -> Said | None:
    """Return what quality control says of the visit that a scan in a derivative dataset belongs to.

    None if it passes it, or if the scan lies in no dataset with quality control.
    """
    path = path.resolve()
    named = entities(path)
    if "sub" not in named:
        return None
    for root in list(path.parents)[:_DEEPEST]:
        if (root / _DESCRIPTION).is_file():
            key = (f"sub-{named['sub']}", f"ses-{named['ses']}" if "ses" in named else None)
            rows = _rows(root)
            said = _said(_record(root, key), rows.get(key))
            return said and Said(f"{_name(key)} {said.text}", said.refused)
    return None


def _everything(root: Path) -> dict[Key, Said]:
    """Return what is said of every visit of a dataset that does not simply pass."""
    rows = _rows(root)
    begun = (read_json(path) for path in sorted((root / LOGS).glob("sub-*.json")))
    keys = dict.fromkeys([*rows, *(_key(record) for record in begun)])
    found = {key: _said(_record(root, key), rows.get(key)) for key in keys}
    return {key: said for key, said in found.items() if said}


def _said(record: Mapping[str, Any] | None, row: Mapping[str, Any] | None) -> Said | None:
    """Put together what a visit's record, its row in quality.tsv and a human in that row say."""
    told = record or row
    if told is None:
        return None
    override = _override(row) if row else None
    if override == "exclude":
        return Said("is excluded by its override", True)
    verdict, state = told.get("verdict"), told.get("state", "done")
    findings = told.get("findings")
    why = " ".join(f"{one['text']}." for one in findings) if isinstance(findings, list) else findings
    why = f". {str(why).rstrip('.')}" if isinstance(why, str) and why else ""
    if state == "left out":
        return None  # nothing is there to be used
    if state != "done":
        error = told.get("error")
        said = (
            f"failed in preprocessing. {str(error).rstrip('.')}"
            if isinstance(error, str)
            else ("was begun in preprocessing and not finished")
        )
        return Said(f"{said}, but its override says `use`", False) if override == "use" else Said(said, True)
    if verdict == "fail":
        if override == "use":
            return Said(f"failed quality control, but its override says `use`{why}", False)
        return Said(f"failed quality control{why}", True)
    return Said(f"is to be checked, says quality control{why}", False) if verdict == "check" else None


def _rows(root: Path) -> dict[Key, dict[Any, Any]]:
    """Return the rows of quality.tsv, by participant and session; none if it is not there."""
    path = root / QUALITY
    return {_key(row): row for row in read_tsv(path, columns=_VERDICTS).to_dict("records")} if path.is_file() else {}


def _record(root: Path, key: Key) -> dict[str, Any] | None:
    """Return the record of a visit, if it was ever begun."""
    path = root / LOGS / f"{_name(key)}.json"
    return read_json(path) if path.is_file() else None


def _name(key: Key) -> str:
    return "_".join(part for part in key if part)


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
        if word := _override(row):
            found[_key(row)] = word
    return found


def _override(row: Mapping[Any, Any]) -> str | None:
    """Return what a human wrote into a row's column `override`, in any case of letters and with blanks around it."""
    if is_missing(word := str(row.get("override", "n/a"))):
        return None
    if (plain := trim(word).casefold()) not in OVERRIDES:
        what = f"the override of {row['participant_id']} is {word!r}.{guess(plain, OVERRIDES)}".rstrip(".")
        raise InputError(QUALITY, what, f"Write {' or '.join(OVERRIDES)}, or n/a")
    return plain


def _key(row: Mapping[Any, Any]) -> Key:
    session = row.get("session_id")
    return str(row["participant_id"]), str(session) if pd.notna(session) else None
