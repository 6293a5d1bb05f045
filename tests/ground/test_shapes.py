from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.ground.shapes import misfit

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)
SHAPE = {"a": (str, [str]), "b?": {"c": [int], "d?": float}, "e": {str: (bool, None)}}


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        ({"a": "x", "e": {}}, None),
        ({"a": ["x"], "b": None, "e": {"f": True, "g": None}, "other": [1]}, None),
        ({"a": "x", "b": {"c": [1, 2], "d": 3}, "e": {}}, None),
        ([], "it is a list, not an object"),
        ({"e": {}}, "it lacks `a`"),
        ({"a": 1, "e": {}}, "its `a` is 1, not text or a list"),
        ({"a": ["x", 1], "e": {}}, "its `a[1]` is 1, not text"),
        ({"a": "x", "b": {}, "e": {}}, "it lacks `b.c`"),
        ({"a": "x", "b": {"c": [True]}, "e": {}}, "its `b.c[0]` is true, not a whole number"),
        ({"a": "x", "b": {"c": [], "d": float("nan")}, "e": {}}, "its `b.d` is nan, not a number"),
        ({"a": "x", "b": {"c": [], "d": 10**400}, "e": {}}, "its `b.d` is a huge number, not a number"),
        ({"a": "x", "e": {"f": "\x1b[2J"}}, r"its `e.f` is '\x1b[2J', not true or false or null"),
    ],
)
def test_what_is_wrong_is_named_by_its_place(content: Any, wrong: str | None) -> None:
    assert misfit(content, SHAPE) == wrong


@given(JSON)
def test_anything_gets_an_answer_in_one_short_line(content: Any) -> None:
    for shape in (SHAPE, str, int, float, bool, None, list, dict, [float], (SHAPE, [SHAPE])):
        wrong = misfit(content, shape)
        assert wrong is None or (wrong.isprintable() and len(wrong) < 300)
    assert misfit(content, object) is None
