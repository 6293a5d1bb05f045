"""The ledger runs from the logit to the map, whichever way the table has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pellucid.ground.files import write_tsv
from pellucid.report.html.blocks import Note, Table
from pellucid.report.sections.ledger import COLUMNS, ledger, ledger_means
from pellucid.rundir.run import open_run


def test_what_is_missing_is_named_and_nothing_is_drawn(empty_run: Path, look: Any) -> None:
    section = ledger(open_run(empty_run), empty_run / "figures")
    assert any("tables/ledger.tsv" in note for note in look.notes(section))
    look.nothing_was_made(section, empty_run)


def test_the_ledger_is_laid_from_the_output_to_the_input() -> None:
    layers = ["conv1", "conv2", "fc"]
    rows = []
    for number, group in enumerate(("MS", "MS", "HC")):
        level = 1.0 + number
        for layer in layers:
            rows.append((group, layer, level + 0.5, level, 0.25, 0.25))
            level += 0.5
    table = pd.DataFrame(rows, columns=["group", "layer", *COLUMNS])
    means = ledger_means(table)
    for group, first in (("MS", 3.0), ("HC", 4.5)):
        one = means[means["group"] == group]
        assert one["layer"].tolist() == ["fc", "conv2", "conv1"]
        assert one["relevance_out"].tolist() == pytest.approx([first, first - 0.5, first - 1.0])
        np.testing.assert_allclose(one["relevance_in"][:-1], one["relevance_out"][1:])


def test_the_sums_of_whole_maps_are_shown_for_every_arm(copy: Path, look: Any) -> None:
    rows = [
        {"arm": arm, "group": group, "logit": logit, "sum": 2 * logit, "positive": 9.0, "negative": -5.0}
        for arm in ("finetuned", "scratch")
        for group, logit in (("MS", 1.0), ("MS", 2.0), ("HC", -1.0))
    ]
    sums = pd.DataFrame(rows).assign(voxel_mean=1e-6, alarm="none", gross_per_logit=14.0)
    write_tsv(copy / "tables" / "sums.tsv", sums)
    table = look.of(ledger(open_run(copy), copy / "figures"), Table)[-1]
    assert [row[:4] for row in table.rows] == [
        ["finetuned", "MS", "2", "1.50"],
        ["finetuned", "HC", "1", "−1.00"],
        ["scratch", "MS", "2", "1.50"],
        ["scratch", "HC", "1", "−1.00"],
    ]
    assert table.rows[0][4:] == ["3.00", "9.00", "−5.00", "1.00e-6".replace("-", "−")]


def test_alarmed_maps_are_counted_first_by_arm(copy: Path, look: Any) -> None:
    alarms = {"finetuned": ["sign+bias", "bias", "none", "networks"], "scratch": ["none"] * 4, "mine": [None] * 4}
    rows = [
        {"arm": arm, "group": "MS", "alarm": alarm, "gross_per_logit": gross}
        for arm, some in alarms.items()
        for alarm, gross in zip(some, (10.0, 20.0, 30.0, 400.0), strict=True)
    ]
    rest = dict.fromkeys(("logit", "sum", "positive", "negative", "voxel_mean"), 1.0)
    write_tsv(copy / "tables" / "sums.tsv", pd.DataFrame(rows).assign(**rest))
    section = ledger(open_run(copy), copy / "figures")
    note, table = section.blocks[:2]
    assert isinstance(note, Note)
    assert note.tone == "warning"
    assert "3 of 4 maps of arm finetuned do not add up" in note.text
    assert isinstance(table, Table)
    assert table.rows == [
        ["finetuned", "3 of 4", "1", "2", "0", "1", "25.0"],
        ["scratch", "0 of 4", "0", "0", "0", "0", "25.0"],
        ["mine", "not checked", "–", "–", "–", "–", "25.0"],
    ]


@pytest.mark.parametrize(("alarm", "tone", "words"), [("none", "pass", "No map has"), (None, "missing", "Not checked")])
def test_that_no_map_has_an_alarm_or_none_was_checked_is_said(
    copy: Path, look: Any, alarm: str | None, tone: str, words: str
) -> None:
    rest = dict.fromkeys(("logit", "sum", "positive", "negative", "voxel_mean", "gross_per_logit"), 1.0)
    table = pd.DataFrame([{"arm": "finetuned", "group": "MS", "alarm": alarm, **rest}])
    write_tsv(copy / "tables" / "sums.tsv", table)
    note = look.of(ledger(open_run(copy), copy / "figures"), Note)[0]
    assert (note.tone, words in note.text) == (tone, True)
