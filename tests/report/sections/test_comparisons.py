"""Arms are compared as the table says, pairs that could not be are named, and the picture is of one arm's pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.runs import write_rows

from pellucid.ground.files import read_tsv
from pellucid.report.html.blocks import Note, Picture, Table
from pellucid.report.sections.comparisons import METRICS, against, comparisons, difference
from pellucid.rundir.run import open_run

ROW: dict[str, object] = {"difference": 0.1, "low": -0.05, "high": 0.25, "p": 0.2, "q": 0.4, "one": 0.9, "two": 0.8}
COUNTS = {"better_one": 4, "better_two": 2, "n_both": 20, "n_only_one": 0, "n_only_two": 0}


def _pair(one: str, two: str, **changes: object) -> list[dict[str, object]]:
    start = {"arm_one": one, "arm_two": two, "problem": ""}
    return [start | ROW | COUNTS | {"metric": metric} | changes for metric in METRICS]


def _write(folder: Path, *pairs: list[dict[str, object]]) -> None:
    write_rows(folder, "comparisons", pd.DataFrame([row for pair in pairs for row in pair]))


def test_what_is_missing_is_named_and_nothing_is_drawn(empty_run: Path, look: Any) -> None:
    section = comparisons(open_run(empty_run), empty_run / "figures")
    assert any("tables/comparisons.tsv" in note for note in look.notes(section))
    look.nothing_was_made(section, empty_run)


def test_a_pair_stands_with_difference_interval_scores_and_p(finished_run: Path, tmp_path: Path, look: Any) -> None:
    section = comparisons(open_run(finished_run), tmp_path)
    table = look.of(section, Table)[0]
    row = read_tsv(finished_run / "tables" / "comparisons.tsv").iloc[0]
    assert (row["arm_one"], row["metric"]) == ("finetuned", "auc")
    assert table.closed
    assert len(table.rows) == 21  # of seven arms and baselines
    lines = str(table.rows[0][1]).split("<br>")
    assert lines[0] == difference(row["difference"], "auc")
    assert lines[1] == f"[{difference(row['low'], 'auc')}, {difference(row['high'], 'auc')}]"
    assert lines[2] == f"{row['one']:.3f}, {row['two']:.3f}"
    assert lines[3].startswith("p ")
    assert table.rows[0][4] == f"{row['better_one']:.0f}, {row['better_two']:.0f}"
    assert table.rows[0][5] == "4"
    assert (tmp_path / "comparisons.svg").exists()


def test_pairs_that_were_not_compared_are_named_with_the_reason(copy: Path, tmp_path: Path, look: Any) -> None:
    lone: dict[str, object] = {"arm_one": "finetuned", "arm_two": "lone", "problem": "nobody in common. Do <b>not</b>."}
    _write(copy, _pair("finetuned", "scratch"), [lone])
    section = comparisons(open_run(copy), tmp_path)
    (note,) = look.of(section, Note)
    assert note.text == "Not compared: finetuned and lone. Why: nobody in common. Do <b>not</b>."
    assert "There is one pair." in look.words(section)


def test_the_picture_holds_the_main_arms_pairs_and_the_table_all(
    copy: Path, look: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(copy, _pair("a", "finetuned"), _pair("a", "b"), _pair("finetuned", "b", n_only_two=3))
    drawn: list[Any] = []
    monkeypatch.setattr("pellucid.report.sections.comparisons.save", lambda figure, stem: drawn.append(figure))
    section = comparisons(open_run(copy), copy)
    table, (picture,) = look.of(section, Table)[0], look.of(section, Picture)
    assert len(table.rows) == 3
    assert "only one: 0, 3" in str(table.rows[2][5])
    assert picture.caption.startswith("Difference, finetuned minus the other model")
    assert [tick.get_text() for tick in drawn[0].axes[0].get_yticklabels()] == ["a", "b"]
    assert "false discovery rate over all tests of the table, 3 pairs times 3 scores" in look.words(section)


def test_without_an_explained_arm_the_first_is_the_main_one(copy: Path, look: Any) -> None:
    _write(copy, _pair("x", "y"), _pair("y", "z"))
    (picture,) = look.of(comparisons(open_run(copy), copy / "figures"), Picture)
    assert picture.caption.startswith("Difference, x minus the other model")
    assert "differences of x from y in" in picture.alt


def test_a_pair_is_turned_where_the_arm_is_the_second() -> None:
    table = pd.DataFrame([*_pair("b", "a"), *_pair("a", "c"), *_pair("b", "c")])
    seen = against(table, "a")
    assert seen["other"].unique().tolist() == ["b", "c"]
    first, last = seen.iloc[0], seen.iloc[-1]
    assert (first["difference"], first["low"], first["high"]) == (-0.1, -0.25, 0.05)
    assert (last["difference"], last["low"], last["high"]) == (0.1, -0.05, 0.25)


def test_what_has_no_interval_is_not_given_one(copy: Path, look: Any) -> None:
    _write(copy, _pair("a", "b", low=None, high=None, p=None))
    table = look.of(comparisons(open_run(copy), copy / "figures"), Table)[0]
    assert table.rows[0][1] == "+0.100<br>no interval<br>0.900, 0.800<br>no p"


def test_where_no_two_could_be_compared_nothing_is_drawn(copy: Path, look: Any) -> None:
    write_rows(copy, "comparisons", pd.DataFrame())
    write_rows(copy, "trials_paired", pd.DataFrame())
    section = comparisons(open_run(copy), copy / "figures")
    assert "No two arms were evaluated on the same cohort" in look.words(section)
    assert not look.of(section, Table)
    write_rows(copy, "comparisons", pd.DataFrame({"arm_one": "a", "arm_two": "b", "problem": ["few"]}))
    section = comparisons(open_run(copy), copy / "figures")
    assert "Not compared: a and b. Why: few." in look.words(section)
    assert not look.of(section, Picture)
    assert not (copy / "figures" / "comparisons.svg").exists()


def test_networks_are_compared_trial_by_trial(copy: Path, look: Any, tmp_path: Path) -> None:
    row = {"arm_one": "scratch", "arm_two": "finetuned", "n_trials": 2, "difference": -0.2, "sd": 0.1414}
    pairs = pd.DataFrame([row | {"low": -1.0, "high": 1.0, "p": 0.3, "q": 0.3}])
    write_rows(copy, "trials_paired", pairs)
    _, table = look.of(comparisons(open_run(copy), tmp_path), Table)
    ((pair, apart, ends, p, trials),) = table.rows
    assert "scratch<br>less finetuned" in str(pair)
    assert (apart, trials) == ("−0.200 ± 0.141", "2")
    assert ends == "[−1.000, +1.000]"
    assert p == "p = 0.30, q = 0.30"
    write_rows(copy, "trials_paired", pairs[:0])
    assert len(look.of(comparisons(open_run(copy), tmp_path), Table)) == 1
