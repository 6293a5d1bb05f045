"""All areas are shown, and the unseen ones counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pellucid.ground.files import read_tsv
from pellucid.report.html.blocks import Table
from pellucid.report.sections.regions import TESTS, regions
from pellucid.rundir.run import open_run


def test_what_is_missing_is_named_and_nothing_is_drawn(empty_run: Path, look: Any) -> None:
    section = regions(open_run(empty_run), empty_run / "figures")
    assert any("tables/regions.tsv" in note for note in look.notes(section))
    look.nothing_was_made(section, empty_run)


def test_regions_say_how_many_areas_are_unseen(copy: Path, look: Any) -> None:
    section = regions(open_run(copy), copy / "figures")
    table = read_tsv(copy / "tables" / "regions.tsv").query("atlas == 'neuromorphometrics'")
    table = table.groupby("area")["seen_share"].first()
    blind, partly = int((table == 0).sum()), int(((table > 0) & (table < 1)).sum())
    assert f"{blind} cannot be seen at all and {partly} only in part" in look.words(section)
    shown, white = look.of(section, Table)
    assert len(shown.rows) == 68
    assert len(white.rows) == 6
    assert shown.header[-3:] == list(TESTS.values())
