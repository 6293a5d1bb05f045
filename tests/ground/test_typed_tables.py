"""Tables that people type: every line a row, and every cell a text."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.ground.errors import InputError
from pellucid.ground.typed_tables import read_typed

cells = st.text("ab1 .,'-é", min_size=1, max_size=4).map(lambda text: f"x{text}")


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@given(st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=5), st.sampled_from(["\n", "\r\n", "\r"]))
def test_a_plain_table_is_read_as_the_csv_module_reads_it(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]], end: str
) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter="\t", lineterminator=end).writerows([("a", "b", "c"), *rows])
    path = write(tmp_path_factory.mktemp("t") / "t.tsv", text.getvalue())
    assert [tuple(row.cells.values()) for row in read_typed(path).rows] == rows


TEXT = "participant_id\tgroup\nsub-01\tMS\nsub-02\tHC\n"


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode("utf-8-sig"),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.encode("utf-16"),
        TEXT.replace("_id", "_id ").encode(),
        TEXT.replace("\n", "\n\n").encode(),
        TEXT.replace("MS", "MS\t").encode(),
        TEXT.replace("\n", "\t\n").encode(),
        b"\n" + TEXT.encode(),
    ],
)
def test_what_editors_make_of_a_table_is_read_alike(content: bytes, tmp_path: Path) -> None:
    table = read_typed(write(tmp_path / "t.tsv", content))
    assert table.columns == ("participant_id", "group")
    assert [row.cells for row in table.rows] == [
        {"participant_id": "sub-01", "group": "MS"},
        {"participant_id": "sub-02", "group": "HC"},
    ]
    assert not any(row.problem for row in table.rows)
    assert len(table.remarks) == (b"_id " in content)


def test_a_quotation_mark_reaches_to_the_end_of_its_line_at_most(tmp_path: Path) -> None:
    table = read_typed(write(tmp_path / "t.tsv", 'a\tb\n1\t"x\n2\ty"\n"3"\t"a ""b"""\n'))
    assert [tuple(row.cells.values()) for row in table.rows] == [("1", '"x'), ("2", 'y"'), ("3", 'a "b"')]
    assert table.remarks == ("line 2: a quotation mark is not closed; it was read as a letter",)


def test_cells_that_may_have_moved_are_named_with_their_line(tmp_path: Path) -> None:
    table = read_typed(write(tmp_path / "t.tsv", "a\tb\tc\n1\t2\t3\n1\t3\n1\t2\t3\t4\n"))
    assert [row.problem and row.problem[:30] for row in table.rows] == [
        None,
        "line 3 has 2 cells and the hea",
        "line 4 has 4 cells and the hea",
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is empty"),
        (b"participant_id,group\nsub-01,MS\n", "separated by commas"),
        (b"participant_id;group\n", "separated by semicolons"),
        (b"a\tb\ta\n", "has 'a' as the name of two columns"),
        ("a\nMüller\n".encode("latin-1"), "line 2 is not UTF-8 text"),
        (b"a\n" * 300_000, "it has 300000 lines"),
        (b"a\tb" * 6_000_000, "it has 18000000 bytes"),
    ],
)
def test_what_is_no_table_is_refused_with_what_it_is(content: bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        read_typed(write(tmp_path / "t.tsv", content))
    with pytest.raises(InputError, match="does not exist"):
        read_typed(tmp_path / "none.tsv")


def test_a_column_that_is_missing_is_asked_for_with_the_one_that_may_be_meant(tmp_path: Path) -> None:
    table = read_typed(write(tmp_path / "t.tsv", "Participant_ID\tgroup\n"))
    with pytest.raises(InputError, match=r"has no column 'participant_id'. Did you mean 'Participant_ID'"):
        table.require("participant_id")
