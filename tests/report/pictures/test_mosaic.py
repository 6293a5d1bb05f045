"""Slices lie where their labels say, whatever the grid, and outlines lie on what they outline."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.image.grid import Grid
from pellucid.report.pictures.mosaic import WIDTH, Outline, Row, Sheet, draw, row, see, tiles

BOX = ((-20, -24, -16), (20, 24, 16))


def _grid(affine: np.ndarray, shape: tuple[int, int, int]) -> Grid:
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Grid.of(shape, affine)


LAS = _grid(np.diag([-1.0, 1.0, 1.0, 1.0]), (61, 61, 61))
COARSE = _grid(np.diag([2.0, -2.0, 3.0, 1.0]), (41, 41, 31))
_TURN = np.eye(4)
_TURN[:2, :2] = [[np.cos(0.2), -np.sin(0.2)], [np.sin(0.2), np.cos(0.2)]]
OBLIQUE = _grid(_TURN.copy(), (71, 71, 61))


def _ramp(grid: Grid) -> np.ndarray:
    """x + 100 y + 10000 z of each voxel's world position."""
    ijk = np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), axis=-1)
    return (grid.world(ijk) @ [1.0, 100.0, 10000.0]).astype(np.float32)


@pytest.mark.parametrize("grid", [LAS, COARSE, OBLIQUE], ids=["LAS", "coarse", "oblique"])
@pytest.mark.parametrize(("direction", "axis"), [("sagittal", 0), ("coronal", 1), ("axial", 2)])
def test_a_slice_shows_what_lies_at_its_millimetres(grid: Grid, direction: str, axis: int) -> None:
    cuts = row(direction, BOX, (-10, 10), 3)  # type: ignore[arg-type]
    assert [plane.position for plane in cuts.planes] == [-10, 0, 10]
    seen = tiles(cuts, _ramp(grid), grid)
    across, up = [a for a in range(3) if a != axis]
    for plane, cut in zip(cuts.planes, seen, strict=True):
        xyz = np.zeros((*cut.shape, 3))
        xyz[..., axis] = plane.position
        xyz[..., across] = np.arange(BOX[0][across], BOX[1][across] + 1)
        xyz[..., up] = np.arange(BOX[0][up], BOX[1][up] + 1)[:, None]
        np.testing.assert_allclose(cut, xyz @ [1.0, 100.0, 10000.0], atol=1.0)


def test_voxels_that_need_no_interpolation_are_not_touched() -> None:
    data = np.random.default_rng(0).random(LAS.shape, dtype=np.float32)
    target = row("axial", BOX, (-10, 10), 3).grid
    seen = see(data, LAS, target)
    assert np.shares_memory(seen, data)
    i, j, k = np.rint(LAS.voxel(target.world((5, 7, 2)))).astype(int)
    assert seen[5, 7, 2] == data[i, j, k]


def test_outside_of_a_volume_lies_nothing() -> None:
    far = row("axial", ((0, 0, 0), (60, 10, 10)), (0, 0), 1)
    cut = tiles(far, np.ones(LAS.shape, dtype=np.float32), LAS)[0]
    assert cut[:, :31].all()
    assert not cut[:, 32:].any()


def test_tiles_do_not_overlap_and_fill_the_width() -> None:
    rows = [row("axial", BOX, (-10, 10), 4), row("sagittal", BOX, (-5, 5), 3)]
    sheet = Sheet.of([Row(rows[0].grid, rows[0].planes, "above"), rows[1]])
    ones = [[np.ones(shape) for shape in shapes] for shapes in sheet.shapes]
    canvas = sheet.assemble(ones)
    assert canvas.sum() == sum(cut.sum() for cuts in ones for cut in cuts)
    assert sheet.places[0][0][0] > sheet.places[1][0][0]  # the first row is on top
    assert draw(sheet, canvas).shape == (round(sheet.size[0] * sheet.scale), WIDTH, 3)


def test_left_is_left_in_the_picture() -> None:
    x = np.broadcast_to(LAS.world(np.stack([np.arange(61)] * 3, -1))[:, 0, None, None], LAS.shape)
    sheet = Sheet.of([row("axial", BOX, (0, 0), 1)])
    picture = draw(sheet, sheet.of_volume((x > 0).astype(np.float32), LAS))
    middle = picture[picture.shape[0] // 2, :, 0].astype(int)
    assert middle[WIDTH // 4] == 0
    assert middle[3 * WIDTH // 4] > 250  # the subject's right


def test_an_outline_lies_on_the_edge_of_a_mask() -> None:
    sheet = Sheet.of([row("axial", BOX, (0, 0), 1)])
    mask = np.zeros(sheet.size, dtype=bool)
    (bottom, left), _ = sheet.places[0][0], None
    mask[bottom + 10 : bottom + 30, left + 10 : left + 30] = True
    for canvas in (mask, mask.astype(float)):
        picture = draw(sheet, np.zeros(sheet.size), [Outline(canvas, "#ff0000")])
        red = (picture[..., 0] > 150) & (picture[..., 1] < 80)
        columns = np.nonzero(red.any(axis=0))[0] / sheet.scale
        assert columns.min() == pytest.approx(left + 10, abs=0.6)
        assert columns.max() == pytest.approx(left + 30, abs=0.6)
