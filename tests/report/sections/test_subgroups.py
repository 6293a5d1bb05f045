"""Groups of subjects are named in words, small ones said to be small, and no score is made up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.runs import write_rows

from pellucid.ground.files import read_tsv
from pellucid.report.html.blocks import Note, Picture, Table
from pellucid.report.sections.results import METRICS
from pellucid.report.sections.subgroups import subgroups
from pellucid.rundir.run import open_run

SCORES = {f"{metric}{end}": value for metric in METRICS for end, value in (("", 0.8), ("_low", 0.7), ("_high", 0.9))}


def _row(factor: str, level: str | None, patients: int, controls: int, **changes: object) -> dict[str, object]:
    ends = {"value_min": np.nan, "value_max": np.nan}
    who = {"arm": "finetuned", "factor": factor, "level": level, "n_patients": patients, "n_controls": controls}
    said = {"few": min(patients, controls) < 5, "reason": "", "interaction_p": 0.02, "interaction_q": 0.3}
    return who | ends | said | SCORES | changes


def _write(folder: Path, *rows: dict[str, object]) -> None:
    write_rows(folder, "subgroups", pd.DataFrame(list(rows)))


def test_what_is_missing_is_named_and_nothing_is_drawn(empty_run: Path, look: Any) -> None:
    section = subgroups(open_run(empty_run), empty_run / "figures")
    assert any("tables/subgroups.tsv" in note for note in look.notes(section))
    look.nothing_was_made(section, empty_run)


def test_every_arm_is_in_the_table_and_the_main_one_in_the_picture(
    finished_run: Path, tmp_path: Path, look: Any
) -> None:
    section = subgroups(open_run(finished_run), tmp_path)
    (table,), (picture,) = look.of(section, Table), look.of(section, Picture)
    raw = read_tsv(finished_run / "tables" / "subgroups.tsv")
    assert table.closed
    assert len(table.rows) == len(raw)
    assert all(any(arm in str(row[0]) for row in table.rows) for arm in ("finetuned", "scratch", "bright-voxels"))
    assert picture.caption.startswith("finetuned:")
    assert f"in {(raw['arm'] == 'finetuned').sum()} groups" in picture.alt
    row = raw.iloc[0]
    expected = f"{row['auc']:.3f}<br>[{row['auc_low']:.3f}, {row['auc_high']:.3f}]"
    assert table.rows[0][-2] == expected
    assert str(table.rows[0][-1]) == "–"  # in so small groups nothing can be tested
    assert (tmp_path / "subgroups.svg").exists()


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (_row("sex", "F", 9, 9), "Sex: women"),
        (_row("sex", None, 9, 9), "Sex: not known"),
        (
            _row("age", "lower third", 9, 9, value_min=21.5, value_max=33.0),
            "Age: lower third</span><br>21.5–33.0 years",
        ),
        (_row("edss", "<= 2", 9, 9, value_min=0.0, value_max=2.0), "EDSS ≤ 2</span><br>0–2.00"),
        (_row("edss", None, 9, 9), "EDSS: not known"),
        (_row("lesion_volume", "upper third", 9, 9, value_min=9.0, value_max=31.0), "<br>9.00–31.0 ml"),
    ],
)
def test_groups_are_named_in_words(copy: Path, look: Any, row: dict[str, object], said: str) -> None:
    _write(copy, row)
    section = subgroups(open_run(copy), copy / "figures")
    (table,) = look.of(section, Table)
    assert said in str(table.rows[0][0])
    assert table.rows[0][1] == "9 + 9"
    assert not look.of(section, Note)


def test_few_subjects_are_said_to_be_few(copy: Path, look: Any) -> None:
    _write(copy, _row("sex", "F", 5, 5), _row("sex", "M", 30, 4))
    section = subgroups(open_run(copy), copy / "figures")
    (note,) = look.of(section, Note)
    assert "Sex: men (30 + 4)" in note.text
    assert "women" not in note.text
    assert [row[1] for row in look.of(section, Table)[0].rows] == ["5 + 5", "30 + 4<br>few"]


def test_a_group_of_one_class_has_no_score_and_no_substitute(copy: Path, look: Any) -> None:
    gone = {name: np.nan for name in SCORES if not name.startswith("sensitivity")}
    _write(
        copy, _row("age", "lower third", 9, 0, reason="there are no controls", **gone), _row("age", "upper third", 9, 9)
    )
    section = subgroups(open_run(copy), copy / "figures")
    (note,) = look.of(section, Note)
    assert "Age: lower third (9 + 0): there are no controls" in note.text
    row = look.of(section, Table)[0].rows[0]
    assert row[2:] == ["–", "80.0<br>[70.0, 90.0]", "–", "–", "p = 0.020<br>q = 0.30"]


def test_nobody_whose_value_is_known_gives_no_picture(copy: Path, look: Any) -> None:
    write_rows(copy, "subgroups", pd.DataFrame())
    section = subgroups(open_run(copy), copy / "figures")
    assert look.notes(section)
    assert not look.of(section, Picture)
