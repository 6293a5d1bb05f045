"""The scans that maps explain, and how the explained models judge them: what the maps' sidecars say."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pellucid.cohort.store import Store
from pellucid.files import read_json
from pellucid.image.nifti import sidecar_path
from pellucid.report.blocks import records
from pellucid.report.run import Maps, scan_name

COLUMNS = ("name", "participant_id", "session_id", "group", "label", "logit", "correct", "row", "path")


def explained(maps: Maps, store: Store) -> pd.DataFrame:
    """Return the scans of a store that have a map whose sidecar states the explained logit.

    Returns
    -------
    One row a map: name, participant_id, session_id, group, label, logit (of the explained model, of several their
    mean), correct (the logit has the label's sign), row (of the store), path.
    """
    found = []
    for n, row in enumerate(records(store.table)):
        name = scan_name(row)
        path = maps.of(name)
        logit = None if path is None else _logit(path)
        if logit is not None:
            who = {key: row.get(key) for key in ("participant_id", "session_id", "group", "label")}
            correct = (logit > 0) == bool(row["label"])
            found.append({"name": name, **who, "logit": logit, "correct": correct, "row": n, "path": path})
    return pd.DataFrame(found, columns=list(COLUMNS)).astype({"logit": float, "correct": bool})


def _logit(path: Path) -> float | None:
    side = sidecar_path(path)
    value = read_json(side).get("Logit") if side.exists() else None
    return None if value is None else float(value)
