"""The scans that maps explain, and how the explained models judge them: what the maps' sidecars say."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from pellucid.cohort.store import Store
from pellucid.maps.sidecars import read_sidecar
from pellucid.report.html.blocks import records
from pellucid.rundir.run import Maps
from pellucid.trust.alarms import gross_words

COLUMNS = (
    *("name", "participant_id", "session_id", "group", "label"),
    *("logit", "correct", "row", "path", "alarms", "gross", "remark", "networks"),
)


def explained(maps: Maps, store: Store) -> pd.DataFrame:
    """Return the scans of a store that have a map whose sidecar states the explained logit.

    Returns
    -------
    One row a map: name, participant_id, session_id, group, label, logit (of the explained model, of several their
    mean), correct (the logit has the label's sign), row (of the store), path, alarms (sentences; None where its ledger
    was not checked), gross (relevance over |logit|, in words), remark (what is odd about the scan), networks (that the
    map is of, with spaces between; empty if its sidecar does not say).
    """
    found = []
    for n, row in enumerate(records(store.table)):
        name = store.scan_name(n)
        path = maps.of(name)
        side = read_sidecar(path) if path is not None else {}
        if side.get("Logit") is not None:
            logit = float(side["Logit"])
            who = {key: row.get(key) for key in ("participant_id", "session_id", "group", "label")}
            correct = (logit > 0) == bool(row["label"])
            found.append(
                {"name": name, **who, "logit": logit, "correct": correct, "row": n, "path": path}
                | {"alarms": side.get("Alarms"), "gross": _gross(side), "remark": side.get("Gate", {}).get("Remark")}
                | {"networks": " ".join([model] if isinstance(model := side.get("Model", ""), str) else model)}
            )
    return pd.DataFrame(found, columns=list(COLUMNS)).astype({"logit": float, "correct": bool})


def alarm_note(one: Mapping[str, Any]) -> str:
    """Say for the caption of a row of `explained` how much of its map cancels, and what is wrong with it."""
    if one["alarms"] is None:
        return f"{one['gross']} It is unknown whether it adds up: it has no ledger."
    return " ".join([one["gross"], *(f"Alarm: {alarm}." for alarm in one["alarms"])])


def _gross(side: Mapping[str, Any]) -> str:
    """Say how much relevance a map holds for its logit, as its sidecar states it."""
    if "Sums" not in side:
        return "Gross relevance: not stated."
    value = side["Sums"].get("GrossPerLogit")
    return gross_words(math.nan if value is None else float(value)).capitalize() + "."
