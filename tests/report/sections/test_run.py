"""Headline numbers come from the tables, and problems are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.runs import change_arm, change_spec, cross_validated, write_rows

from pellucid.ground.files import read_json, read_tsv, write_json, write_tsv
from pellucid.report.html.blocks import Cards, Code, Note, Table
from pellucid.report.sections.run import left_out, problems, summary, what_ran
from pellucid.rundir.run import open_run


def test_the_opening_of_an_empty_run_names_what_is_missing(tmp_path: Path, look: Any) -> None:
    (tmp_path / "record.json").write_text("{}")
    run = open_run(tmp_path)
    notes = look.notes(what_ran(run))
    assert [
        path for path in ("table1.tsv", "splits.json", "tasks", "runs", "study.toml") if path not in str(notes)
    ] == []
    assert look.notes(summary(run))
    assert problems(run) is None
    (tmp_path / "record.json").write_text('{"runs": [{"started": "some <day>", "finished": "5"}]}')
    assert "Run from 'some <day>' to '5' UTC" in look.words(what_ran(open_run(tmp_path)))


def test_headline_numbers_come_from_the_tables(finished_run: Path, look: Any) -> None:
    run = open_run(finished_run)
    (cards,) = look.of(summary(run), Cards)
    assert len(cards.cards) == 5
    table = read_tsv(finished_run / "tables" / "table2.tsv").set_index(["arm", "metric"])
    auc = table.loc[("finetuned", "auc"), "mean"]
    assert cards.cards[0].value == f"{auc:.3f}"
    raw = read_tsv(finished_run / "tables" / "lesions.tsv")
    own = raw.query("map == 'lrp-epsilon' and group == 'MS' and arm == 'finetuned'")
    lesions = [card for card in cards.cards if card.source == "tables/lesions_compared.tsv"]
    for card, measure in zip(lesions, ("average_precision", "lift"), strict=True):
        assert float(card.value.rstrip("×")) == pytest.approx(own[measure].median(), rel=5e-3)
        assert "median of 2 patients" in card.detail
        assert "best null" in card.detail
    assert "Simulated scans (ms and pretraining)" in look.words(summary(run))


def test_problems_name_subjects_and_failed_tasks(copy: Path, look: Any) -> None:
    record = read_json(copy / "record.json")
    record["tasks"]["train/scratch/trial-00"] = {"state": "failed", "error": "out of memory"}
    broken = {"subject": "sub-0099", "message": "the gzip file is truncated. Copy it again."}
    odd = {"subject": "group 'CIS'", "message": "is not used: <b>sub-7</b>"}
    record["tasks"]["store/ms"] |= {"problems": [broken], "remarks": [odd]}
    record["tasks"]["store/ms_filled"].pop("remarks")
    write_json(copy / "record.json", record)
    section = problems(open_run(copy))
    assert section is not None
    table, remarks = look.of(section, Table)
    assert remarks.rows == [["store/ms", "group 'CIS'", "is not used: <b>sub-7</b>"]]
    assert ["store/ms", "sub-0099", "the gzip file is truncated. Copy it again."] in table.rows
    assert ["task train/scratch/trial-00", "failed", "out of memory"] in table.rows


def test_a_task_that_was_tried_again_is_named_with_how_often(copy: Path, look: Any) -> None:
    record = read_json(copy / "record.json")
    record["tasks"]["train/finetuned/trial-00"]["attempts"] = 2
    record["tasks"]["train/scratch/trial-00"] = {"state": "failed", "error": "out of memory", "attempts": 3}
    write_json(copy / "record.json", record)
    run = open_run(copy)
    table = look.of(problems(run), Table)[0]
    assert ["task train/scratch/trial-00", "failed, tried 3 times", "out of memory"] in table.rows
    (note,) = look.of(what_ran(run), Note)
    assert note.text == "Done, but not in the first attempt: train/finetuned/trial-00, tried 2 times."
    log = next(block for block in look.of(what_ran(run), Table) if block.header[0] == "Task")
    outcomes = {row[0]: row[1] for row in log.rows}
    assert outcomes["train/finetuned/trial-00"] == "done, tried 2 times"
    assert outcomes["train/scratch/trial-00"] == "failed, tried 3 times"
    assert outcomes["train/scratch/trial-01"] == "done"


def test_a_run_without_a_second_attempt_says_nothing_of_it(finished_run: Path, look: Any) -> None:
    assert not look.of(what_ran(open_run(finished_run)), Note)


def test_table_1_keeps_every_number_and_says_how_many_are_known(copy: Path, look: Any) -> None:
    numbers = {"participants": 8, "scans": 11, "female": 3, "sex_known": 7}
    age = {"age_n": 6, "age_mean": 40.25, "age_sd": 5.5, "age_min": 31.0, "age_max": 52.0}
    edss = {"edss_n": 8, "edss_mean": 9.0, "edss_sd": 9.0, "edss_median": 2.5, "edss_min": 1.0, "edss_max": 6.5}
    months = {"n": 8, "mean": 149.65, "sd": 123.35, "min": 2.0, "max": 400.0}
    duration = {f"disease_duration_months_{name}": value for name, value in months.items()}
    row = {"cohort": "ms", "group": "MS", "role": "all", **numbers, **age, **edss, **duration, "lesion_volume_ml_n": 0}
    write_rows(copy, "table1", pd.DataFrame([row]))
    table = look.of(what_ran(open_run(copy)), Table)[0]
    assert table.header[5] == "Disease (months)"
    assert table.rows == [
        [
            "ms",
            "MS<br>all",
            "8 (11)<br>3 women of 7",
            "40.2 ± 5.50<br>(31.0–52.0)<br>of 6",
            "2.50<br>(1.00–6.50)",
            "150 ± 123<br>(2.00–400)",
            "–",
        ]
    ]


def test_who_an_arm_left_out_is_counted_with_the_reason(copy: Path, look: Any) -> None:
    run = open_run(copy)
    assert look.words(what_ran(run)).endswith("No arm and no baseline had to exclude a participant of its cohort.")
    drop = ["sub-0001", "sub-0002", "sub-0010"]
    for trial in ("trial-00", "trial-01"):
        path = copy / "models" / "scratch" / trial / "predictions.tsv"
        whole = read_tsv(path)
        write_tsv(path, whole[~whole["participant_id"].isin(drop)])
    change_spec(copy, lambda spec: change_arm(spec, "scratch", images="lesion-mask"))
    home = copy / "baselines" / "confounds" / "trial-00"
    whole, described = read_tsv(home / "predictions.tsv"), read_json(home / "model.json")
    write_tsv(home / "predictions.tsv", whole[whole["participant_id"] != "sub-0003"])
    left = [{"participant_id": "sub-0003", "reason": "no volume"}]
    write_json(home / "model.json", described | {"excluded": left})
    (table,) = left_out(open_run(copy))
    assert isinstance(table, Table)
    assert table.rows == [
        ["scratch", "no lesion mask, which lesion-mask images need", "3 of 10<br>1 HC, 2 MS"],
        ["confounds", "no volume", "1 of 10<br>1 MS"],
    ]
    assert "No participant was excluded from pretraining, finetuned, untrained," in str(table.caption)


def test_training_subjects_that_were_not_drawn_are_not_left_out(copy: Path) -> None:
    change_spec(copy, lambda spec: change_arm(spec, "scratch", subjects=2))
    splits = read_tsv(copy / "splits.tsv")
    training = splits.loc[splits["role"] == "train", "participant_id"]
    for trial in ("trial-00", "trial-01"):
        predicted = copy / "models" / "scratch" / trial / "predictions.tsv"
        whole = read_tsv(predicted)
        write_tsv(predicted, whole[~whole["participant_id"].isin(training)])
    assert not [block for block in left_out(open_run(copy)) if isinstance(block, Table)]


def test_the_headline_is_that_of_the_arm_explained_and_of_no_baseline(copy: Path, look: Any) -> None:
    table = read_tsv(copy / "tables" / "table2.tsv")
    write_tsv(copy / "tables" / "table2.tsv", pd.concat([table.assign(arm="a-baseline", mean=0.123), table]))
    for path in (copy / "maps").glob("*/*/*.nii.gz"):
        path.unlink()
    (cards,) = look.of(summary(open_run(copy)), Cards)
    assert [card.label for card in cards.cards][:2] == ["AUC, finetuned", "Balanced accuracy, finetuned"]


def test_the_opening_says_what_each_arm_is_and_in_how_many_folds(copy: Path, look: Any) -> None:
    change_spec(copy, lambda spec: cross_validated(spec, folds=4, repeats=2))
    words = look.words(what_ran(open_run(copy)))
    assert "pretraining (cohort pretraining, 1 trial, from random weights)" in words
    assert "pretrained-only (cohort ms, 1 trial in each of 8 folds, starting from pretraining, not trained)" in words
    assert "Study “tiny” (A small study for tests). Seed 3." in words
    assert ", in 2 goes." in words


def test_a_page_without_its_specification_says_why(copy: Path, look: Any) -> None:
    (copy / "study.toml").write_text("[study]\nnmae = 'tiny'\n")
    section = what_ran(open_run(copy))
    (note,) = look.notes(section)
    assert "Missing: the specification" in note
    assert "unknown key `study.nmae`" in note
    assert "nmae" in look.of(section, Code)[0].text
