"""The records of visits, logs/VISIT.json, as they are read by all who did not write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pellucid.ground.files import read_json
from pellucid.preprocess.outputs import LOGS

Record = dict[str, Any]
"""What is known of a visit: state (running, done, failed), error, verdict, findings, warnings, measures, steps, files,
inputs, settings, versions; the content of logs/VISIT.json."""

_SHAPE = {
    "visit": str,
    "participant_id": str,
    "session_id": (str, None),
    "state": str,
    "error": (str, None),
    "verdict": (str, None),
    "findings": [{"measure": str, "verdict": str, "text": str}],
    "warnings": [str],
    "measures": {str: (float, None)},
    "steps": [{"step": str, "how": str}],
    "files?": {str: str},
    "inputs?": [{"role": str, "path": str}],
    "settings": dict,
    "request?": str,
    "versions": {str: str},
    "seconds?": float,
}


def read_record(path: Path) -> Record:
    """Read one record.

    Raises
    ------
    InputError
        It is missing, damaged, or no record of a visit.
    """
    record: Record = read_json(path, _SHAPE)
    return record


def read_records(out: Path) -> list[Record]:
    """Return the records of every visit that was ever begun in a derivative dataset, sorted by participant.

    Raises
    ------
    InputError
        As `read_record`.
    """
    return [read_record(path) for path in sorted((out / LOGS).glob("sub-*.json"))]
