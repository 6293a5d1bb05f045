"""Numbers are written so that they can be read, and what is missing is a dash."""

from __future__ import annotations

import doctest
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.ground import numbers
from pellucid.ground.numbers import duration, number, percent, score_interval, seen_share, size, whole

NAN = float("nan")


def test_the_examples_in_the_docstrings_are_true() -> None:
    assert doctest.testmod(numbers).failed == 0


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
    assert [duration(value) for value in (3.21, 59.4, 200, 7500, NAN)] == [
        "3.2 s",
        "59 s",
        "3 min 20 s",
        "2 h 05 min",
        "–",
    ]


def test_what_is_infinite_is_written_so() -> None:
    for write in (number, percent, whole, duration):
        assert (write(math.inf), write(-math.inf), write(math.nan), write(None)) == ("∞", "−∞", "–", "–")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (59.4, "59 s"),
        (245, "4 min 05 s"),
        (3599.7, "1 h 00 min"),
        (7380, "2 h 03 min"),
    ],
)
def test_times_are_written_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_an_interval_that_is_missing_is_said_to_be_none() -> None:
    assert score_interval(NAN, 0.5, "auc") == score_interval(0.5, NAN, "sensitivity") == "no interval"


def test_a_billion_bytes_are_a_gigabyte() -> None:
    assert (size(999e6), size(1e9)) == ("999 MB", "1.0 GB")
