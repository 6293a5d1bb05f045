"""Planted places are summed up over patients alone, the scan beside the map."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pellucid.files import read_tsv, write_tsv
from pellucid.report.blocks import Table
from pellucid.report.run import open_run
from pellucid.report.section_truth import PLACES, truth, truth_summary

ROWS = pd.DataFrame(
    [
        {
            "arm": "finetuned",
            "participant_id": f"sub-{group}{n}",
            "group": group,
            "map": name,
            "place": place,
            "seen_share": 0.99999,
            "mean": sign * (n - 0.5),
            "lift": lift * (1 + n),
        }
        for group, sign in (("MS", 1.0), ("HC", -1.0))
        for n in range(3)
        for name, lift in (("lrp-epsilon", 4.0), ("intensity", 2.0))
        for place in ("lesionprior", "elsewhere")
    ]
)


def test_medians_are_those_of_the_patients() -> None:
    summary = truth_summary(ROWS[ROWS["group"] == "MS"], seed=0).set_index("place")
    assert summary.index.tolist() == ["lesionprior", "elsewhere"]
    row = summary.loc["lesionprior"]
    assert (row["subjects"], row["lift"], row["lift_of_scan"]) == (3, 8.0, 4.0)
    assert row["above_zero"] == pytest.approx(2 / 3)
    assert (row["low"], row["high"]) == (4.0, 12.0)


def test_the_section_says_what_was_planted(copy: Path, look: Any) -> None:
    write_tsv(copy / "tables" / "truth.tsv", ROWS)
    section = truth(open_run(copy))
    assert section is not None
    (table,) = look.of(section, Table)
    assert table.rows[0][:3] == ["lesionprior", PLACES["lesionprior"], "99 %"]
    assert table.rows[1][1] == "an effect of the simulation"
    assert len(read_tsv(copy / "tables" / "truth_summary.tsv")) == 2


def test_a_study_of_real_people_has_no_section(finished_run: Path) -> None:
    assert truth(open_run(finished_run)) is None
