"""The slices of MNI space and of native brains."""

from __future__ import annotations

import numpy as np

from pellucid.image.grid import Grid
from pellucid.image.nifti import Volume
from pellucid.report.quality.views import mni_sheet, native_sheet, template, thumbnail_sheet


def test_the_templates_outlines_fit_its_picture() -> None:
    found = template()
    assert found.grey.shape == found.brain.shape == found.white.shape == mni_sheet().size
    brain = found.grey > 0
    inside = found.brain > 0.5
    assert 2 * (brain & inside).sum() / (brain.sum() + inside.sum()) > 0.97
    white = found.white > 0.5
    assert found.grey[white].mean() > found.grey[inside & ~white].mean() + 0.15
    assert template("thumbnail").grey.shape == thumbnail_sheet().size


def test_native_slices_are_spread_over_an_oblique_brain() -> None:
    turn = np.deg2rad(30.0)
    affine = np.eye(4)
    affine[:2, :2] = 2 * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    affine[2, 2], affine[:3, 3] = 5.0, (40.0, -70.0, 10.0)
    grid = Grid.of((50, 60, 20), affine)
    ijk = np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), axis=-1)
    centre = grid.world((25, 30, 10))
    ball = np.linalg.norm(grid.world(ijk) - centre, axis=-1) < 40
    sheet = native_sheet(Volume(ball.astype(np.float32), grid))
    for cuts, axis in zip(sheet.rows, (2, 1, 0), strict=True):
        positions = [plane.position for plane in cuts.planes]
        assert abs(np.mean(positions) - centre[axis]) < 4
        assert 50 < positions[-1] - positions[0] < 80
    canvas = sheet.of_volume(ball.astype(np.float32), grid)
    for places, shapes in zip(sheet.places, sheet.shapes, strict=True):
        for (y, x), (tall, wide) in zip(places, shapes, strict=True):
            assert canvas[y : y + tall, x : x + wide].sum() > 500
            assert canvas[y, x : x + wide].max() == 0  # nothing is cut off
