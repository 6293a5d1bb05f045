"""Lesion shares against a voxel-by-voxel twin and against what masks and maps must imply."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pellucid.analysis.lesions import lesion_share, lesion_summary, lesion_table
from pellucid.errors import InputError

SHAPE = (3, 4, 2)
MAPS = hnp.arrays(np.float64, SHAPE, elements=st.integers(-8, 8).map(float))
MASKS = hnp.arrays(np.bool_, SHAPE)
FULL = np.ones(SHAPE, dtype=bool)
SHARES = ("positive_share", "volume_share", "lift", "signed_share", "absolute_share", "strongest_in_lesion")


def _slow(R: np.ndarray, L: np.ndarray, brain: np.ndarray, seen: np.ndarray) -> dict[str, float]:
    nan = math.nan
    cells = [i for i in np.ndindex(*SHAPE) if brain[i] and seen[i]]
    hit = [i for i in cells if L[i]]
    n_lesion = sum(bool(v) for v in L.ravel())
    unseen = sum(bool(L[i]) and not seen[i] for i in np.ndindex(*SHAPE))
    result = dict.fromkeys(SHARES, nan)
    result |= {"lesion_voxels": n_lesion, "unseen_lesion_share": unseen / n_lesion if n_lesion else nan}
    if not hit:
        return result
    positive = sum(max(R[i], 0) for i in cells)
    signed, absolute = sum(R[i] for i in cells), sum(abs(R[i]) for i in cells)
    result["volume_share"] = len(hit) / len(cells)
    if positive > 0:
        result["positive_share"] = sum(max(R[i], 0) for i in hit) / positive
        result["lift"] = result["positive_share"] / result["volume_share"]
        top = [i for i in cells if R[i] == max(R[j] for j in cells)]
        result["strongest_in_lesion"] = sum(bool(L[i]) for i in top) / len(top)
    if signed != 0:
        result["signed_share"] = sum(R[i] for i in hit) / signed
    if absolute > 0:
        result["absolute_share"] = sum(abs(R[i]) for i in hit) / absolute
    return result


@given(MAPS, MASKS, MASKS, MASKS)
def test_shares_equal_their_slow_twin(R: np.ndarray, L: np.ndarray, brain: np.ndarray, seen: np.ndarray) -> None:
    result = lesion_share(R, L, brain, seen)
    assert result == pytest.approx(_slow(R, L, brain, seen), nan_ok=True)


@given(MAPS, MASKS, st.integers(-9, 9).map(lambda power: 2.0**power))
def test_shares_do_not_depend_on_the_unit_of_the_map(R: np.ndarray, L: np.ndarray, unit: float) -> None:
    assert lesion_share(unit * R, L, FULL, FULL) == pytest.approx(lesion_share(R, L, FULL, FULL), nan_ok=True)


@given(MAPS, MASKS)
def test_a_mask_and_its_complement_share_everything(R: np.ndarray, L: np.ndarray) -> None:
    one, other = lesion_share(R, L, FULL, FULL), lesion_share(R, ~L, FULL, FULL)
    if L.any() and not L.all():
        for key in ("positive_share", "volume_share", "signed_share", "absolute_share", "strongest_in_lesion"):
            if not math.isnan(one[key]):
                assert one[key] + other[key] == pytest.approx(1.0)


@given(MASKS)
def test_an_even_map_has_lift_one(L: np.ndarray) -> None:
    result = lesion_share(np.full(SHAPE, 0.3), L, FULL, FULL)
    if L.any():
        assert result["lift"] == pytest.approx(1.0)


@given(MAPS, MASKS, MASKS, MAPS)
def test_what_lies_outside_the_seen_brain_does_not_count(
    R: np.ndarray, L: np.ndarray, seen: np.ndarray, other: np.ndarray
) -> None:
    here, there = lesion_share(R, L, FULL, seen), lesion_share(np.where(seen, R, other), L, FULL, seen)
    assert here == pytest.approx(there, nan_ok=True)


def test_a_missing_mask_is_missing_and_an_empty_one_is_no_zero() -> None:
    R = np.ones(SHAPE)
    missing, empty = lesion_share(R, None, FULL, FULL), lesion_share(R, ~FULL, FULL, FULL)
    assert all(math.isnan(value) for value in missing.values())
    assert all(math.isnan(empty[key]) for key in (*SHARES, "unseen_lesion_share"))
    assert empty["lesion_voxels"] == 0.0


def test_lesions_that_the_network_cannot_see_are_no_miss() -> None:
    L = np.zeros(SHAPE, dtype=bool)
    L[0] = True
    result = lesion_share(np.ones(SHAPE), L, FULL, ~L)
    assert result["unseen_lesion_share"] == 1.0
    assert result["lesion_voxels"] == 8.0
    assert all(math.isnan(result[key]) for key in SHARES)


def test_a_map_without_positive_relevance_has_no_positive_share() -> None:
    L = np.zeros(SHAPE, dtype=bool)
    L[0] = True
    result = lesion_share(-np.ones(SHAPE), L, FULL, FULL)
    assert math.isnan(result["positive_share"])
    assert math.isnan(result["lift"])
    assert math.isnan(result["strongest_in_lesion"])
    assert result["signed_share"] == result["absolute_share"] == pytest.approx(1 / 3)


def test_a_table_has_one_row_a_map() -> None:
    L = np.zeros(SHAPE, dtype=bool)
    L[0, 0, 0] = True
    point = L.astype(float)
    table = lesion_table({"lrp-epsilon": point, "even": np.ones(SHAPE)}, L, FULL, FULL)
    assert table["map"].tolist() == ["lrp-epsilon", "even"]
    assert table["lift"].tolist() == [24.0, 1.0]
    assert table["strongest_in_lesion"].tolist() == [1.0, pytest.approx(1 / 24)]


def test_the_summary_takes_medians_over_the_subjects_that_have_lesions() -> None:
    nan = math.nan
    rows = [("a", 0.2, 0.1, 2.0, 1.0), ("a", 0.4, 0.1, 4.0, 0.0), ("a", 0.9, 0.1, 9.0, 1.0), ("a", nan, nan, nan, nan)]
    rows += [("b", nan, nan, nan, nan)]
    table = pd.DataFrame(rows, columns=["map", "positive_share", "volume_share", "lift", "strongest_in_lesion"])
    table["participant_id"] = ["sub-1", "sub-2", "sub-3", "sub-4", "sub-1"]
    summary = lesion_summary(table, resamples=4000, seed=0).set_index("map")
    assert summary.loc["a", ["subjects", "without"]].tolist() == [3, 1]
    assert summary.loc["a", "lift"] == 4.0
    assert summary.loc["a", "strongest_in_lesion"] == pytest.approx(2 / 3)
    # Of 27 equally likely draws of three, 7 have the median 2 and 7 the median 9: both lie within 95 %.
    assert summary.loc["a", ["low", "high"]].tolist() == [2.0, 9.0]
    assert summary.loc["b", ["subjects", "without"]].tolist() == [0, 1]
    assert summary.loc["b", ["lift", "low", "high"]].isna().all()


def test_a_subject_of_several_scans_counts_once() -> None:
    rows = [("sub-1", 1.0), ("sub-1", 3.0), ("sub-1", math.nan), ("sub-2", 8.0), ("sub-3", math.nan)]
    table = pd.DataFrame(rows, columns=["participant_id", "lift"]).assign(map="a")
    for measure in ("positive_share", "volume_share", "strongest_in_lesion"):
        table[measure] = table["lift"] / 10
    row = lesion_summary(table, seed=0).iloc[0]
    assert (row["subjects"], row["without"]) == (2, 1)
    assert row["lift"] == 5.0  # of 2 and 8
    assert row["strongest_in_lesion"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((np.full(SHAPE, np.nan), FULL, FULL, FULL), "not finite"),
        ((np.ones(SHAPE), FULL[:2], FULL, FULL), "lesion mask"),
        ((np.ones(SHAPE), FULL, FULL[:2], FULL), "brain"),
        ((np.ones(SHAPE), FULL, FULL, FULL[:2]), "field of view"),
        ((np.ones(SHAPE), FULL.astype(float), FULL, FULL), "float64"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(arguments: tuple[np.ndarray, ...], words: str) -> None:
    with pytest.raises(InputError, match=words):
        lesion_share(*arguments)
