"""Resamples keep their strata, are seeded, and cover what they should."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pellucid.analysis.bootstrap import counts, interval, resample


@given(st.lists(st.integers(0, 2), min_size=1, max_size=30), st.integers(0, 2**32))
def test_every_resample_keeps_the_size_of_every_stratum(strata: list[int], seed: int) -> None:
    stratum = np.array(strata)
    drawn = resample(stratum, resamples=20, seed=seed)
    assert drawn.shape == (20, len(strata))
    assert (np.sort(stratum[drawn], axis=1) == np.sort(stratum)).all()


@given(st.lists(st.integers(0, 2), min_size=1, max_size=30), st.integers(0, 2**32))
def test_counts_count_what_was_drawn(strata: list[int], seed: int) -> None:
    drawn = resample(strata, resamples=10, seed=seed)
    for row, count in zip(drawn, counts(drawn), strict=True):
        assert count.tolist() == [list(row).count(n) for n in range(len(strata))]


def test_the_seed_decides_the_draws() -> None:
    strata = [0] * 10 + [1] * 5
    np.testing.assert_array_equal(resample(strata, resamples=5, seed=3), resample(strata, resamples=5, seed=3))
    assert (resample(strata, resamples=5, seed=3) != resample(strata, resamples=5, seed=4)).any()


def test_every_member_is_drawn_equally_often() -> None:
    share = counts(resample(np.zeros(8), resamples=20000, seed=0)).mean(axis=0)
    np.testing.assert_allclose(share, 1.0, atol=0.03)


def test_the_interval_is_the_middle_95_percent() -> None:
    assert interval(np.arange(1001)) == (25.0, 975.0)
    assert np.isnan(interval([1.0, np.nan])).all()
