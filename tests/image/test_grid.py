from __future__ import annotations

import doctest
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.image import grid as module
from pellucid.image.grid import MNI_1MM, MNI_2MM, PAPER_GRID, Grid, resized

shapes = st.tuples(*[st.integers(2, 40)] * 3)


def test_docstrings_run() -> None:
    assert doctest.testmod(module).failed == 0


def test_the_papers_grid() -> None:
    assert PAPER_GRID.shape == (96, 114, 96)
    assert PAPER_GRID.voxel_sizes == pytest.approx((181 / 95, 217 / 113, 181 / 95))
    # Corner-aligned with the template: first and last voxels have the same centres.
    np.testing.assert_allclose(PAPER_GRID.world((0, 0, 0)), MNI_1MM.world((0, 0, 0)))
    np.testing.assert_allclose(PAPER_GRID.world((95, 113, 95)), MNI_1MM.world((181, 217, 181)))
    assert str(PAPER_GRID) == "96x114x96 at 1.91x1.92x1.91 mm"


def test_left_is_towards_higher_first_index() -> None:
    assert MNI_1MM.world((181, 0, 0))[0] == -91
    assert MNI_2MM.world((90, 0, 0))[0] == -90


@given(shape=shapes, seed=st.integers(0, 2**32 - 1))
def test_world_and_voxel_are_inverse_and_json_is_exact(shape: tuple[int, int, int], seed: int) -> None:
    generator = np.random.default_rng(seed)
    affine = np.eye(4)
    affine[:3, :3] = np.diag(generator.uniform(0.5, 4, 3)) + generator.uniform(-0.1, 0.1, (3, 3))
    affine[:3, 3] = generator.normal(size=3) * 100
    grid = Grid.of(shape, affine)
    ijk = generator.uniform(-10, 50, (7, 3))
    np.testing.assert_allclose(grid.voxel(grid.world(ijk)), ijk, atol=1e-9)
    np.testing.assert_allclose(grid.world(ijk)[0], (affine @ [*ijk[0], 1.0])[:3])
    assert Grid.from_json(json.loads(json.dumps(grid.to_json()))) == grid
    assert grid.matches(grid)


def test_matches_within_a_tenth_of_a_voxel() -> None:
    def shifted(millimetres: float) -> Grid:
        affine = MNI_2MM.affine
        affine[1, 3] += millimetres
        return Grid.of(MNI_2MM.shape, affine)

    assert MNI_2MM.matches(shifted(0.19))
    assert not MNI_2MM.matches(shifted(0.21))
    assert not MNI_2MM.matches(MNI_1MM)
    # A drift that only the far corner shows.
    affine = MNI_2MM.affine
    affine[0, 0] *= 1.01
    assert not MNI_2MM.matches(Grid.of(MNI_2MM.shape, affine))


@given(old=shapes, new=shapes)
def test_resized_keeps_the_corners(old: tuple[int, int, int], new: tuple[int, int, int]) -> None:
    a = Grid.of(old, np.array([[-1.0, 0.1, 0, 9], [0, 2, 0, -4], [0, 0, 3, 1], [0, 0, 0, 1]]))
    b = resized(a, new)
    for corner in np.ndindex(2, 2, 2):
        far = np.array(corner)
        np.testing.assert_allclose(a.world(far * (np.array(old) - 1)), b.world(far * (np.array(new) - 1)), atol=1e-9)
