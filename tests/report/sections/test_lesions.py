"""Lesion measures are of patients who have lesions, and every word of them is a comparison with the best null."""

from __future__ import annotations

from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.runs import write_rows

from pellucid.ground.files import read_tsv, write_tsv
from pellucid.report.html.blocks import Cards, Picture, Table
from pellucid.report.sections.lesions import lesions
from pellucid.report.sections.run import summary
from pellucid.rundir.run import open_run
from pellucid.trust.lesion_measures import MEASURES
from pellucid.trust.lesion_summary import compare_with_nulls, in_words, lesion_summary
from pellucid.trust.nulls import NULLS

METHOD = "lrp-epsilon"


def _write(root: Path, rows: pd.DataFrame) -> None:
    """Write tables/lesions.tsv and what a study makes of it."""
    write_rows(root, "lesions", rows)
    groups, patients = rows.groupby(["arm", "group"], sort=False), rows[rows["group"] == "MS"]
    summaries = [lesion_summary(one).assign(arm=arm, method=METHOD, group=group) for (arm, group), one in groups]
    write_rows(root, "lesions_summary", pd.concat(summaries))
    compared = [
        compare_with_nulls(one).assign(arm=arm, method=METHOD) for arm, one in patients.groupby("arm", sort=False)
    ]
    write_rows(root, "lesions_compared", pd.concat(compared))


@pytest.fixture
def copy(copy: Path) -> Path:
    """The lesions of a patient, sub-0010, were not drawn, controls have none, and no regression could be fitted."""
    rows = read_tsv(copy / "tables" / "lesions.tsv")
    numbers = rows.select_dtypes("number").columns
    for of, why in (
        (rows["group"] == "HC", "the lesion mask is empty"),
        (rows["participant_id"] == "sub-0010", "no lesion mask"),
        (rows["map"] == "logistic", "no regression"),
    ):
        rows.loc[of, numbers] = np.nan
        rows.loc[of, "reason"] = why
    _write(copy, rows)
    return copy


def test_what_is_missing_is_named_and_nothing_is_drawn(empty_run: Path, look: Any) -> None:
    section = lesions(open_run(empty_run), empty_run / "figures")
    for name in ("lesions", "lesions_summary", "lesions_compared"):
        assert any(f"tables/{name}.tsv" in note for note in look.notes(section))
    look.nothing_was_made(section, empty_run)


def test_each_measure_is_paired_with_the_best_null_of_the_patients(copy: Path, look: Any) -> None:
    raw = read_tsv(copy / "tables" / "lesions.tsv")
    expected = compare_with_nulls(raw.query("group == 'MS' and arm == 'finetuned'")).to_dict("records")
    section = lesions(open_run(copy), copy / "figures")
    table = look.of(section, Table)[0]
    shown = [[str(row[0]).partition("<br>")[2], row[1]] for row in table.rows]
    assert shown == [[row["map"], in_words(row)] for row in expected]
    assert all(row["best_null"] in str(shown[3]) for row, shown in zip(expected, table.rows, strict=True))
    assert "Excluded, because nothing can be measured in them: 1." in table.caption
    assert "for the maps of this one network" in table.caption
    strongest = [row for row in table.rows if str(row[0]).startswith("strongest voxel in a lesion")]
    scan = next(row for row in expected if row["measure"] == "strongest_in_lesion")["scan_value"]
    assert float(strongest[0][4]) == pytest.approx(scan, abs=5e-3)  # never without the scan's


def test_cards_and_captions_say_what_the_comparison_says(copy: Path, look: Any) -> None:
    compared = read_tsv(copy / "tables" / "lesions_compared.tsv").query("map == @METHOD and arm == 'finetuned'")
    compared = compared.set_index("measure", drop=False)
    run = open_run(copy)
    cards = [card for card in look.of(summary(run), Cards)[0].cards if card.source == "tables/lesions_compared.tsv"]
    pictures = look.of(lesions(run, copy / "figures"), Picture)
    assert [picture.stem for picture in pictures] == ["lesions-precision", "lesions"]
    for measure, card, picture in zip(("average_precision", "lift"), cards, pictures, strict=True):
        words = in_words(compared.loc[measure])
        assert words in card.detail
        assert words in picture.caption
        assert float(card.value.rstrip("×")) == pytest.approx(compared.loc[measure, "map_value"], rel=5e-3)


def test_a_map_that_is_the_scan_is_no_better_than_bright_voxels(copy: Path, look: Any) -> None:
    table = read_tsv(copy / "tables" / "lesions.tsv").query("arm == 'finetuned'").reset_index(drop=True)
    scans = table[table["map"] == "intensity"].set_index("participant_id")[[*MEASURES]]
    mine = table["map"].isin([METHOD, f"|{METHOD}|"])
    table.loc[mine, [*MEASURES]] = scans.loc[table.loc[mine, "participant_id"]].to_numpy()
    _write(copy, table)
    run = open_run(copy)
    (words, *_), *_ = [row[1:] for row in look.of(lesions(run, copy / "figures"), Table)[0].rows]
    assert words.startswith("no better than bright voxels")
    assert "no better than bright voxels" in str([card.detail for card in look.of(summary(run), Cards)[0].cards])


def test_every_null_has_its_row_and_what_could_not_be_made_its_reason(copy: Path, look: Any) -> None:
    section = lesions(open_run(copy), copy / "figures")
    medians = look.of(section, Table)[1]
    text = [[str(cell) for cell in row] for row in medians.rows]
    names = [row[0].removeprefix("<strong>").partition("<br>")[0] for row in text]
    of_others = ["map of untrained", "map of pretrained-only"]
    assert [name for name in names if name not in of_others] == ["lrp-epsilon", "|lrp-epsilon|", *NULLS]
    assert set(of_others) < set(names)
    shown = dict(zip(names, (unescape(row[0]) for row in text), strict=True))
    assert all(shown[name].endswith(f"null: {null.meaning}") for name, null in NULLS.items())
    assert text[2][0].endswith("<br>null: the scaled scan itself")
    words = look.words(section)
    assert "Not measured: logistic (no regression)." in words
    assert "no lesion mask: 1" in words
    assert "of the map's positive relevance lies outside lesions" in words


def test_lesions_of_controls_are_summed_up_apart(copy: Path, look: Any) -> None:
    summaries = read_tsv(copy / "tables" / "lesions_summary.tsv")
    row = summaries[(summaries["group"] == "HC") & (summaries["map"] == METHOD)].iloc[0]
    write_tsv(copy / "tables" / "lesions_summary.tsv", summaries)
    words = look.words(lesions(open_run(copy), copy / "figures"))
    assert ("Group HC" in words) == (row["people"] > 0)
    moved = summaries.copy()
    moved.loc[(moved["group"] == "HC") & (moved["map"] == METHOD), ["people", "lift", "positive_share"]] = 3, 7.7, 0.1
    write_tsv(copy / "tables" / "lesions_summary.tsv", moved)
    words = look.words(lesions(open_run(copy), copy / "figures"))
    assert "Group HC: 90.0 %" in words
    assert "lift is 7.70" in words


def test_a_run_without_lesion_masks_measures_nothing(copy: Path, look: Any) -> None:
    table = read_tsv(copy / "tables" / "lesions.tsv")
    numbers = table.select_dtypes("number").columns
    empty = table.assign(**dict.fromkeys(numbers, np.nan), reason="no lesion mask")
    _write(copy, empty)
    section = lesions(open_run(copy), copy / "figures")
    assert "Nothing can be measured: no lesion mask." in look.words(section)
    assert not look.of(section, Picture)
    cards = look.of(summary(open_run(copy)), Cards)[0].cards
    assert all(card.source != "tables/lesions_compared.tsv" for card in cards)


def test_maps_of_untaught_networks_stand_beside_and_are_paired(copy: Path, look: Any) -> None:
    row = {"arm": "finetuned", "method": METHOD, "untaught": "untrained", "map": METHOD, "map_value": 0.5}
    row |= {"untaught_value": 0.25}
    row |= {"difference": 0.2, "low": 0.1, "high": 0.3, "people": 5}
    rows = [row | {"measure": measure} for measure in MEASURES]
    write_rows(copy, "lesions_untaught", pd.DataFrame(rows))
    section = lesions(open_run(copy), copy / "figures")
    medians = look.of(section, Table)[1]
    maps = [str(row[0]) for row in medians.rows]
    assert "map of untrained<br>not taught: the method on random weights" in maps
    assert sum(name.startswith("random<br>") for name in maps) == 1  # of other arms the map alone
    words = look.words(section)
    assert "arm untrained (random weights), over 5 participants" in words
    assert "0.500 against 0.250, paired difference 0.200 [0.100, 0.300]" in words
