"""Warps are diffeomorphisms: invertible, smooth, and of the size that was asked for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from pellucid.image.grid import MNI_2MM
from pellucid.simulate.deformation import (
    Warp,
    exponential,
    head_affine,
    lattice_of,
    random_velocity,
    sample,
    toward,
    upsample,
)

LATTICE = lattice_of(MNI_2MM)


@pytest.fixture(params=range(3))
def velocity(request):
    return random_velocity(np.random.default_rng(request.param), LATTICE)


def test_sample_equals_scipy():
    rng = np.random.default_rng(0)
    maps = rng.standard_normal((2, 5, 6, 7)).astype(np.float32)
    points = (rng.uniform(-1.0, 7.0, (3, 4, 3, 2))).astype(np.float32)
    slow = np.stack([ndimage.map_coordinates(m, points, order=1, mode="nearest") for m in maps])
    np.testing.assert_allclose(sample(maps, points), slow, atol=1e-5)


def test_upsample_keeps_the_corners_and_is_linear():
    ramp = np.linspace(0.0, 1.0, 5, dtype=np.float32)[None, :, None, None] * np.ones((1, 5, 3, 3), np.float32)
    fine = upsample(ramp, (9, 3, 3))
    np.testing.assert_allclose(fine[0, :, 0, 0], np.linspace(0.0, 1.0, 9), atol=1e-6)


def test_exponential_is_undone_by_that_of_the_negative_field(velocity):
    there, back = exponential(velocity, LATTICE), exponential(-velocity, LATTICE)
    sizes = np.array(LATTICE.voxel_sizes, dtype=np.float32)[:, None, None, None]
    identity = np.stack(np.meshgrid(*[np.arange(n, dtype=np.float32) for n in LATTICE.shape], indexing="ij"))
    residue = there + sample(back, identity + there / sizes)
    inner = (slice(None), *(slice(6, -6),) * 3)  # at the border the field is cut off
    assert np.abs(residue[inner]).max() < 0.25  # mm
    assert np.abs(there[inner]).max() > 2.0


def test_warps_do_not_fold(velocity):
    u = exponential(velocity, LATTICE)
    jacobian = np.stack([np.stack(np.gradient(c, *LATTICE.voxel_sizes)) for c in u]).transpose(2, 3, 4, 0, 1)
    assert np.linalg.det(jacobian + np.eye(3)).min() > 0.0


def test_forward_undoes_points(velocity):
    grid = MNI_2MM
    warp = Warp.of(velocity, grid, LATTICE, head_affine(np.random.default_rng(1), grid))
    points = warp.points()
    voxels = np.array([[45, 54, 40], [30, 70, 45], [60, 40, 35]])
    average = points[:, voxels[:, 0], voxels[:, 1], voxels[:, 2]].T
    np.testing.assert_allclose(warp.forward(average.astype(np.float64)), voxels, atol=0.25)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_structure_grows_or_shrinks_with_the_sign(sign):
    i, j, k = np.meshgrid(*[np.arange(n) for n in MNI_2MM.shape], indexing="ij")
    ball = ((i - 45) ** 2 + (j - 54) ** 2 + (k - 45) ** 2 < 8**2).astype(np.float32)
    field = sign * 2.0 * toward(ball, MNI_2MM, LATTICE, reach_mm=5.0)
    warp = Warp.of(field, MNI_2MM, LATTICE, np.eye(4))
    assert sign * (sample(ball[None], warp.points())[0].sum() - ball.sum()) > 0.1 * ball.sum()
    assert np.sqrt((field**2).sum(axis=0)).max() == pytest.approx(2.0, rel=1e-5)
