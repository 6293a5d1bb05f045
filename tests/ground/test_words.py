"""Words that people type."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pellucid.ground.words import guess, key, nearest, one_cell, one_line, printable, some, trim

texts = st.text(st.characters(categories=None), max_size=20)


@given(texts)
def test_what_is_printable_is_one_line_of_letters_that_can_be_seen_and_no_two_texts_look_alike(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert printable(shown) == shown
    shown.encode("utf-8")
    if "\\" not in text:
        assert shown.encode("ascii", "backslashreplace").decode("unicode_escape").encode("utf-16", "surrogatepass") == (
            text.encode("utf-16", "surrogatepass")
        )


@given(texts)
def test_one_line_has_no_breaks_and_nothing_else_is_lost(text: str) -> None:
    line = one_line(text)
    assert not set(line) & set("\n\r\t\x00\x1b")
    if text.isprintable():
        assert line == text


@given(texts, texts)
def test_one_cell_keeps_two_texts_apart(one: str, other: str) -> None:
    for text in (one, other):
        assert not set(one_cell(text)) & set("\n\r\t\x00\x1b")
        one_cell(text).encode("utf-8")
    if one != other and "\\" not in one + other:
        assert one_cell(one) != one_cell(other)


@given(texts)
def test_trimming_twice_changes_nothing_and_keeps_the_middle(text: str) -> None:
    assert trim(trim(text)) == trim(text)
    assert trim(text) in text
    assert key(text) == key(trim(text))


def test_the_nearest_word_is_another_spelling_before_a_similar_one() -> None:
    assert nearest("sub-1", ["sub-10", "sub-01", "sub-11"]) == "sub-01"
    assert nearest("01", ["sub-10", "sub-01"]) == "sub-01"
    assert nearest("sub-01", ["1"]) == "1"
    assert nearest("groupe", ["age", "group"]) == "group"
    assert nearest("MS", ["MS"]) is None  # itself is no other word
    assert nearest("x", []) is None
    assert guess("Participant_ID", ["participant_id"]) == " Did you mean 'participant_id'?"
    assert guess("CIS", ["MS", "HC"]) == ""


def test_many_names_are_counted() -> None:
    assert some(["a", "b"]) == "a, b"
    assert some(map(str, range(5)), 3) == "0, 1, 2 and 2 more"
