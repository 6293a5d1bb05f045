"""The ledger runs from the logit to the map, whichever way the table has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.runs import write_rows

from pellucid.report.html.blocks import Note, Table
from pellucid.report.sections.ledger import ledger
from pellucid.rundir.run import open_run

METHOD = "lrp-epsilon"


def test_what_is_missing_is_named_and_nothing_is_drawn(empty_run: Path, look: Any) -> None:
    section = ledger(open_run(empty_run), empty_run / "figures")
    assert any("tables/ledger_summary.tsv" in note for note in look.notes(section))
    look.nothing_was_made(section, empty_run)


def test_the_sums_of_whole_maps_are_shown_for_every_arm(copy: Path, look: Any) -> None:
    rows = [
        {
            "arm": arm,
            "method": METHOD,
            "group": group,
            "scans": 2,
            "logit": 1.5,
            "sum": 3.0,
            "positive": 9.0,
            "negative": -5.0,
        }
        for arm in ("finetuned", "scratch")
        for group in ("MS", "HC")
    ]
    write_rows(copy, "sums_summary", pd.DataFrame(rows).assign(voxel_mean=1e-6))
    table = look.of(ledger(open_run(copy), copy / "figures"), Table)[-1]
    assert [row[:3] for row in table.rows] == [
        [arm, METHOD, group] for arm in ("finetuned", "scratch") for group in ("MS", "HC")
    ]
    assert table.rows[0][3:] == ["2", "1.50", "3.00", "9.00", "−5.00", "1.00e−6"]


def _alarms(folder: Path, *rows: dict[str, object]) -> None:
    none = {"maps": 4, "checked": 4, "alarmed": 0, "method": METHOD}
    none |= dict.fromkeys((f"alarm_{kind}" for kind in ("sign", "bias", "epsilon", "networks")), 0)
    write_rows(folder, "alarms", pd.DataFrame([none | {"gross_per_logit": 25.0} | row for row in rows]))


def test_alarmed_maps_are_counted_first_by_arm(copy: Path, look: Any) -> None:
    alarmed = {"arm": "finetuned", "alarmed": 3, "alarm_sign": 1, "alarm_bias": 2, "alarm_networks": 1}
    _alarms(copy, alarmed, {"arm": "scratch"}, {"arm": "mine", "checked": 0})
    section = ledger(open_run(copy), copy / "figures")
    note, table = section.blocks[:2]
    assert isinstance(note, Note)
    assert note.tone == "warning"
    assert "3 of 4 maps of arm finetuned by lrp-epsilon do not add up" in note.text
    assert isinstance(table, Table)
    assert table.rows == [
        ["finetuned", METHOD, "3 of 4", "1", "2", "0", "1", "25.0"],
        ["scratch", METHOD, "0 of 4", "0", "0", "0", "0", "25.0"],
        ["mine", METHOD, "not checked", "–", "–", "–", "–", "25.0"],
    ]


@pytest.mark.parametrize(("checked", "tone", "words"), [(4, "pass", "No map has"), (0, "missing", "Not checked")])
def test_that_no_map_has_an_alarm_or_none_was_checked_is_said(
    copy: Path, look: Any, checked: int, tone: str, words: str
) -> None:
    _alarms(copy, {"arm": "finetuned", "checked": checked})
    note = look.of(ledger(open_run(copy), copy / "figures"), Note)[0]
    assert (note.tone, words in note.text) == (tone, True)
