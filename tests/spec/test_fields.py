"""TOML tables to dataclasses and back: every wrong key and type is named, every right one survives the round trip."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.ground.errors import InputError
from pellucid.spec.fields import flatten, read_fields, refuse_unknown, to_table, to_toml

FILE = Path("/folder/study.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    depth: int

    def __post_init__(self) -> None:
        if self.depth < 0:
            raise InputError("Inner.depth", f"is {self.depth}", "Give 0 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    name: str
    rate: float = 0.5
    count: int = 1
    size: int | float = 0
    on: bool = False
    colour: Literal["red", "green"] = "red"
    where: Path | None = None
    inner: Inner | None = None
    sizes: tuple[float, ...] = ()
    free: dict[str, Any] = field(default_factory=dict)


def read(table: dict[str, Any]) -> Outer:
    return read_fields(Outer, table, file=FILE, key="outer")


def test_reads_every_kind_of_value() -> None:
    found = read(
        {
            "name": "n",
            "rate": 2,
            "count": 3,
            "on": True,
            "colour": "green",
            "where": "../data",
            "inner": {"depth": 4},
            "sizes": [1, 2.5],
            "free": {"a": 1, "b": {"c": ["x", {"d": 2}]}},
        }
    )
    assert found == Outer(
        name="n",
        rate=2.0,
        count=3,
        on=True,
        colour="green",
        where=Path("/data"),
        inner=Inner(depth=4),
        sizes=(1.0, 2.5),
        free={"a": 1, "b": {"c": ["x", {"d": 2}]}},
    )
    assert type(found.rate) is float


def test_a_path_may_name_environment_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA", "/data")
    assert read({"name": "n", "where": "$DATA/ms"}).where == Path("/data/ms")
    monkeypatch.setenv("DATA", "data")  # from where the command is given, not from the specification's folder
    assert read({"name": "n", "where": "${DATA}/ms"}).where == (tmp_path / "data" / "ms").resolve()
    monkeypatch.delenv("DATA")
    with pytest.raises(InputError, match=r"`outer.where` is '\$DATA/ms', but \$DATA is not set"):
        read({"name": "n", "where": "$DATA/ms"})


@pytest.mark.parametrize(("given", "kind"), [(3, int), (0.25, float)])
def test_a_whole_number_stays_one_where_both_are_accepted(given: float, kind: type) -> None:
    found = read({"name": "n", "size": given})
    assert found.size == given
    assert type(found.size) is kind


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({}, ["`outer.name` is missing", "text in quotes"]),
        ({"name": 3}, ["`outer.name` is 3", "text in quotes"]),
        ({"name": "n", "rat": 1.0}, ["unknown key `outer.rat`", "Did you mean `rate`?", "[outer]", "colour"]),
        ({"name": "n", "zzz": 1.0}, ["unknown key `outer.zzz`", "Accepted in [outer]"]),
        ({"name": "n", "count": 1.5}, ["`outer.count` is 1.5", "a whole number"]),
        ({"name": "n", "count": True}, ["`outer.count` is True", "a whole number"]),
        ({"name": "n", "rate": False}, ["`outer.rate` is False", "a number"]),
        ({"name": "n", "on": 1}, ["`outer.on` is 1", "true or false"]),
        ({"name": "n", "size": "big"}, ["`outer.size` is 'big'", "a whole number or a number"]),
        ({"name": "n", "size": True}, ["`outer.size` is True"]),
        ({"name": "n", "colour": "gren"}, ["`outer.colour` is 'gren'", "Did you mean `green`?", '"red", "green"']),
        ({"name": "n", "where": 7}, ["`outer.where` is 7", "a path in quotes"]),
        ({"name": "n", "inner": 7}, ["`outer.inner` is 7", "[outer.inner]"]),
        ({"name": "n", "inner": {"depth": -1}}, ["`outer.inner.depth` is -1", "Give 0 or more"]),
        ({"name": "n", "sizes": 7}, ["`outer.sizes` is 7", "a list, each item a number"]),
        ({"name": "n", "sizes": ["a"]}, ["`outer.sizes` is 'a'", "a number"]),
        ({"name": "n", "free": 7}, ["`outer.free` is 7", "[outer.free]"]),
    ],
)
def test_what_is_wrong_is_named(table: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        read(table)
    message = str(caught.value)
    assert message.startswith(f"{FILE}: ")
    for word in words:
        assert word in message


def test_a_key_at_the_top_says_so() -> None:
    with pytest.raises(InputError, match="at the top of the file: study"):
        refuse_unknown({"stdy": {}}, ["study"], file=FILE, key="")


VALUES = st.one_of(
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.lists(st.integers(), max_size=3),
    st.lists(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.booleans(), max_size=2), max_size=2),
)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
TABLES = st.recursive(
    st.dictionaries(NAMES, VALUES, max_size=3),
    lambda inner: st.dictionaries(NAMES, VALUES | inner, max_size=3),
    max_leaves=8,
)


@given(table=TABLES)
def test_toml_that_is_written_reads_back_equal(table: dict[str, Any]) -> None:
    assert tomllib.loads(to_toml(table)) == table


def test_what_is_none_is_left_out_and_comes_back() -> None:
    value = Outer(name="n", where=Path("/data"), sizes=(1.0,), inner=Inner(depth=2))
    table = to_table(value)
    assert "where" in table
    assert "inner" not in to_table(Outer(name="n"))
    assert read(table) == value


def test_flatten_joins_keys_with_dots() -> None:
    assert flatten({"a": {"b": 1, "c": {"d": [2]}}, "e": 3}) == {"a.b": 1, "a.c.d": [2], "e": 3}
