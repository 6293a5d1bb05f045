"""Checked dataclasses, from keywords and from tables of a file: every wrong key, type and value is named."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from annotated_types import MinLen
from pydantic import Field

from pellucid.ground.checked import checked, describe, keys_of, read_checked
from pellucid.ground.errors import CombinedInputError, InputError
from pellucid.ground.limits import Name, Number, Several, Switch, Text, Whole, Words

FILE = Path("/folder/study.toml")


@checked
@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    depth: Annotated[int, Whole(-9, 9)]
    width: Annotated[int, Whole(0)] = 0

    def __post_init__(self) -> None:
        if self.depth < self.width:
            raise InputError("depth", f"is {self.depth}", "Give the width or more")


@checked
@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    kind: Literal["round"] = "round"
    radius: Annotated[int, Whole(1, 9)] = 1


@checked
@dataclass(frozen=True, slots=True, kw_only=True)
class Square:
    kind: Literal["square"] = "square"
    side: Annotated[int, Whole(1, 9)] = 1


Size = Annotated[
    Annotated[int, Whole(0, 99)] | Annotated[float, Number(least=0, below=1, words="a share")],
    Words("a share below 1 or a whole number"),
]


@checked
@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    name: str
    rate: Annotated[float, Number(above=0, most=5, words="a number above 0, 5 at most")] = 0.5
    count: Annotated[int, Whole(1, 9)] | None = None
    size: Size = 0
    on: Switch = False
    colour: Literal["red", "green"] = "red"
    net: Annotated[str, Text("[a-z]+:[A-Z]+", '"paper" or "own:NAME"', ("paper",))] = "paper"
    where: Path | None = None
    inner: Inner | None = None
    shape: Annotated[Round | Square, Field(discriminator="kind")] | None = None
    sizes: tuple[Annotated[int, Whole(1, 9)], ...] = ()
    few: Annotated[tuple[Literal["a", "b", "c", "d"], ...], Several(1, 3)] = ("a",)
    named: dict[Name, Inner] = field(default_factory=dict)
    free: dict[str, Any] = field(default_factory=dict)


@checked
@dataclass(frozen=True, slots=True, kw_only=True)
class Top:
    outer: Outer
    some: Annotated[dict[Name, Inner], MinLen(1)] = field(default_factory=dict)


def read(table: dict[str, Any]) -> Outer:
    return read_checked(Top, {"outer": table}, file=FILE).outer


def test_reads_every_kind_of_value() -> None:
    found = read(
        {
            "name": "n",
            "rate": 2,
            "count": 3,
            "on": True,
            "colour": "green",
            "net": "own:N",
            "where": "/data",
            "inner": {"depth": 4},
            "shape": {"kind": "square", "side": 2},
            "sizes": [1, 2],
            "few": ["b", "a"],
            "named": {"first": {"depth": 1}},
            "free": {"a": 1, "b": {"c": ["x", {"d": 2}]}},
        }
    )
    assert found == Outer(
        name="n",
        rate=2.0,
        count=3,
        on=True,
        colour="green",
        net="own:N",
        where=Path("/data"),
        inner=Inner(depth=4),
        shape=Square(side=2),
        sizes=(1, 2),
        few=("b", "a"),
        named={"first": Inner(depth=1)},
        free={"a": 1, "b": {"c": ["x", {"d": 2}]}},
    )
    assert type(found.rate) is float


def test_an_instance_is_frozen_and_travels() -> None:
    value = Outer(name="n", inner=Inner(depth=2), shape=Round())
    assert pickle.loads(pickle.dumps(value)) == value
    assert replace(value, name="m").inner is value.inner
    with pytest.raises(FrozenInstanceError):
        value.name = "m"  # type: ignore[misc]
    with pytest.raises(InputError, match="count: is 0"):
        replace(value, count=0)


@pytest.mark.parametrize(("given", "kind"), [(3, int), (0.25, float), (0.0, float)])
def test_a_whole_number_stays_one_where_both_are_accepted(given: float, kind: type) -> None:
    found = read({"name": "n", "size": given})
    assert found.size == given
    assert type(found.size) is kind


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({}, ["`outer.name` is missing", "text in quotes"]),
        ({"name": 3}, ["`outer.name` is 3", "text in quotes"]),
        ({"rat": 1.0}, ["unknown key `outer.rat`", "Did you mean `rate`?", "Accepted in [outer]: name, rate,"]),
        ({"zzz": 1.0}, ["unknown key `outer.zzz`", "Accepted in [outer]"]),
        ({"rate": False}, ["`outer.rate` is False", "a number above 0, 5 at most"]),
        ({"rate": "1"}, ["`outer.rate` is '1'"]),
        ({"rate": 0}, ["`outer.rate` is 0"]),
        ({"rate": 5.5}, ["`outer.rate` is 5.5"]),
        ({"rate": float("nan")}, ["`outer.rate` is nan"]),
        ({"count": 1.0}, ["`outer.count` is 1.0", "Give a whole number from 1 to 9"]),
        ({"count": True}, ["`outer.count` is True"]),
        ({"count": 10}, ["`outer.count` is 10"]),
        ({"count": 10**4400}, ["`outer.count` is a number of 14617 bits"]),
        ({"on": 1}, ["`outer.on` is 1", "true or false"]),
        ({"size": "big"}, ["`outer.size` is 'big'", "Give a share below 1 or a whole number"]),
        ({"size": True}, ["`outer.size` is True"]),
        ({"size": 1.0}, ["`outer.size` is 1.0"]),
        ({"size": -1}, ["`outer.size` is -1"]),
        ({"colour": "gren"}, ["`outer.colour` is 'gren'", "Did you mean `green`?", '"red", "green"']),
        ({"net": "papr"}, ["`outer.net` is 'papr'", "Did you mean `paper`?", '"paper" or "own:NAME"']),
        ({"net": "see own:N"}, ["`outer.net` is 'see own:N'"]),
        ({"where": 7}, ["`outer.where` is 7", "a path in quotes"]),
        ({"inner": 7}, ["`outer.inner` is 7", "Make it a table: [outer.inner]"]),
        ({"inner": {"depth": 1, "width": 2}}, ["`outer.inner.depth` is 1", "Give the width or more"]),
        ({"inner": {}}, ["`outer.inner.depth` is missing"]),
        ({"shape": {"kind": "rund"}}, ["`outer.shape.kind` is 'rund'", "Did you mean `round`?", "round, square"]),
        ({"shape": {"side": 2}}, ["`outer.shape.kind` is missing", "round, square"]),
        ({"shape": {"kind": "square", "side": 0}}, ["`outer.shape.side` is 0"]),
        ({"shape": {"kind": "square", "radius": 1}}, ["unknown key `outer.shape.radius`", "[outer.shape]: kind, side"]),
        ({"shape": 7}, ["`outer.shape` is 7", "Make it a table: [outer.shape]"]),
        ({"sizes": 7}, ["`outer.sizes` is 7", "a list, each item a whole number from 1 to 9"]),
        ({"sizes": [2, "a"]}, ["`outer.sizes` is 'a'", "a whole number"]),
        ({"few": []}, ["`outer.few` is []", "a list of 1 to 3, each once, each item one of"]),
        ({"few": ["a", "a"]}, ["`outer.few` is ['a', 'a']", "each once"]),
        ({"few": ["a", "b", "c", "d"]}, ["`outer.few` is ['a', 'b', 'c', 'd']"]),
        ({"named": {"First": {"depth": 1}}}, ["`outer.named.First` is no usable name", "a-z, 0-9 and -"]),
        ({"named": {"first": {"depth": 10}}}, ["`outer.named.first.depth` is 10"]),
        ({"free": 7}, ["`outer.free` is 7", "[outer.free]"]),
    ],
)
def test_what_is_wrong_is_named(table: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        read({"name": "n", **table} if table else {})
    assert not isinstance(caught.value, CombinedInputError)
    message = str(caught.value)
    assert message.startswith(f"{FILE}: ")
    for word in words:
        assert word in message


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(CombinedInputError) as caught:
        read_checked(Top, {"outer": {"count": 0, "inner": {"depth": 1, "width": 2}}, "sme": {}}, file=FILE)
    assert [error.what for error in caught.value.errors] == [
        "`outer.name` is missing",
        "`outer.count` is 0",
        "`outer.inner.depth` is 1",
        "unknown key `sme`",
    ]
    assert "at the top of the file: outer, some" in str(caught.value)


@pytest.mark.parametrize("table", [{}, {"outer": {"name": "n"}, "some": {}}])
def test_a_section_without_which_nothing_goes_is_asked_for(table: dict[str, Any]) -> None:
    section = "some" if table else "outer"
    with pytest.raises(InputError, match=rf"\[{section}\] is missing. Add a section \[{section}\]"):
        read_checked(Top, table, file=FILE)


@pytest.mark.parametrize(
    ("given", "where", "words"),
    [
        ({"count": 0}, "count", "count: is 0. Give a whole number from 1 to 9."),
        ({"cont": 1}, "cont", "cont: is unknown. Did you mean `count`? Accepted are: name, rate,"),
        ({"name": None}, "name", "name: is None. Give text in quotes."),
        ({"inner": {"depth": 99}}, "inner.depth", "inner.depth: is 99."),
    ],
)
def test_from_python_an_error_is_at_the_argument(given: dict[str, Any], where: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        Outer(**({"name": "n"} | given))
    assert caught.value.where == where
    assert str(caught.value).startswith(words)


def test_what_is_accepted_is_said_in_words() -> None:
    said = {name: describe(hint) for name, hint in keys_of(Outer).items()}
    assert said["count"] == "a whole number from 1 to 9"
    assert said["few"] == 'a list of 1 to 3, each once, each item one of "a", "b", "c", "d"'
    assert said["shape"] == said["inner"] == "a table"
    assert describe(int | str) == "a whole number or text in quotes"
    assert describe(Annotated[int, Whole(2)]) == "a whole number of at least 2"
    assert describe(Annotated[tuple[str, ...], Several(0)]) == "a list, each once, each item text in quotes"
