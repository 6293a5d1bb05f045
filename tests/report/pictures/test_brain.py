"""Planes of brains: left is left whatever the voxel order, grey is robust, and the unseen part is shown as such."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pellucid.ground.errors import InputError
from pellucid.image.grid import MNI_1MM, Grid, resized
from pellucid.image.planes import Plane, planes
from pellucid.report.pictures.brain import Scene, draw_plane, faces, grey_levels, position, shade, window
from pellucid.report.pictures.relevance import relevance_paint

COARSE = resized(MNI_1MM, (31, 37, 31))  # voxel order left-anterior-superior, as the paper's
FULL = np.ones(COARSE.shape, dtype=bool)


def _reordered(signs: tuple[int, ...], order: tuple[int, ...]) -> Grid:
    """A grid of 6 mm voxels over the same space whose axes run otherwise."""
    affine = np.eye(4)
    affine[:3, :3] = 0
    shape = []
    for axis, (world, sign) in enumerate(zip(order, signs, strict=True)):
        low, high = ((-90.0, 90.0), (-126.0, 90.0), (-72.0, 108.0))[world]
        affine[world, axis], affine[world, 3] = 6.0 * sign, low if sign > 0 else high
        shape.append(int((high - low) / 6) + 1)
    return Grid.of(tuple(shape), affine)


GRIDS = [
    COARSE,
    _reordered((1, 1, 1), (0, 1, 2)),
    _reordered((-1, -1, -1), (0, 1, 2)),
    _reordered((1, -1, -1), (2, 0, 1)),
]


def _world(grid: Grid) -> np.ndarray:
    return grid.world(np.moveaxis(np.indices(grid.shape), 0, -1))


def _brain(grid: Grid) -> np.ndarray:
    """A grey ellipsoid around the middle of the head."""
    return (np.linalg.norm((_world(grid) - (0, -18, 18)) / (70, 90, 65), axis=-1) < 1).astype(float)


def _ball(grid: Grid, centre: tuple[float, float, float], radius: float = 9.0) -> np.ndarray:
    return (np.linalg.norm(_world(grid) - centre, axis=-1) < radius).astype(float)


def _figure(scene: Scene, centre: np.ndarray) -> Figure:
    """Draw three planes of a scene, 200 mm wide and tall, side by side."""
    figure = Figure(figsize=(9.0, 3.0))
    for axes, plane in zip(figure.subplots(1, 3), planes(scene.grid, centre), strict=True):
        middle = {0: 0.0, 1: -18.0, 2: 18.0}
        axes.set_xlim(middle[plane.across] - 100, middle[plane.across] + 100)
        axes.set_ylim(middle[plane.up] - 100, middle[plane.up] + 100)
        axes.set_autoscale_on(False)
        draw_plane(axes, scene, plane, relevance_paint(1.0), centre=centre, marked=True)
    return figure


def _red(figure: Figure) -> list[np.ndarray]:
    """Return for each panel the pixels (x, y) in which red prevails."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    rgb = np.asarray(canvas.buffer_rgba())[..., :3].astype(int)
    rows, columns = np.nonzero((rgb[..., 0] - rgb[..., 1] > 60) & (rgb[..., 0] - rgb[..., 2] > 60))
    points = np.stack([columns, rgb.shape[0] - 1 - rows], axis=-1)
    boxes = [axes.get_window_extent() for axes in figure.axes]
    return [points[(points > box.min).all(axis=1) & (points < box.max).all(axis=1)] for box in boxes]


@pytest.mark.parametrize("grid", GRIDS)
def test_a_blob_lies_at_the_letters_of_its_side_in_every_voxel_order(grid: Grid) -> None:
    """World x = -40 is left, y = -60 posterior, z = 50 superior."""
    centre = np.array((-40.0, -60.0, 50.0))
    figure = _figure(Scene.of(grid, _brain(grid), _ball(grid, (-40, -60, 50))), centre)
    letters = [
        {text.get_text(): axes.transAxes.transform(text.get_position()) for text in axes.texts} for axes in figure.axes
    ]
    red = _red(figure)
    sides = [("L", "R"), ("P", "A"), ("L", "R"), ("S", "I"), ("P", "A"), ("S", "I")]
    for n, (near, far) in enumerate(sides):
        panel, points = n // 2, red[n // 2]
        assert len(points) > 20
        middle = points.mean(axis=0)
        towards = np.linalg.norm(middle - letters[panel][near])
        assert towards < np.linalg.norm(middle - letters[panel][far]), f"panel {panel}: {near} is not nearer than {far}"
    for texts, left in zip(letters, ("L", "L", "P"), strict=True):
        assert texts[left][0] == min(texts[letter][0] for letter in texts if len(letter) == 1)


@pytest.mark.parametrize("grid", GRIDS)
def test_a_blob_lies_at_its_millimetres(grid: Grid) -> None:
    where = np.array((24.0, -36.0, 30.0))
    figure = _figure(Scene.of(grid, _brain(grid), _ball(grid, (24.0, -36.0, 30.0))), where)
    for axes, points, plane in zip(figure.axes, _red(figure), ((0, 1), (0, 2), (1, 2)), strict=True):
        found = axes.transData.inverted().transform(points).mean(axis=0)
        np.testing.assert_allclose(found, where[list(plane)], atol=3.0)  # half a voxel of 6 mm


def test_marks_at_the_edges_point_to_the_cut_and_the_scale_is_50_mm_long() -> None:
    where = np.array((24.0, -36.0, 30.0))
    axial, *_ = _figure(Scene.of(COARSE, _brain(COARSE)), where).axes
    upright = [line.get_xdata()[0] for line in axial.lines[:2]]
    level = [line.get_ydata()[0] for line in axial.lines[2:4]]
    assert (upright, level) == ([24.0, 24.0], [-36.0, -36.0])
    assert np.ptp(axial.lines[4].get_xdata()) == pytest.approx(50.0)
    assert "50 mm" in [text.get_text() for text in axial.texts]


def test_the_unseen_part_is_dimmed_and_the_seen_part_is_not() -> None:
    seen = FULL.copy()
    seen[COARSE.shape[0] // 2 :] = False  # the left half, for the index rises leftwards
    grey, shown = grey_levels(_brain(COARSE) * (2 + np.indices(COARSE.shape).sum(axis=0) % 2)), []
    for mask in (seen, FULL):
        axial, *_ = _figure(Scene.of(COARSE, grey, seen=mask), np.zeros(3)).axes
        shown.append(np.asarray(axial.images[0].get_array())[..., 0])
    half, whole = shown
    np.testing.assert_array_equal(half[:, 17:], whole[:, 17:])
    np.testing.assert_allclose(half[:, :14], 0.45 * whole[:, :14])
    assert half[:, :14].max() > 0


@given(hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=6)))
def test_an_outline_runs_along_every_face_between_inside_and_outside(mask: np.ndarray) -> None:
    plane = Plane("axial", 0, 1, 2, 0, 0.0, (-10.0, -10.0 + 2 * mask.shape[1], 5.0, 5.0 + 3 * mask.shape[0]))
    expected = set()
    padded = np.pad(mask, 1)
    for row, column in zip(*np.nonzero(padded), strict=True):
        x0, y0 = -10.0 + 2 * (column - 1), 5.0 + 3 * (row - 1)
        sides = {(0, -1): ((x0, y0), (x0, y0 + 3)), (0, 1): ((x0 + 2, y0), (x0 + 2, y0 + 3))}
        sides |= {(-1, 0): ((x0, y0), (x0 + 2, y0)), (1, 0): ((x0, y0 + 3), (x0 + 2, y0 + 3))}
        expected |= {side for (dr, dc), side in sides.items() if not padded[row + dr, column + dc]}
    found = [tuple(map(tuple, segment)) for segment in faces(plane, mask).round(9).tolist()]
    assert len(found) == len(set(found))
    assert set(found) == expected


def test_grey_levels_are_robust_and_black_stays_black() -> None:
    values = np.r_[np.linspace(100.0, 200.0, 10_000), 1e6]
    low, high = window(values)
    assert 90 < low < 102
    assert 195 < high < 205
    np.testing.assert_allclose(shade(np.array([0.0, low, high, 1e9]), (low, high)), [0, 0, 1, 1])
    assert window(np.empty(0)) == (0.0, 1.0)


def test_tissue_that_scaling_cut_off_stays_apart_from_the_background() -> None:
    brain = _brain(COARSE) > 0
    fluid = np.indices(COARSE.shape).sum(axis=0) % 5 == 0
    grey = grey_levels(brain * np.where(fluid, -1.0, 0.5))  # a fifth of the brain at the lower end
    dark = brain & (grey < grey.max())
    assert dark.any()
    assert grey[dark].min() > 0.1
    assert not grey[~brain].any()
    assert not grey_levels(np.zeros((2, 2, 2))).any()


def test_volumes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="not the grid's"):
        Scene.of(COARSE, _brain(COARSE)[1:])


def test_positions_have_a_minus_sign() -> None:
    assert position(planes(Grid.of((3, 3, 3), np.eye(4)), (0, 0, 0))[1]) == "y = 0 mm"
    assert position(planes(Grid.of((3, 30, 3), np.diag([1.0, -1.0, 1.0, 1.0])), (0, -10, 0))[1]) == "y = −10 mm"
