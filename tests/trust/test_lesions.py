"""Lesion shares against a voxel-by-voxel twin and against what masks and maps must imply."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import average_precision_score, roc_auc_score

from pellucid.ground.errors import InputError
from pellucid.trust.lesion_measures import MEASURES
from pellucid.trust.lesions import columns, lesion_share, lesion_table

SHAPE = (3, 4, 2)
MAPS = hnp.arrays(np.float64, SHAPE, elements=st.integers(-8, 8).map(float))
MASKS = hnp.arrays(np.bool_, SHAPE)
FULL = np.ones(SHAPE, dtype=bool)


def _slow(R: np.ndarray, L: np.ndarray, brain: np.ndarray, seen: np.ndarray) -> dict[str, float]:
    """Measure voxel by voxel, and ranks by scikit-learn."""
    cells = [i for i in np.ndindex(*SHAPE) if brain[i] and seen[i]]
    hit = [i for i in cells if L[i]]
    n_lesion = sum(bool(v) for v in L.ravel())
    unseen = sum(bool(L[i]) and not seen[i] for i in np.ndindex(*SHAPE))
    result = dict.fromkeys(columns(), math.nan)
    result |= {"lesion_voxels": n_lesion, "unseen_lesion_share": unseen / n_lesion if n_lesion else math.nan}
    if hit:
        result |= {"volume_share": len(hit) / len(cells), "lift_ceiling": len(cells) / len(hit)}
    values = [R[i] for i in cells]
    if not hit or len(hit) == len(cells) or max(values) <= 0 or max(values) == min(values):
        return result
    positive = sum(max(R[i], 0) for i in cells)
    result["positive_share"] = sum(max(R[i], 0) for i in hit) / positive
    result["lift"] = result["positive_share"] / result["volume_share"]
    top = [i for i in cells if R[i] == max(values)]
    result["strongest_in_lesion"] = sum(bool(L[i]) for i in top) / len(top)
    truth = [bool(L[i]) for i in cells]
    result["average_precision"] = average_precision_score(truth, values)
    result["auroc"] = roc_auc_score(truth, values)
    last = sorted(values, reverse=True)[len(hit) - 1]  # the value at place k
    above, tied = [i for i in cells if R[i] > last], [i for i in cells if R[i] == last]
    found = sum(bool(L[i]) for i in above) + (len(hit) - len(above)) * sum(bool(L[i]) for i in tied) / len(tied)
    result["precision_at_k"] = found / len(hit)
    return result


def _numbers(result: dict[str, Any]) -> dict[str, float]:
    return {key: value for key, value in result.items() if key != "reason"}


@given(MAPS, MASKS, MASKS, MASKS)
def test_shares_equal_their_slow_twin(R: np.ndarray, L: np.ndarray, brain: np.ndarray, seen: np.ndarray) -> None:
    result = lesion_share(R, L, brain, seen)
    assert list(result) == columns()
    assert _numbers(result) == pytest.approx(_numbers(_slow(R, L, brain, seen)), nan_ok=True)
    assert (result["reason"] == "") == all(not math.isnan(result[key]) for key in MEASURES)


@given(MAPS, MASKS, st.integers(-9, 9).map(lambda power: 2.0**power))
def test_shares_do_not_depend_on_the_unit_of_the_map(R: np.ndarray, L: np.ndarray, unit: float) -> None:
    one, other = lesion_share(unit * R, L, FULL, FULL), lesion_share(R, L, FULL, FULL)
    assert _numbers(one) == pytest.approx(_numbers(other), nan_ok=True)
    assert one["reason"] == other["reason"]


@given(MAPS, MASKS)
def test_a_mask_and_its_complement_share_everything(R: np.ndarray, L: np.ndarray) -> None:
    one, other = lesion_share(R, L, FULL, FULL), lesion_share(R, ~L, FULL, FULL)
    if not one["reason"]:
        for key in ("positive_share", "volume_share", "strongest_in_lesion", "auroc"):
            assert one[key] + other[key] == pytest.approx(1.0)


@given(MAPS, MASKS)
def test_sharpening_moves_no_measure_of_ranks_and_lift_has_a_ceiling(R: np.ndarray, L: np.ndarray) -> None:
    one, sharp = lesion_share(R, L, FULL, FULL), lesion_share(R * np.abs(R) ** 3, L, FULL, FULL)
    for key in ("average_precision", "precision_at_k", "auroc", "strongest_in_lesion"):
        assert one[key] == pytest.approx(sharp[key], nan_ok=True)
    if not one["reason"]:
        assert one["lift"] <= one["lift_ceiling"] * (1 + 1e-12)
        assert one["lift"] / one["lift_ceiling"] == pytest.approx(one["positive_share"])


@given(MAPS, MASKS, MASKS, MAPS)
def test_what_lies_outside_the_seen_brain_does_not_count(
    R: np.ndarray, L: np.ndarray, seen: np.ndarray, other: np.ndarray
) -> None:
    here, there = lesion_share(R, L, FULL, seen), lesion_share(np.where(seen, R, other), L, FULL, seen)
    assert _numbers(here) == pytest.approx(_numbers(there), nan_ok=True)


def test_a_missing_mask_is_missing_and_an_empty_one_is_no_zero() -> None:
    R = np.arange(24.0).reshape(SHAPE)
    missing, empty = lesion_share(R, None, FULL, FULL), lesion_share(R, ~FULL, FULL, FULL)
    assert all(math.isnan(value) for value in _numbers(missing).values())
    assert all(math.isnan(value) for key, value in _numbers(empty).items() if key != "lesion_voxels")
    assert empty["lesion_voxels"] == 0.0
    assert (missing["reason"], empty["reason"]) == ("no lesion mask", "no lesion in the seen brain")


def test_lesions_that_the_network_cannot_see_are_no_miss() -> None:
    L = np.zeros(SHAPE, dtype=bool)
    L[0] = True
    result = lesion_share(np.arange(24.0).reshape(SHAPE), L, FULL, ~L)
    assert result["unseen_lesion_share"] == 1.0
    assert result["lesion_voxels"] == 8.0
    assert all(math.isnan(result[key]) for key in MEASURES)
    assert result["reason"] == "no lesion in the seen brain"


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.zeros(SHAPE), "one value"),
        (np.ones(SHAPE), "one value"),
        (-np.ones(SHAPE), "one value"),
        (-np.arange(24.0).reshape(SHAPE), "no positive relevance"),
        (-1.0 - np.arange(24.0).reshape(SHAPE), "no positive relevance"),
    ],
)
def test_a_map_that_points_nowhere_is_no_hit(values: np.ndarray, words: str, kind: type) -> None:
    L = np.zeros(SHAPE, dtype=bool)
    L[0, 0, 0] = True  # where such maps have their first greatest value
    result = lesion_share(values.astype(kind), L, FULL, FULL)
    assert all(math.isnan(result[key]) for key in MEASURES)
    assert words in result["reason"]
    assert (result["volume_share"], result["lift_ceiling"]) == (1 / 24, 24)


def test_a_mask_of_the_whole_seen_brain_has_nothing_to_find() -> None:
    result = lesion_share(np.arange(24.0).reshape(SHAPE), FULL, FULL, FULL)
    assert all(math.isnan(result[key]) for key in MEASURES)
    assert result["reason"] == "lesions fill the whole seen brain"
    assert (result["volume_share"], result["lift_ceiling"]) == (1.0, 1.0)


def test_a_table_has_one_row_a_map_and_says_what_could_not_be_made() -> None:
    L = np.zeros(SHAPE, dtype=bool)
    L[0, 0, 0] = True
    point = L.astype(float)
    table = lesion_table({"lrp-epsilon": point, "even": np.ones(SHAPE)}, L, FULL, FULL, missing={"edge": "no scan"})
    assert list(table.columns) == ["map", *columns()]
    assert table["map"].tolist() == ["lrp-epsilon", "even", "edge"]
    assert table["lift"].tolist() == pytest.approx([24.0, math.nan, math.nan], nan_ok=True)
    assert table["lift_ceiling"].tolist() == [24.0] * 3
    assert table["reason"].tolist() == ["", "the map has one value in the whole seen brain", "no scan"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((np.full(SHAPE, np.nan), FULL, FULL, FULL), "not finite"),
        ((np.full(SHAPE, 1e308), FULL, FULL, FULL), "overflows"),
        ((np.ones(SHAPE), FULL[:2], FULL, FULL), "lesion mask"),
        ((np.ones(SHAPE), FULL, FULL[:2], FULL), "brain"),
        ((np.ones(SHAPE), FULL, FULL, FULL[:2]), "field of view"),
        ((np.ones(SHAPE), FULL.astype(float), FULL, FULL), "float64"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(arguments: tuple[np.ndarray, ...], words: str) -> None:
    with pytest.raises(InputError, match=words):
        lesion_share(*arguments)
