"""Numbers are written so that they can be read, and what is missing is a dash."""

from __future__ import annotations

import doctest
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from pellucid.report.html import blocks
from pellucid.report.html.blocks import link, missing, number, percent, plain, seconds, seen_share, twofold, whole

NAN = float("nan")


def test_the_examples_in_the_docstrings_are_true() -> None:
    assert doctest.testmod(blocks).failed == 0


@given(st.floats(1e-12, 1e9) | st.floats(-1e9, -1e-12))
def test_a_number_is_within_half_a_digit_of_what_it_says(value: float) -> None:
    said = float(number(value).replace("−", "-"))
    assert said == pytest.approx(value, rel=5.1e-3, abs=0.5 if abs(value) >= 1000 else 0)


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0, "0"), (NAN, "–"), (None, "–"), (0.999, "0.999"), (0.9999, "1.00"), (99.96, "100"), (-3.5e-7, "−3.50e−7")],
)
def test_numbers(value: float | None, said: str) -> None:
    assert number(value) == said


def test_only_a_whole_area_is_a_hundred_percent_seen() -> None:
    assert seen_share(1.0) == "100 %"
    assert seen_share(0.9999) == "99 %"
    assert seen_share(0.0) == "0 %"
    assert seen_share(NAN) == "–"


def test_the_other_formats() -> None:
    assert percent(0.4701) == "47.0 %"
    assert percent(NAN) == "–"
    assert whole(1050624.0) == "1\u202f050\u202f624"
    assert [seconds(value) for value in (3.21, 59.4, 200, 7500, NAN)] == [
        "3.2 s",
        "59 s",
        "3 min 20 s",
        "2 h 05 min",
        "–",
    ]
    assert [plain(value) for value in (None, NAN, True, 3, 2.5, "a")] == ["–", "–", "yes", "3", "2.50", "a"]


def test_what_comes_from_files_is_escaped() -> None:
    assert link("a<b>.tsv") == Markup('<a href="a&lt;b&gt;.tsv">a&lt;b&gt;.tsv</a>')
    assert "&lt;b&gt;" in missing("<b>", "x").text
    assert twofold("<", "&") == "&lt;<br>&amp;"


def test_what_is_infinite_is_written_so() -> None:
    for write in (number, percent, whole, seconds):
        assert (write(math.inf), write(-math.inf), write(math.nan), write(None)) == ("∞", "−∞", "–", "–")
