"""Planes keep every voxel at its place in the world, whatever the voxel order of the file."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.ground.errors import InputError
from pellucid.image.grid import MNI_2MM, PAPER_GRID, Grid
from pellucid.image.planes import planes, to_ras

ORDERS = list(product(permutations(range(3)), product((-1, 1), repeat=3)))


def _grid(order: tuple[int, ...], signs: tuple[int, ...]) -> Grid:
    """A grid of 2x3x4 mm spacing whose voxel axes run along any world axes, in any direction."""
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, (world, sign) in enumerate(zip(order, signs, strict=True)):
        affine[world, axis] = sign * (2.0, 3.0, 4.0)[axis]
    affine[:3, 3] = (5.0, -7.0, 11.0)
    return Grid.of((5, 6, 7), affine)


@pytest.mark.parametrize(("order", "signs"), ORDERS)
def test_every_voxel_keeps_its_world_position_in_all_48_orders(order: tuple[int, ...], signs: tuple[int, ...]) -> None:
    grid = _grid(order, signs)
    values = np.arange(5 * 6 * 7).reshape(5, 6, 7)
    turned, ras = to_ras(values, grid)
    assert (np.diag(ras.affine)[:3] > 0).all()
    assert np.count_nonzero(ras.affine[:3, :3]) == 3
    for voxel in np.ndindex(*turned.shape):
        there = np.rint(grid.voxel(ras.world(voxel))).astype(int)
        assert turned[voxel] == values[tuple(there)]


@given(st.sampled_from(ORDERS), st.tuples(st.integers(0, 4), st.integers(0, 5), st.integers(0, 6)))
def test_a_point_is_drawn_at_its_millimetres_in_all_planes(
    order: tuple[tuple[int, ...], tuple[int, ...]], voxel: tuple[int, int, int]
) -> None:
    grid = _grid(*order)
    values = np.zeros(grid.shape)
    values[voxel] = 1.0
    point = grid.world(voxel)
    turned, ras = to_ras(values, grid)
    for plane in planes(ras, point):
        picture = plane.cut(turned)
        (row,), (column,) = np.nonzero(picture)
        left, right, bottom, top = plane.extent
        across = left + (column + 0.5) * (right - left) / picture.shape[1]
        up = bottom + (row + 0.5) * (top - bottom) / picture.shape[0]
        assert (across, up) == pytest.approx((point[plane.across], point[plane.up]))
        assert plane.position == pytest.approx(point[plane.normal])


def test_the_paper_grid_is_mirrored_once_and_its_left_is_left() -> None:
    """PAPER_GRID counts from right to left; in the picture the left half lies on the left, where the letter L is."""
    left_half = np.zeros(PAPER_GRID.shape, dtype=bool)
    left_half[PAPER_GRID.shape[0] // 2 :] = True  # index rises leftwards
    turned, ras = to_ras(left_half, PAPER_GRID)
    axial, coronal, sagittal = planes(ras, (0, 0, 0))
    assert axial.letters == ("L", "R", "P", "A")
    assert coronal.letters == ("L", "R", "I", "S")
    assert sagittal.letters == ("P", "A", "I", "S")
    for plane in (axial, coronal):
        assert plane.cut(turned)[:, :48].all()
        assert not plane.cut(turned)[:, 48:].any()


def test_a_point_off_the_grid_moves_to_its_edge() -> None:
    _, ras = to_ras(np.zeros(MNI_2MM.shape), MNI_2MM)
    axial, coronal, sagittal = planes(ras, (500.0, -500.0, 0.0))
    assert sagittal.index == 90
    assert coronal.index == 0
    assert axial.position == 0.0


def test_oblique_axes_and_foreign_shapes_are_refused() -> None:
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(0.1), -np.sin(0.1)], [np.sin(0.1), np.cos(0.1)]]
    with pytest.raises(InputError, match="oblique"):
        to_ras(np.zeros((3, 3, 3)), Grid.of((3, 3, 3), turn))
    with pytest.raises(InputError, match="not the grid's"):
        to_ras(np.zeros((3, 3, 3)), PAPER_GRID)
