"""Outliers by hand: the median and the MAD of small columns are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.preprocess.outliers import FAR, FEWEST, describe, outliers


def test_it_is_the_formula() -> None:
    values = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, np.nan]
    table = pd.DataFrame({"snr": values}, index=[f"sub-{n}" for n in range(9)])
    median = (8.0 + 16.0) / 2
    mad = np.median([abs(v - median) for v in values[:8]])
    slow = [(v - median) / (1.4826 * mad) for v in values]
    found = outliers(table, ["snr"])
    assert list(found.index) == list(table.index)
    np.testing.assert_allclose(found["snr"], slow)


def test_of_few_or_equal_or_no_values_nothing_is_said() -> None:
    few = [*range(FEWEST - 1), np.nan]
    equal = [5.0] * (FEWEST - 1) + [90.0]
    found = outliers(
        pd.DataFrame({"few": few, "equal": equal, "none": [None] * FEWEST}), ["few", "equal", "none", "lacking"]
    )
    assert list(found) == ["few", "equal", "none", "lacking"]
    assert found.isna().all(axis=None)


@given(st.floats(0.1, 100.0), st.floats(-1e3, 1e3))
def test_units_do_not_matter(scale: float, shift: float) -> None:
    values = pd.DataFrame({"x": [3.0, 1.0, 4.0, 1.5, 5.0, 9.0, 2.0, 6.0, 50.0]})
    np.testing.assert_allclose(outliers(values * scale + shift, ["x"]), outliers(values, ["x"]), atol=1e-6)


def test_words_name_the_furthest_first_and_count_the_rest() -> None:
    deviations = pd.DataFrame({"a": [FAR, 4.0], "b": [0.0, -6.0], "c": [np.nan, 5.0]}, index=["one", "two"])
    assert describe(deviations)["one"] == ""
    assert describe(deviations)["two"] == "b 6.0 deviations below, c 5.0 deviations above, a 4.0 deviations above"
    assert describe(deviations, most=1)["two"] == "b 6.0 deviations below, and 2 more"
    assert describe(deviations).name == "outlier"


@pytest.mark.parametrize("rows", [0, 1])
def test_small_tables_pass_through(rows: int) -> None:
    table = pd.DataFrame({"a": np.ones(rows)})
    assert outliers(table, ["a"]).shape == (rows, 1)
    assert len(describe(outliers(table, ["a"]))) == rows
