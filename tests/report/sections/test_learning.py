"""The curves of arms that differ in their number of participants alone are drawn and listed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from tests.runs import write_rows

from pellucid.analysis.learning import COLUMNS
from pellucid.report.html.blocks import Picture, Table
from pellucid.report.sections.learning import learning
from pellucid.rundir.run import open_run

CURVES = pd.DataFrame(
    [("all", "half", 5, 0.7, 0.01, 0.6, 0.8, 4), ("all", "all", 9, 0.9, 0.01, 0.8, 1.0, 4)], columns=list(COLUMNS)
)


def test_the_section_draws_them_and_shows_the_numbers(empty_run: Path, look: Any) -> None:
    write_rows(empty_run, "learning_summary", CURVES)
    section = learning(open_run(empty_run), empty_run / "figures")
    assert section is not None
    (picture,) = look.of(section, Picture)
    assert (empty_run / "figures" / f"{picture.stem}.png").is_file()
    (table,) = look.of(section, Table)
    assert [row[:2] for row in table.rows] == [["all", "5"], ["all", "9"]]
    assert "0.700" in str(table.rows[0][2])


def test_a_study_without_such_arms_has_no_section(empty_run: Path) -> None:
    assert learning(open_run(empty_run), empty_run / "figures") is None
    write_rows(empty_run, "learning_summary", CURVES[:0])
    assert learning(open_run(empty_run), empty_run / "figures") is None
