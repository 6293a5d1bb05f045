"""Lesion volumes have the cohort's moments; grown lesions have the volume asked for, where they may be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.simulate.anatomy import LESION_CLASSES, load_anatomy
from pellucid.simulate.deformation import Warp, lattice_of
from pellucid.simulate.lesions import class_shares, control_volume, grow_lesions, patient_volume

QUANTILES = (np.arange(200_000) + 0.5) / 200_000


@pytest.mark.parametrize(
    ("volume", "mean", "sd", "low", "high"),
    [(patient_volume, 7.283, 8.091, 0.12, 47.5), (control_volume, 0.572, 1.941, 0.0, 15.0)],
)
def test_volumes_have_the_moments_of_the_paper(volume, mean, sd, low, high):
    v = volume(QUANTILES)
    assert v.mean() == pytest.approx(mean, rel=0.05)
    assert v.std() == pytest.approx(sd, rel=0.05)
    assert v.min() >= low
    assert v.max() <= high
    assert np.all(np.diff(v) >= 0.0), "a quantile function never falls"


def test_class_shares_run_from_controls_to_patients():
    for strength in (0.0, 0.4, 1.0):
        assert sum(class_shares(strength).values()) == pytest.approx(1.0)
    assert class_shares(0.0)["callosal"] == 0.0
    assert class_shares(1.0)["periventricular"] > class_shares(0.0)["periventricular"]


def identity_warp(anatomy):
    lattice = lattice_of(anatomy.grid)
    still = np.zeros((3, *lattice.shape), dtype=np.float32)
    return Warp(anatomy.grid, lattice, np.eye(4), still, still)


@given(volume=st.floats(0.05, 30.0), seed=st.integers(0, 2**31))
def test_lesions_fill_the_volume_to_the_voxel_and_stay_in_white_matter(volume, seed):
    anatomy = load_anatomy(4.0)
    allowed = anatomy.white > 0.3
    mask, counts = grow_lesions(
        np.random.default_rng(seed),
        anatomy,
        identity_warp(anatomy),
        allowed,
        volume_ml=volume,
        shares=class_shares(1.0),
    )
    assert mask.sum() == max(round(volume / anatomy.grid.voxel_volume_ml), 1)
    assert not np.any(mask & ~allowed)
    assert sum(counts.values()) >= 1
    assert set(counts) == set(LESION_CLASSES)


def test_no_volume_is_no_lesion():
    anatomy = load_anatomy(4.0)
    mask, counts = grow_lesions(
        np.random.default_rng(0),
        anatomy,
        identity_warp(anatomy),
        anatomy.white > 0.3,
        volume_ml=0.0,
        shares=class_shares(1.0),
    )
    assert not mask.any()
    assert sum(counts.values()) == 0


def test_periventricular_lesions_lie_behind_more_often_than_in_front():
    anatomy = load_anatomy(2.0)
    prior = anatomy.lesion_prior["periventricular"]
    y = anatomy.grid.affine[1, 1] * np.arange(anatomy.grid.shape[1]) + anatomy.grid.affine[1, 3]
    along_y = prior.sum(axis=(0, 2))
    assert along_y[y < -12.0].sum() > 2.0 * along_y[y > 5.0].sum()
