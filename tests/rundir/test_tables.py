"""The declared columns of a run's tables: what a task may write, and what a reader is told that misses."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from pellucid.ground.errors import InputError
from pellucid.ground.files import write_tsv
from pellucid.rundir.tables import as_declared, declare, flags, numbers, read_table, texts

SHOES = "shoes"
declare(SHOES, texts("participant_id"), numbers("size width_*"), flags("worn"), texts("maker"))


@pytest.fixture
def pair() -> pd.DataFrame:
    return pd.DataFrame(
        {"worn": [True, None], "width_b": [1, 2], "size": [40.5, None], "participant_id": ["01", "02"], "maker": None}
    )


def test_a_table_is_written_in_the_declared_order_a_family_in_its_place(pair: pd.DataFrame) -> None:
    assert list(as_declared(pair, SHOES)) == ["participant_id", "size", "width_b", "worn", "maker"]
    empty = pd.DataFrame(columns=["participant_id", "size", "worn", "maker"])
    assert list(as_declared(empty, SHOES)) == list(empty)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"colour": "red"}, "column colour is not declared"),
        ({"size": "large"}, "column size has values that are not numbers"),
        ({"worn": [0.5, 1.0]}, "column worn has values that are not true and false"),
        ({"maker": 3}, "column maker has values that are not text"),
    ],
)
def test_what_is_not_declared_is_not_written(pair: pd.DataFrame, change: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        as_declared(pair.assign(**change), SHOES)


def test_all_that_is_wrong_is_said_at_once(pair: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="column length is not declared; column size is missing"):
        as_declared(pair.rename(columns={"size": "length"}), SHOES)


def test_a_table_is_read_with_the_kinds_that_it_was_declared_with(pair: pd.DataFrame, tmp_path: Path) -> None:
    write_tsv(tmp_path / "shoes.tsv", pair.assign(notes="beside"))
    table = read_table(tmp_path / "shoes.tsv", SHOES)
    assert table["participant_id"].tolist() == ["01", "02"]
    assert table["size"].dtype == float
    assert table["notes"].tolist() == ["beside", "beside"]  # who adds a column breaks no reader


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"size": ["40.5", "large"]}, "'large' in column size, no number"),
        ({"width_b": ["narrow", "1"]}, "'narrow' in column width_b, no number"),
        ({"worn": ["True", "often"]}, "'often' in column worn, neither True nor False"),
    ],
)
def test_a_cell_of_another_kind_is_named_with_its_line(
    pair: pd.DataFrame, tmp_path: Path, change: dict[str, object], words: str
) -> None:
    write_tsv(tmp_path / "shoes.tsv", pair.assign(**change))
    with pytest.raises(InputError, match=words):
        read_table(tmp_path / "shoes.tsv", SHOES)


def test_columns_that_are_missing_are_named(pair: pd.DataFrame, tmp_path: Path) -> None:
    write_tsv(tmp_path / "shoes.tsv", pair.drop(columns=["size", "maker"]))
    with pytest.raises(InputError, match="the table lacks the column size, maker"):
        read_table(tmp_path / "shoes.tsv", SHOES)


def test_a_table_that_nobody_declared_is_no_table_of_a_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'unheard-of' is not known"):
        read_table(tmp_path / "shoes.tsv", "unheard-of")
