"""Lesion measures are of patients, and of those alone who have lesions to measure."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pellucid.files import read_tsv, write_tsv
from pellucid.report.blocks import Cards, Picture, Table
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


def test_maps_of_untaught_networks_are_nulls(copy: Path, look: Any) -> None:
    text = (copy / "study.toml").read_text(encoding="utf-8")
    (cohort,) = {arm["cohort"] for name, arm in tomllib.loads(text)["training"].items() if name == "finetuned"}
    text = text.replace('arms = ["finetuned"]', 'arms = ["finetuned", "untrained"]')
    text += f'\n[training.untrained]\ncohort = "{cohort}"\nfit = false\n'
    (copy / "study.toml").write_text(text, encoding="utf-8")
    table = read_tsv(copy / "tables" / "lesions.tsv")
    own = table[table["arm"] == "finetuned"]
    write_tsv(copy / "tables" / "lesions.tsv", pd.concat([own, own.assign(arm="untrained", lift=own["lift"] * 3)]))
    run = open_run(copy)
    medians = lesion_medians(run)
    assert medians is not None
    lift = medians.set_index("map")["lift"]
    assert lift["map of untrained"] == pytest.approx(3 * lift["lrp-epsilon"])
    assert list(lift.index).count("random") == 1  # of other arms the map alone, for nulls are the same
    (shown,) = look.of(lesions(run, copy / "figures"), Table)
    (row,) = [row for row in shown.rows if row[0] == "map of untrained"]
    assert row[1] == "null: the method on random weights"


def test_who_was_left_out_is_counted_of_the_map_alone(copy: Path, look: Any) -> None:
    """A null that nobody could measure leaves everybody out, and they are not added to those of the map."""
    table = read_tsv(copy / "tables" / "lesions.tsv")
    table.loc[table["map"] == "mean-lesion", "lift"] = np.nan
    write_tsv(copy / "tables" / "lesions.tsv", table)
    assert "no positive relevance): 1 of 6 subjects." in look.words(lesions(open_run(copy), copy / "figures"))
