"""The study's attribution methods side by side, each against the best map that does not use the network."""

from __future__ import annotations

from typing import Any

import pandas as pd

from pellucid.ground.numbers import DASH, number, percent, whole
from pellucid.report.html.blocks import Section, Table, Text, records, twofold
from pellucid.report.section_registry import text_section
from pellucid.rundir.run import Run

COMPARED, DELETED, ALARMS = "tables/lesions_compared.tsv", "tables/deletion_summary.tsv", "tables/alarms.tsv"
SHOWN = {"average_precision": "Average precision in lesions", "strongest_in_lesion": "Strongest voxel in a lesion"}
"""Measures of `lesions_compared` that are shown, and their names."""


@text_section("methods", title="Attribution methods compared", order=155)
def methods(run: Run) -> Section | None:
    """Return a row per method of the explained arm; None if the study explains by one method."""
    compared = _of_arm(run, "lesions_compared")
    if compared is None or compared["method"].nunique() < 2:
        return None
    deleted, alarms = _of_arm(run, "deletion_summary"), _of_arm(run, "alarms")
    rows = []
    for method, table in compared[compared["map"] == compared["method"]].groupby("method", sort=False):
        measures = {str(row["measure"]): row for row in records(table)}
        cells = [_measured(measures.get(measure), measure) for measure in SHOWN]
        rows.append([str(method), *cells, _deleted(deleted, str(method)), _alarmed(alarms, str(method))])
    section = Section("methods", "Attribution methods compared")
    section.add(
        Text(
            paragraphs=[
                "All methods explain the same networks on the same scans. Every other section shows the first method. "
                "A method is only as good as its difference to the best map that does not use the network: an interval "
                "that lies below 0 says that this map does better than the method."
            ]
        ),
        Table(
            header=["Method", *SHOWN.values(), "Fall of the logit", "Maps with an alarm"],
            rows=rows,
            caption="Median over patients (mean, of a share) of the method's map; below, the difference to the best "
            "null map, paired by participant, with its 95 % interval. The best null map is chosen on the same "
            "participants, which favours it. Fall of the logit: after the first voxels of the map were filled, for the "
            "first fill and the smallest number of voxels of the study. Alarms: maps whose ledger contradicts the "
            "logit.",
            sources=[COMPARED, *([DELETED] if deleted is not None else []), *([ALARMS] if alarms is not None else [])],
        ),
    )
    return section


def _of_arm(run: Run, name: str) -> pd.DataFrame | None:
    """Return the rows of a table that are about the explained arm, by whichever method; None if there are none."""
    table = run.table(name)
    if table is None or run.maps is None:
        return None
    table = table[table["arm"] == run.maps.arm]
    return None if table.empty else table


def _measured(row: dict[str, Any] | None, measure: str) -> Any:
    """Write a measure of a map and its difference to the best null."""
    if row is None or not row["people"]:
        return DASH
    write = percent if measure == "strongest_in_lesion" else number
    return twofold(write(row["map_value"]), _difference(row["difference"], row["low"], row["high"], row["best_null"]))


def _deleted(table: pd.DataFrame | None, method: str) -> Any:
    """Write how far the logit falls, and the difference to the best null."""
    rows = [] if table is None else records(table[(table["ranking"] == method) & (table["method"] == method)])
    rows = [row for row in rows if pd.notna(row["k"]) and pd.notna(row["fall"])]
    if not rows:
        return DASH
    row = rows[0]
    difference = _difference(row["difference"], row["difference_low"], row["difference_high"], row["rival"])
    return twofold(f"{number(row['fall'])} (k = {whole(row['k'])})", difference)


def _difference(difference: float, low: float, high: float, rival: object) -> str:
    return f"{number(difference)} [{number(low)}, {number(high)}] to {rival}"


def _alarmed(table: pd.DataFrame | None, method: str) -> str:
    """Write how many maps have an alarm of how many that were checked."""
    rows = [] if table is None else records(table[table["method"] == method])
    if not rows or not rows[0]["checked"]:
        return "no ledger"
    return f"{whole(rows[0]['alarmed'])} of {whole(rows[0]['checked'])}"
