"""Pictures: left is left whatever the voxel order, colours mean what the bar says, the unseen part is shown as such."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from matplotlib.backends.backend_agg import FigureCanvasAgg

from pellucid.ground.errors import InputError
from pellucid.image.grid import MNI_1MM, Grid, resized
from pellucid.image.planes import Plane
from pellucid.report.pictures.overlay import (
    _Scene,
    colours,
    draw_field_of_view,
    draw_map,
    faces,
    strongest_voxel,
    symmetric_limit,
)
from pellucid.report.pictures.style import ALARM

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


def _pixels(scene: _Scene) -> tuple[list[dict[str, np.ndarray]], list[np.ndarray]]:
    """Render a scene: for each panel where its letters stand, and the pixels (x, y) in which red prevails."""
    figure = scene.figure("title", "unit")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    rgb = np.asarray(canvas.buffer_rgba())[..., :3].astype(int)
    letters, red = [], []
    for axes in figure.axes[:3]:
        box = axes.get_window_extent()
        texts = {text.get_text(): axes.transAxes.transform(text.get_position()) for text in axes.texts}
        letters.append(texts)
        rows, columns = np.nonzero((rgb[..., 0] - rgb[..., 1] > 60) & (rgb[..., 0] - rgb[..., 2] > 60))
        points = np.stack([columns, rgb.shape[0] - 1 - rows], axis=-1)
        inside = (points > box.min).all(axis=1) & (points < box.max).all(axis=1)
        red.append(points[inside])
    return letters, red


@pytest.mark.parametrize("grid", GRIDS)
def test_a_blob_lies_at_the_letters_of_its_side_in_every_voxel_order(grid: Grid) -> None:
    """World x = -40 is left, y = -60 posterior, z = 50 superior."""
    blob = _ball(grid, (-40, -60, 50))
    centre = np.array((-40.0, -60.0, 50.0))
    scene = _Scene(_brain(grid), grid, np.ones(grid.shape, dtype=bool), centre, relevance=blob, limit=1.0)
    letters, red = _pixels(scene)
    for panel, points, (near, far) in zip(
        [0, 0, 1, 1, 2, 2],
        [red[0], red[0], red[1], red[1], red[2], red[2]],
        [("L", "R"), ("P", "A"), ("L", "R"), ("S", "I"), ("P", "A"), ("S", "I")],
        strict=True,
    ):
        assert len(points) > 20
        middle = points.mean(axis=0)
        towards = np.linalg.norm(middle - letters[panel][near])
        assert towards < np.linalg.norm(middle - letters[panel][far]), f"panel {panel}: {near} is not nearer than {far}"
    for texts, left in zip(letters, ("L", "L", "P"), strict=True):
        assert texts[left][0] == min(position[0] for position in texts.values())


@pytest.mark.parametrize("grid", GRIDS)
def test_a_blob_lies_at_its_millimetres(grid: Grid) -> None:
    where = np.array((24.0, -36.0, 30.0))
    scene = _Scene(
        _brain(grid), grid, np.ones(grid.shape, dtype=bool), where, relevance=_ball(grid, tuple(where)), limit=1.0
    )
    figure = scene.figure("title", "unit")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    _, red = _pixels(scene)
    for axes, points, (across, up) in zip(figure.axes, red, ((0, 1), (0, 2), (1, 2)), strict=False):
        found = axes.transData.inverted().transform(points).mean(axis=0)
        np.testing.assert_allclose(found, where[[across, up]], atol=3.0)  # half a voxel of 6 mm


def test_colours_are_symmetric_transparent_at_zero_and_clipped_at_the_limit() -> None:
    rgba = colours(np.array([-2.0, -1.0, -0.25, 0.0, 0.25, 1.0, 2.0]), 1.0)
    np.testing.assert_allclose(rgba[:, 3], [1, 1, 0.25, 0, 0.25, 1, 1])
    assert (rgba[0] == rgba[1]).all()
    assert (rgba[5] == rgba[6]).all()
    assert rgba[1, 2] > rgba[1, 0]  # blue speaks against
    assert rgba[5, 0] > rgba[5, 2]  # red speaks for


@given(hnp.arrays(np.float64, (4, 5), elements=st.floats(-8, 8)))
def test_colours_depend_on_the_ratio_to_the_limit_alone(values: np.ndarray) -> None:
    np.testing.assert_allclose(colours(values, 2.0), colours(4 * values, 8.0))


def test_the_limit_is_a_percentile_of_what_is_not_zero() -> None:
    values = np.zeros(100_000)
    values[:1000] = -np.arange(1, 1001)
    assert symmetric_limit([values]) == pytest.approx(np.percentile(np.arange(1, 1001), 99.9))
    assert symmetric_limit([values[:1000], values]) == pytest.approx(np.percentile(np.arange(1, 1001).repeat(2), 99.9))
    assert symmetric_limit([np.zeros(5)]) == 1.0


def test_the_strongest_voxel_speaks_for_the_verdict_and_is_seen() -> None:
    values = np.zeros((3, 3, 3))
    values[0, 0, 0], values[1, 1, 1], values[2, 2, 2] = 9.0, 5.0, -7.0
    seen = np.ones_like(values, dtype=bool)
    assert strongest_voxel(values, seen) == (0, 0, 0)
    seen[0, 0, 0] = False
    assert strongest_voxel(values, seen) == (1, 1, 1)
    values[0, 0, 0] = 0.0  # now the sum is negative
    assert strongest_voxel(values, seen) == (2, 2, 2)


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


def test_the_unseen_part_is_dimmed_and_framed_and_the_seen_part_is_not() -> None:
    seen = FULL.copy()
    seen[COARSE.shape[0] // 2 :] = False  # the left half, for the index rises leftwards
    image = _brain(COARSE) * (2 + np.indices(COARSE.shape).sum(axis=0) % 2)
    half, whole = (_Scene(image, COARSE, mask, np.zeros(3)) for mask in (seen, FULL))
    left, right = slice(0, 14), slice(17, None)
    np.testing.assert_array_equal(half.grey[right], whole.grey[right])
    np.testing.assert_allclose(half.grey[left], 0.45 * whole.grey[left])
    assert half.grey[left].max() > 0
    assert "Hatched" in half._notes()
    assert "Hatched" not in whole._notes()


def test_tissue_that_scaling_cut_off_stays_apart_from_the_background() -> None:
    brain = _brain(COARSE)
    fluid = np.indices(COARSE.shape).sum(axis=0) % 5 == 0
    image = brain * np.where(fluid, -1.0, 0.5)  # a fifth of the brain at the lower end
    scene = _Scene(image, COARSE, FULL, np.zeros(3))
    inside, around = scene.brain & (scene.grey < scene.grey.max()), ~scene.brain
    assert inside.any()
    assert scene.grey[inside].min() > 0.1
    assert not scene.grey[around].any()


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_draw_map_writes_the_same_file_twice_and_leaves_nothing_else(tmp_path: Path, suffix: str) -> None:
    image, relevance = _brain(COARSE), _ball(COARSE, (-40, -20, 20)) - _ball(COARSE, (40, -20, 20))
    lesions = _ball(COARSE, (-40, -20, 20), 15) > 0
    files = [tmp_path / f"{name}{suffix}" for name in "ab"]
    for path in files:
        assert draw_map(image, relevance, COARSE, FULL, lesions=lesions, title="sub-01", path=path) == path
    assert files[0].read_bytes() == files[1].read_bytes()
    assert sorted(tmp_path.iterdir()) == files


def test_a_given_limit_and_centre_are_used(tmp_path: Path) -> None:
    image, relevance = _brain(COARSE), _ball(COARSE, (30, -20, 20))
    paths = [tmp_path / f"{n}.png" for n in range(3)]
    draw_map(image, relevance, COARSE, FULL, title="", limit=1.0, centre=(30, -20, 20), path=paths[0])
    draw_map(image, relevance, COARSE, FULL, title="", limit=50.0, centre=(30, -20, 20), path=paths[1])
    draw_map(image, relevance, COARSE, FULL, title="", limit=1.0, centre=(-30, -20, -30), path=paths[2])
    strong, weak, elsewhere = (matplotlib.image.imread(path)[..., :3] for path in paths)
    redness = [float((picture[..., 0] - picture[..., 2]).clip(0, None).sum()) for picture in (strong, weak, elsewhere)]
    assert redness[0] > 1.2 * redness[1]  # the colour bar is red in both
    assert redness[0] > 1.2 * redness[2]


def test_empty_maps_and_empty_lesions_can_be_drawn(tmp_path: Path) -> None:
    path = draw_map(
        _brain(COARSE), 0 * _brain(COARSE), COARSE, FULL, lesions=~FULL, title="nothing", path=tmp_path / "a.png"
    )
    assert path.stat().st_size > 1000
    seen = np.indices(COARSE.shape)[0] < 23
    draw_field_of_view(_brain(COARSE), COARSE, seen, title="view", centre=(0, 0, 0), path=tmp_path / "b.png")
    assert (tmp_path / "b.png").stat().st_size > 1000


def test_volumes_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    with pytest.raises(InputError, match="not the grid's"):
        draw_map(_brain(COARSE)[1:], _brain(COARSE), COARSE, FULL, title="", path=path)
    with pytest.raises(InputError, match="every voxel is 0"):
        draw_map(0 * _brain(COARSE), _brain(COARSE), COARSE, FULL, title="", path=path)
    assert list(tmp_path.iterdir()) == []


def test_alarms_are_drawn_in_red_above_the_panels_and_notes_below(tmp_path: Path) -> None:
    image, relevance = _brain(COARSE), _brain(COARSE)
    path = tmp_path / "map.svg"
    plain = draw_map(image, relevance, COARSE, FULL, title="sub-01", path=path).read_text()
    alarms = ["the map sums to -8.26, the logit is +1.04: another sign", "the biases absorbed +9.3"]
    text = draw_map(image, relevance, COARSE, FULL, title="sub-01", path=path, note="Gross.", alarms=alarms).read_text()
    assert ALARM in text
    assert ALARM not in plain
    heights = [float(re.search(r'height="([\d.]+)pt"', one)[1]) for one in (plain, text)]  # type: ignore[index]
    assert heights[1] > heights[0]  # no panel gives way


def test_no_text_leaves_the_picture(tmp_path: Path) -> None:
    """Long alarms, every note and lesions at once."""
    seen = np.indices(COARSE.shape)[0] < 23
    image = _brain(COARSE)
    scene = _Scene(image, COARSE, seen, np.zeros(3), relevance=image, lesions=image > 0, limit=1.0)
    alarms = ["the biases absorbed -0.154, more than the logit of -0.00149"] * 3
    figure = scene.figure("sub-01", "relevance", note="Gross relevance 13892 times |logit|.", alarms=alarms)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    width, height = canvas.get_width_height()
    boxes = [text.get_window_extent(canvas.get_renderer()) for text in figure.texts]
    for box in boxes:
        assert 0 <= box.x0 < box.x1 <= width
        assert 0 <= box.y0 < box.y1 <= height
    panels = [axes.get_tightbbox(canvas.get_renderer()) for axes in figure.axes]
    assert all(panel is not None and not box.overlaps(panel) for box in boxes for panel in panels)
