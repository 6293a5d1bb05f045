"""Intervals of means are a bootstrap over subjects, the same subjects for all columns."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pellucid.analysis.bootstrap import interval, resample
from pellucid.analysis.clusters import clustered_interval
from pellucid.analysis.means import by_participant, mean_intervals, networks_by_participant

ONE = ["arm/trial-00"]


def test_intervals_are_those_of_the_slow_bootstrap() -> None:
    values = np.random.default_rng(0).normal(size=(9, 3))
    low, high = mean_intervals(values, ONE * 9, resamples=300, seed=5)
    drawn = resample(np.zeros(9), resamples=300, seed=5)
    for column in range(3):
        expected = interval([np.mean([values[who, column] for who in row]) for row in drawn])
        np.testing.assert_allclose((low[column], high[column]), expected)


def test_a_correction_moves_the_ends_from_the_mean() -> None:
    values = np.random.default_rng(0).normal(size=(9, 2))
    plain, wide = (np.array(mean_intervals(values, ONE * 9, resamples=300, correction=c, seed=5)) for c in (1.0, 1.5))
    np.testing.assert_allclose(wide - values.mean(axis=0), 1.5 * (plain - values.mean(axis=0)))


def test_columns_share_their_draws_and_constants_have_no_spread() -> None:
    one = np.arange(8.0)
    low, high = mean_intervals(np.stack([one, 2 * one, np.full(8, 3.0)], axis=1), ONE * 8, resamples=500, seed=1)
    assert 0 < low[0] < 3.5 < high[0] < 7
    np.testing.assert_allclose((low[1], high[1]), (2 * low[0], 2 * high[0]))
    np.testing.assert_allclose((low[2], high[2]), (3.0, 3.0))


def test_a_missing_value_or_a_single_subject_has_no_interval() -> None:
    low, high = mean_intervals([[1.0, np.nan], [2.0, 5.0]], ONE * 2, resamples=100, seed=1)
    assert np.isfinite([low[0], high[0]]).all()
    assert np.isnan([low[1], high[1]]).all()
    assert np.isnan(mean_intervals([[1.0, 2.0]], ONE, seed=1)).all()


def test_scans_of_a_participant_are_averaged_and_areas_keep_their_order() -> None:
    rows = pd.DataFrame(
        [("sub-2", "z", 1.0), ("sub-2", "a", 5.0), ("sub-2", "z", 3.0), ("sub-1", "z", 7.0)],
        columns=["participant_id", "area", "sum"],
    )
    wide = by_participant(rows, "sum")
    assert wide.columns.tolist() == ["z", "a"]
    assert wide.loc["sub-2"].tolist() == [2.0, 5.0]
    assert wide.loc["sub-1", "z"] == 7.0
    assert np.isnan(wide.loc["sub-1", "a"])


def test_people_who_share_networks_have_the_wider_interval_of_both() -> None:
    values = np.repeat([1.0, 5.0, 9.0], 4)[:, None] + np.tile([-0.1, 0.0, 0.1, 0.2], 3)[:, None]
    networks = [f"arm/trial-{n}" for n in np.repeat([0, 1, 2], 4)]
    alone = np.array(mean_intervals(values, ONE * 12, seed=0)).ravel()
    shared = np.array(mean_intervals(values, networks, seed=0)).ravel()
    assert shared.tolist() == pytest.approx(list(clustered_interval(values[:, 0], networks, statistic="mean")[:2]))
    assert shared[0] < alone[0] < alone[1] < shared[1]
    wide = np.array(mean_intervals(values, networks, correction=2.0, seed=0)).ravel()
    np.testing.assert_allclose(wide - values.mean(), 2.0 * (shared - values.mean()))


def test_a_participant_has_the_networks_of_all_its_scans() -> None:
    rows = pd.DataFrame({"participant_id": ["b", "a", "b"], "networks": ["x/1", "x/2", "x/0"]})
    assert networks_by_participant(rows, pd.Index(["a", "b"])).tolist() == ["x/2", "x/0 x/1"]
