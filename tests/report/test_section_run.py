"""Headline numbers come from the tables, and problems are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pellucid.files import read_json, read_tsv, write_json
from pellucid.report.blocks import Cards, Table
from pellucid.report.run import open_run
from pellucid.report.section_run import problems, summary, what_ran


def test_the_opening_of_an_empty_run_names_what_is_missing(tmp_path: Path, look: Any) -> None:
    (tmp_path / "record.json").write_text("{}")
    run = open_run(tmp_path)
    notes = look.notes(what_ran(run))
    assert [
        path for path in ("table1.tsv", "splits.json", "tasks", "runs", "study.toml") if path not in str(notes)
    ] == []
    assert look.notes(summary(run))
    assert problems(run) is None


def test_headline_numbers_come_from_the_tables(finished_run: Path, look: Any) -> None:
    run = open_run(finished_run)
    (cards,) = look.of(summary(run), Cards)
    by_source = {card.source: card for card in cards.cards}
    assert len(cards.cards) == 4
    table = read_tsv(finished_run / "tables" / "table2.tsv").set_index(["arm", "metric"])
    auc = table.loc[("finetuned", "auc"), "mean"]
    assert cards.cards[0].value == f"{100 * auc:.1f} %"
    raw = read_tsv(finished_run / "tables" / "lesions.tsv")
    own = raw[(raw["map"] == "lrp-epsilon") & (raw["group"] == "MS")]["lift"]
    assert float(by_source["tables/lesions_summary.tsv"].value[:-1]) == pytest.approx(own.median(), rel=5e-3)
    assert "median of 5 patients" in by_source["tables/lesions_summary.tsv"].detail
    assert "Simulated scans (ms)" in look.words(summary(run))


def test_problems_name_subjects_and_failed_tasks(copy: Path, look: Any) -> None:
    record = read_json(copy / "record.json")
    record["tasks"]["train/scratch/trial-00"] = {"state": "failed", "error": "out of memory"}
    write_json(copy / "record.json", record)
    section = problems(open_run(copy))
    assert section is not None
    (table,) = look.of(section, Table)
    assert ["store/ms", "sub-0099", "the gzip file is truncated. Copy it again."] in table.rows
    assert ["task train/scratch/trial-00", "failed", "out of memory"] in table.rows
