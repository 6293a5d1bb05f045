"""Relevance in places, against a loop over voxels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pellucid.ground.errors import InputError
from pellucid.trust.places import relevance_in_places

SHAPE = (3, 2, 4)
MAPS = hnp.arrays(np.float64, SHAPE, elements=st.integers(-8, 8).map(float))
WEIGHTS = hnp.arrays(np.float64, SHAPE, elements=st.sampled_from([0.0, 0.0, 0.25, 0.5, 1.0]))
MASKS = hnp.arrays(np.bool_, SHAPE)


@given(MAPS, WEIGHTS, MASKS, MASKS, st.sampled_from([1.0, 0.01]))
def test_it_equals_a_loop_whatever_the_scale_of_the_weights(
    values: np.ndarray, weights: np.ndarray, brain: np.ndarray, seen: np.ndarray, scale: float
) -> None:
    row = relevance_in_places(values, {"here": scale * weights}, brain, seen).iloc[0]
    w = weights / weights.max() if weights.max() > 0 else weights
    cells = [i for i in np.ndindex(*SHAPE) if brain[i] and seen[i]]
    there = sum(w[i] for i in cells)
    whole = sum(w[i] for i in np.ndindex(*SHAPE) if brain[i])
    positive = sum(max(values[i], 0.0) for i in cells)
    assert row["seen_share"] == pytest.approx(there / whole if whole else math.nan, nan_ok=True)
    if not there:
        assert row[["mean", "positive_share", "volume_share", "lift"]].isna().all()
        return
    assert row["mean"] == pytest.approx(sum(values[i] * w[i] for i in cells) / there)
    assert row["volume_share"] == pytest.approx(there / len(cells))
    share = sum(max(values[i], 0.0) * w[i] for i in cells) / positive if positive else math.nan
    assert row["positive_share"] == pytest.approx(share, nan_ok=True)
    assert row["lift"] == pytest.approx(share / (there / len(cells)), nan_ok=True)


@given(MASKS, WEIGHTS)
def test_a_flat_map_prefers_no_place(brain: np.ndarray, weights: np.ndarray) -> None:
    lift = relevance_in_places(np.ones(SHAPE), {"here": weights}, brain, np.ones(SHAPE, dtype=bool))["lift"].iloc[0]
    assert math.isnan(lift) or lift == pytest.approx(1.0)


def test_what_is_no_place_is_refused() -> None:
    everywhere = np.ones(SHAPE, dtype=bool)
    with pytest.raises(InputError, match="its shape"):
        relevance_in_places(np.ones(SHAPE), {"there": np.ones((2, 2, 2))}, everywhere, everywhere)
    with pytest.raises(InputError, match="negative"):
        relevance_in_places(np.ones(SHAPE), {"there": -np.ones(SHAPE)}, everywhere, everywhere)
