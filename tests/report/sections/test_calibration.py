"""Probabilities are shown as the table has them: by bin, with their scores, and those of baselines as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.runs import write_rows

from pellucid.analysis.calibration import calibration_summary
from pellucid.ground.files import read_tsv
from pellucid.report.html.blocks import Picture, Table
from pellucid.report.sections.calibration import calibration
from pellucid.rundir.run import open_run


def test_what_is_missing_is_named_and_nothing_is_drawn(empty_run: Path, look: Any) -> None:
    section = calibration(open_run(empty_run), empty_run / "figures")
    assert any("tables/calibration.tsv" in note for note in look.notes(section))
    look.nothing_was_made(section, empty_run)


def test_scores_and_bins_are_those_of_the_table(finished_run: Path, tmp_path: Path, look: Any) -> None:
    section = calibration(open_run(finished_run), tmp_path)
    scores, bins = look.of(section, Table)
    table = read_tsv(finished_run / "tables" / "calibration.tsv")
    arms = [*open_run(finished_run).arms, *open_run(finished_run).baselines][1:]  # nobody of pretraining is held out
    assert [row[0] for row in scores.rows] == arms
    assert [row[1] for row in scores.rows[:3]] == ["8", "8", "4"]  # 4 participants a trial
    first = table[(table["arm"] == "finetuned") & (table["kind"] == "calibrated")].iloc[0]
    assert float(scores.rows[0][3]) == pytest.approx(first["brier"], rel=0.01)
    assert float(scores.rows[0][6]) == pytest.approx(first["ece"], rel=0.01)
    assert scores.rows[0][4] == "0.250"  # of 2 patients and 2 controls
    assert bins.closed
    assert len(bins.rows) == (table["n"] > 0).sum() < len(table)
    assert sum(int(row[3]) for row in bins.rows) == table["n"].sum()
    assert {row[1] for row in bins.rows} == {"as it is", "calibrated"}
    assert len(look.of(section, Picture)) == 1
    assert (tmp_path / "calibration.png").exists()


def _write(folder: Path, table: pd.DataFrame) -> None:
    write_rows(folder, "calibration", table)
    write_rows(folder, "calibration_summary", calibration_summary(table))


def test_a_baseline_is_not_calibrated_and_said_to_be_so(copy: Path, look: Any) -> None:
    said = "Baselines are shown uncalibrated"
    section = calibration(open_run(copy), copy / "figures")
    assert said in look.words(section)
    row = look.of(section, Table)[0].rows[-1]
    assert row[0] == "confounds"
    assert [n for n, cell in enumerate(row) if cell == "–"] == [3, 6]
    assert np.isfinite(float(row[2]))
    table = read_tsv(copy / "tables" / "calibration.tsv")
    _write(copy, table[~table["arm"].isin(["confounds", "bright-voxels"])])
    assert said not in look.words(calibration(open_run(copy), copy / "figures"))


def test_nothing_is_said_of_calibration_that_was_not_done(copy: Path, look: Any) -> None:
    table = read_tsv(copy / "tables" / "calibration.tsv")
    assert "Platt" in look.words(calibration(open_run(copy), copy / "figures"))
    _write(copy, table[table["kind"] == "sigmoid"])
    assert "Platt" not in look.words(calibration(open_run(copy), copy / "figures"))
