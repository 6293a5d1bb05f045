"""Lesion measures are of patients, and of those alone who have lesions to measure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid.files import read_tsv, write_tsv
from pellucid.report.blocks import Cards, Picture
from pellucid.report.run import open_run
from pellucid.report.section_lesions import lesion_medians, lesions
from pellucid.report.section_run import summary


def test_what_is_missing_is_named_and_nothing_is_drawn(empty_run: Path, look: Any) -> None:
    section = lesions(open_run(empty_run), empty_run / "figures")
    assert any("tables/lesions.tsv" in note for note in look.notes(section))
    look.nothing_was_made(section, empty_run)


def test_lesion_medians_are_of_patients_alone(finished_run: Path) -> None:
    medians = lesion_medians(open_run(finished_run))
    assert medians is not None
    by_map = medians.set_index("map")
    assert by_map.loc["lrp-epsilon", "subjects"] == 5
    assert by_map.loc["lrp-epsilon", "without"] == 1
    assert by_map.loc["random", "lift"] == pytest.approx(1.0, abs=0.2)


def test_a_run_without_lesion_masks_measures_nothing(copy: Path, look: Any) -> None:
    table = read_tsv(copy / "tables" / "lesions.tsv")
    numbers = table.select_dtypes("number").columns
    write_tsv(copy / "tables" / "lesions.tsv", table.assign(**dict.fromkeys(numbers, np.nan)))
    section = lesions(open_run(copy), copy / "figures")
    assert "nothing can be measured" in look.words(section)
    assert not look.of(section, Picture)
    assert all(card.source != "tables/lesions_summary.tsv" for card in look.of(summary(open_run(copy)), Cards)[0].cards)
