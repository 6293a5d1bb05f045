"""Words and numbers of a visit's page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pellucid.ground.numbers import DASH
from pellucid.preprocess.quality import MEASURES, Measure
from pellucid.report.html.blocks import Cards, Table
from pellucid.report.quality.source import Source
from pellucid.report.quality.tables import bounds, capital, headline, measures, sentence, standing, with_unit

INF = float("inf")


@pytest.mark.parametrize(
    ("record", "word"),
    [
        ({"state": "done", "verdict": "check"}, "check"),
        ({"state": "failed", "verdict": None}, "failed"),
        ({"state": "running", "verdict": None}, "unfinished"),
        ({}, "unfinished"),
    ],
)
def test_a_visit_stands_in_one_word(record: dict[str, Any], word: str) -> None:
    assert standing(record) == word


def test_bounds_are_written_as_far_as_there_are_any() -> None:
    assert bounds((0.93, 1.0)) == "0.93 to 1"
    assert bounds((3.0, INF)) == "at least 3"
    assert bounds((-INF, 3.0), "expected") == "expected at most 3"
    assert bounds((-INF, INF)) == DASH
    assert bounds((-INF, INF), "expected") == ""


def test_values_keep_the_digit_that_decides() -> None:
    assert with_unit(1.0143, Measure("", "")) == "1.014"
    assert with_unit(0.94369, Measure("", "share")) == "0.944"
    assert with_unit(1091.94, Measure("", "ml")) == "1092 ml"
    assert with_unit(None, Measure("", "ml")) == DASH


def test_remarks_become_sentences() -> None:
    assert sentence("flair: came without a skull") == "FLAIR: came without a skull."
    assert sentence("there is no FLAIR; only that.") == "There is no FLAIR; only that."
    assert sentence("sub-01_flair.nii.gz: its voxels are long") == "sub-01_flair.nii.gz: its voxels are long."
    assert capital("brain, native") == "Brain, native"


def test_the_table_has_every_measure_whether_it_was_taken_or_not(tmp_path: Path) -> None:
    record = {"visit": "sub-1", "measures": {"brain_dice": 0.5, "old_measure": 2.0}}
    finding = {"measure": "brain_dice", "verdict": "fail", "text": ""}
    source = Source(tmp_path, record | {"findings": [finding]})
    table = measures(source).blocks[0]
    assert isinstance(table, Table)
    assert len(table.rows) == len(MEASURES) + 1
    assert "fail" in table.rows[0][-1]
    assert table.rows[1][1:] == [DASH, "1.012 to 2", "1.01 to 2", "higher", "not measured"]
    assert "old_measure" in table.rows[-1][0]
    first = headline(source)
    assert first is not None
    cards = first.blocks[0]
    assert isinstance(cards, Cards)
    assert [card.value for card in cards.cards] == ["0.500"]
    assert headline(Source(tmp_path, {"visit": "sub-1"})) is None
