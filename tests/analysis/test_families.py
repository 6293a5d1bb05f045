"""The false discovery rate over a table's tests, against a slow twin."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.analysis.families import with_q


@given(st.lists(st.one_of(st.floats(0.0, 1.0), st.just(float("nan"))), max_size=12))
def test_q_is_benjamini_and_hochberg_s_over_the_rows_that_have_a_p(chances: list[float]) -> None:
    found = with_q(pd.DataFrame({"p": chances}, dtype=float))["q"].to_numpy()
    tested = sorted(p for p in chances if not np.isnan(p))
    for p, q in zip(chances, found, strict=True):
        if np.isnan(p):
            assert np.isnan(q)
        else:
            place = tested.index(p)
            expected = min([1.0, *(len(tested) * tested[k] / (k + 1) for k in range(place, len(tested)))])
            assert q == pytest.approx(expected)


def test_a_family_is_the_whole_table_and_the_columns_may_have_other_names() -> None:
    table = pd.DataFrame({"arm": ["a", "a", "b"], "p_chance": [0.01, 0.02, 0.9]}, index=[5, 6, 7])
    found = with_q(table, p="p_chance", q="q_chance")
    assert found["q_chance"].tolist() == pytest.approx([0.03, 0.03, 0.9])
    assert found.drop(columns="q_chance").equals(table)
