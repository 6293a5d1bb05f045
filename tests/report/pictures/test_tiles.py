"""Tiles show what lies where, what is not seen is marked, and all text finds room."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from scipy import ndimage
from tests.report.figures import pixels, words

from pellucid.image.grid import MNI_1MM, Grid, resized
from pellucid.report.pictures.brain import Bar, Scene
from pellucid.report.pictures.relevance import relevance_bar, relevance_paint
from pellucid.report.pictures.tiles import Block, Frame, draw_tiles, foot

GRID = resized(MNI_1MM, (46, 55, 46))
ZERO = np.zeros(GRID.shape)
FRAME = Frame(np.array([-91.0, -109.7, -72.95]), np.array([91.0, 74.6, 109.95]))
BAR = Bar(relevance_paint(1.0), -1.0, 1.0, ((-1.0, "against"), (1.0, "for")))
CENTRE = np.array([50.0, -40.0, 30.0])


def test_the_frame_of_a_brain_has_a_margin() -> None:
    grid = Grid.of((10, 10, 10), np.diag([-2.0, 2.0, 2.0, 1.0]))
    brain = np.zeros(grid.shape, dtype=bool)
    brain[2:4, 3, 5] = True
    frame = Frame.around(brain, grid)
    np.testing.assert_allclose(frame.low, [-7 - 5, 5 - 5, 9 - 5])
    np.testing.assert_allclose(frame.high, [-3 + 5, 7 + 5, 11 + 5])


def _spot(x: float, y: float, z: float) -> Any:
    values = ZERO.copy()
    values[tuple(np.rint(GRID.voxel((x, y, z))).astype(int))] = 1.0
    return ndimage.grey_dilation(values, size=(5, 5, 5))


def _drawn(values: Any, seen: Any = None, *, marked: bool = True) -> Any:
    scene = Scene.of(GRID, np.full(GRID.shape, 0.4), values, seen)
    block = Block("Some title", scene, [CENTRE], relevance_paint(1.0))
    return draw_tiles([block], FRAME, note="A note.", bar=BAR, width=6.0, marked=marked)


def test_left_is_left_front_is_right_and_top_is_up(tmp_path: Path) -> None:
    """A spot on the right, at the back and on top stands there in all three planes."""
    figure = _drawn(_spot(*CENTRE))
    picture = pixels(figure, tmp_path / "spot.png")
    red = (picture[..., 0] - picture[..., 2]) > 80
    height, width = red.shape
    (x, y, z), (x0, y0, z0), (x1, y1, z1) = CENTRE, FRAME.low, FRAME.high
    for number, axes in enumerate(figure.axes[:3]):
        place = axes.get_position()
        columns = slice(int(place.x0 * width), int(place.x1 * width))
        rows = slice(int((1 - place.y1) * height), int((1 - place.y0) * height))
        tile = red[rows, columns]
        assert tile.any()
        row, column = np.argwhere(tile).mean(axis=0) / tile.shape
        across = (x - x0) / (x1 - x0) if number < 2 else (y - y0) / (y1 - y0)
        up = (y - y0) / (y1 - y0) if number == 0 else (z - z0) / (z1 - z0)
        assert column == pytest.approx(across, abs=0.03)
        assert 1 - row == pytest.approx(up, abs=0.03)
    assert {"Some title", "A note.", "z = 29 mm", "against", "for", "50 mm"} <= set(words(figure))


def test_the_unseen_is_marked_where_marks_are_wanted(tmp_path: Path) -> None:
    seen = np.ones(GRID.shape, dtype=bool)
    seen[30:] = False  # the subject's left
    marked, bare, whole = (
        pixels(figure, tmp_path / "tiles.png")
        for figure in (_drawn(ZERO, seen), _drawn(ZERO, seen, marked=False), _drawn(ZERO, marked=False))
    )
    np.testing.assert_array_equal(bare, whole)
    rows, columns = slice(20, 90), slice(8, 30)  # the left of the axial tile
    assert marked[rows, columns].mean() < 0.8 * bare[rows, columns].mean()


def test_blocks_stand_side_by_side_and_share_one_height() -> None:
    block = Block("x", Scene.of(GRID, ZERO, ZERO), [CENTRE], relevance_paint(1.0))
    alarmed = Block("x", block.scene, [CENTRE], block.paint, alarms=("wrong",))
    figure = draw_tiles([block, alarmed, block], FRAME, note="", bar=BAR, width=8.0, across=2, names=("axial",))
    first, second, third, _ = [axes.get_position() for axes in figure.axes]
    assert first.y0 == pytest.approx(second.y0)
    assert second.x0 > first.x1
    assert third.y1 < first.y0
    assert third.x0 == pytest.approx(first.x0)
    size = figure.get_size_inches()
    assert first.width * size[0] / (first.height * size[1]) == pytest.approx(182 / 184.3, rel=0.01)


def test_the_foot_explains_the_marks_that_are_there() -> None:
    half, lesions = np.indices(GRID.shape)[0] < 23, _spot(0, 0, 0) > 0
    plain, both = foot(Scene.of(GRID, ZERO)), foot(Scene.of(GRID, ZERO), Scene.of(GRID, ZERO, None, half, lesions))
    assert "Hatched" not in plain
    assert "Yellow" not in plain
    assert "Hatched" in both
    assert "Yellow" in both
    assert "Yellow" not in foot(Scene.of(GRID, ZERO, lesions=ZERO))


def test_lesions_are_outlined(tmp_path: Path) -> None:
    scene = Scene.of(GRID, ZERO, lesions=_spot(*CENTRE))
    picture = pixels(draw_tiles([Block("x", scene, [CENTRE])], FRAME, note=""), tmp_path / "outline.png")
    red, green, blue = np.moveaxis(picture, -1, 0)
    assert ((red - blue > 60) & (green - blue > 40)).sum() > 20  # yellow


def test_no_text_leaves_the_picture_or_runs_into_a_tile() -> None:
    """Long alarms, long titles, and every note at once."""
    alarms = ["the biases absorbed -0.154, more than the logit of -0.00149"] * 3
    half = np.indices(GRID.shape)[0] < 23
    scene = Scene.of(GRID, ZERO, ZERO, half, _spot(0, 0, 0))
    block = Block("A title that goes on " * 6, scene, [CENTRE], relevance_paint(1.0), alarms)
    figure = draw_tiles([block, block], FRAME, note=foot(scene), bar=relevance_bar(1.0, clipped=True))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    width, height = canvas.get_width_height()
    boxes = [text.get_window_extent(canvas.get_renderer()) for text in figure.texts]
    assert len(boxes) == 5
    for box in boxes:
        assert 0 <= box.x0 < box.x1 <= width
        assert 0 <= box.y0 < box.y1 <= height
    panels = [axes.get_tightbbox(canvas.get_renderer()) for axes in figure.axes]
    others = [*panels, *boxes]
    assert all(panel is not None and not box.overlaps(panel) for box in boxes for panel in others if panel is not box)
