"""The method names what ran and nothing else, on the page as in CITATION.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
