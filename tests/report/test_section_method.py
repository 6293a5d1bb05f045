"""The method names what ran and nothing else, on the page as in CITATION.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pellucid.report import section_method
from pellucid.report.run import open_run
from pellucid.report.section_method import citation, method


def test_the_method_names_what_ran_and_nothing_else(finished_run: Path, tmp_path: Path, look: Any) -> None:
    run = open_run(finished_run)
    said = look.words(method(run))
    for words in (
        "18 simulated FLAIR scans of 9 MS and 9 HC",
        "31x37x31",
        "“robust”",
        "finetuned started from the selected",
    ):
        assert words in said
    assert "trained 3 times" in said
    assert "lrp-epsilon (epsilon 0.001)" in said
    assert "2000 bootstrap draws" in said
    (tmp_path / "record.json").write_text("{}")
    nothing = look.words(method(open_run(tmp_path)))
    assert "bootstrap" not in nothing
    assert "Arm" not in nothing


def test_the_citation_holds_the_same_words_and_cites_what_ran(finished_run: Path, tmp_path: Path, look: Any) -> None:
    run = open_run(finished_run)
    text = citation(run)
    assert "18 simulated FLAIR scans of 9 MS and 9 HC" in text
    for reference in ("Eitel F", "Bach S", "Fonov V", "Paszke A"):
        assert reference in text
        assert reference in look.words(method(run))
    (tmp_path / "record.json").write_text("{}")
    nothing = citation(open_run(tmp_path))
    assert "Eitel F" in nothing
    for reference in ("Bach S", "Fonov V", "Paszke A", "Neuromorphometrics"):
        assert reference not in nothing


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"holdout": 4}, "divided once into training, validation and holdout, at random within each group."),
        ({"holdout": 0}, "divided once into training and validation, at random within each group."),
        ({"holdout": 4, "stratify": []}, "divided once into training, validation and holdout, at random."),
        (
            {"scheme": "cross-validation", "folds": 5, "repeats": 2, "stratify": ["group", "sex", "age"]},
            "divided balanced by group, sex, age for a 5-fold cross-validation, repeated 2 times;",
        ),
        ({"scheme": "cross-validation", "folds": 3}, "divided at random within each group for a 3-fold"),
    ],
)
def test_how_a_cohort_was_divided_is_said(how: dict[str, object], said: str) -> None:
    assert said in section_method._split_sentence("ms", how)
