from __future__ import annotations

import pytest

from pellucid.ground.errors import InputError
from pellucid.ground.registry import Registry


@pytest.fixture
def shapes() -> Registry[int]:
    registry = Registry[int]("shape")
    registry.register("square", 4)
    registry.register("half-circle", 1)
    return registry


def test_entries_stand_in_the_order_in_which_they_were_registered(shapes):
    assert dict(shapes) == {"square": 4, "half-circle": 1}
    assert list(shapes) == ["square", "half-circle"]
    assert len(shapes) == 2


def test_a_name_is_taken_once_and_its_entry_stays(shapes):
    with pytest.raises(InputError, match=r"^shape: 'square' is registered already\. Choose another name\.$"):
        shapes.register("square", 5)
    assert shapes["square"] == 4


def test_nothing_can_be_set_or_deleted_by_key(shapes):
    assert not hasattr(shapes, "__setitem__")
    assert not hasattr(shapes, "__delitem__")


@pytest.mark.parametrize("name", ["", "Square", "a b", "a/b", "-a", "a-", "a--b", "1a", "a\n", "é"])
def test_a_name_that_cannot_be_a_column_a_file_or_a_link_is_refused(shapes, name):
    with pytest.raises(InputError, match="small letters and digits"):
        shapes.register(name, 3)
    assert name not in shapes


@pytest.mark.parametrize("name", ["a", "average_precision", "intensity-power-4", "lrp-z-plus"])
def test_names_of_words_and_digits_are_taken(shapes, name):
    shapes.register(name, 3)
    assert shapes[name] == 3


@pytest.mark.parametrize(
    ("asked", "guess"),
    [("squaer", "Did you mean square? "), ("Half", "Did you mean half-circle? "), ("ring-of-fire", ""), (7, "")],
)
def test_an_unknown_name_is_refused_with_what_may_have_been_meant(shapes, asked, guess):
    with pytest.raises(InputError) as told:
        shapes.find(asked, where="[draw] shape")
    assert str(told.value) == f"[draw] shape: {asked!r} is not known. {guess}Choose one of square, half-circle."


def test_a_known_name_is_found_and_without_a_place_the_kind_is_at_fault(shapes):
    assert shapes.find("square") == 4
    with pytest.raises(InputError, match=r"^shape: 'x' is not known"):
        shapes.find("x")
