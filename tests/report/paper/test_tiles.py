"""Tiles show what lies where: left on the left, the paper's planes and cut, the unseen marked in one version only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage
from tests.report.figures import pixels, words

from pellucid.image.grid import MNI_1MM, PAPER_GRID, Grid, resized
from pellucid.report.paper.material import Version
from pellucid.report.paper.tiles import (
    PAPER_BOX,
    Bar,
    Block,
    Box,
    brain_box,
    draw_blocks,
    paper_centre,
    paper_paint,
    places,
    scene,
    tile_data,
)

GRID = resized(MNI_1MM, (46, 55, 46))


def test_opacity_is_a_parabola_and_the_ends_are_those_of_coolwarm() -> None:
    rgba = paper_paint(0.02)(np.array([-0.04, -0.02, -0.01, 0.0, 0.01, 0.02]))
    np.testing.assert_allclose(rgba[:, 3], [1, 1, 0.25, 0, 0.25, 1])
    assert rgba[0, 2] > 2 * rgba[0, 0]
    assert rgba[-1, 0] > 2 * rgba[-1, 2]


def test_the_papers_planes_are_its_voxels() -> None:
    found = places(PAPER_GRID, paper_centre())
    assert [place["plane"] for place in found] == ["axial", "coronal", "sagittal"]
    assert {(place["i"], place["j"], place["k"]) for place in found} == {(48, 60, 48)}
    assert found[0]["mm"] == pytest.approx(-72 + 48 * 181 / 95, abs=0.01)
    assert {(p["i"], p["j"], p["k"]) for p in places(PAPER_GRID, paper_centre(-12))} == {(36, 48, 36)}


def test_the_papers_tiles_are_96_by_96_voxels() -> None:
    voxels = (PAPER_BOX.high - PAPER_BOX.low) / PAPER_GRID.voxel_sizes
    np.testing.assert_allclose(voxels, 96)
    ends = sorted([PAPER_GRID.voxel(PAPER_BOX.low)[1], PAPER_GRID.voxel(PAPER_BOX.high)[1]])
    np.testing.assert_allclose(ends, [8.5, 104.5])
    np.testing.assert_array_less(PAPER_BOX.low, PAPER_BOX.high)


def test_the_box_of_a_brain_has_a_margin() -> None:
    grid = Grid.of((10, 10, 10), np.diag([-2.0, 2.0, 2.0, 1.0]))
    brain = np.zeros(grid.shape, dtype=bool)
    brain[2:4, 3, 5] = True
    box = brain_box(brain, grid)
    np.testing.assert_allclose(box.low, [-7 - 5, 5 - 5, 9 - 5])
    np.testing.assert_allclose(box.high, [-3 + 5, 7 + 5, 11 + 5])


def test_data_hold_one_row_a_tile() -> None:
    table = tile_data(GRID, [({"group": "MS"}, paper_centre()), ({"group": "HC"}, paper_centre(6))])
    assert table["group"].tolist() == ["MS"] * 3 + ["HC"] * 3
    assert table["axis"].tolist() == list("zyx") * 2
    assert list(table.columns) == ["group", "plane", "axis", "mm", "i", "j", "k"]


def _spot(x: float, y: float, z: float) -> Any:
    values = np.zeros(GRID.shape)
    values[tuple(np.rint(GRID.voxel((x, y, z))).astype(int))] = 1.0
    return ndimage.grey_dilation(values, size=(5, 5, 5))


def _drawn(version: Version, values: Any, seen: Any = None, box: Box = PAPER_BOX) -> Any:
    block = Block("Some title", scene(GRID, np.full(GRID.shape, 0.4), values, seen), [np.array([50.0, -40.0, 30.0])],
                  paper_paint(1.0))  # fmt: skip
    bar = Bar(paper_paint(1.0), -1.0, 1.0, ((-1.0, "against"), (1.0, "for")))
    return draw_blocks([block], box, version=version, note="A note.", bar=bar, width=6.0)


def test_left_is_left_front_is_right_and_top_is_up(tmp_path: Path) -> None:
    """A spot on the right, at the back and on top stands there in all three planes."""
    figure = _drawn("revised", _spot(50, -40, 30))
    picture = pixels(figure, tmp_path / "spot.png")
    red = (picture[..., 0] - picture[..., 2]) > 80
    height, width = red.shape
    for number, axes in enumerate(figure.axes[:3]):
        place = axes.get_position()
        columns = slice(int(place.x0 * width), int(place.x1 * width))
        rows = slice(int((1 - place.y1) * height), int((1 - place.y0) * height))
        tile = red[rows, columns]
        assert tile.any()
        row, column = np.argwhere(tile).mean(axis=0) / tile.shape
        across = (50 + 91) / 182 if number < 2 else (-40 + 109.7) / 184.3
        up = (-40 + 109.7) / 184.3 if number == 0 else (30 + 72.95) / 182.9
        assert column == pytest.approx(across, abs=0.03)
        assert 1 - row == pytest.approx(up, abs=0.03)
    letters = [[text.get_text() for text in axes.texts][:4] for axes in figure.axes[:3]]
    assert letters == [list("LRPA"), list("LRIS"), list("PAIS")]
    assert {"Some title", "A note.", "z = 29 mm", "against", "for"} <= set(words(figure))


def test_the_unseen_is_marked_in_the_revised_version_alone(tmp_path: Path) -> None:
    seen = np.ones(GRID.shape, dtype=bool)
    seen[30:] = False  # the subject's left
    pictures = {
        version: pixels(_drawn(version, np.zeros(GRID.shape), seen), tmp_path / f"{version}.png")
        for version in ("paper", "revised")
    }
    whole = pixels(_drawn("paper", np.zeros(GRID.shape)), tmp_path / "whole.png")
    np.testing.assert_array_equal(pictures["paper"], whole)
    rows, columns = slice(20, 90), slice(8, 30)  # the left of the axial tile
    assert pictures["revised"][rows, columns].mean() < 0.8 * pictures["paper"][rows, columns].mean()


def test_blocks_stand_side_by_side_and_share_one_height() -> None:
    block = Block("x", scene(GRID, np.zeros(GRID.shape), np.zeros(GRID.shape)), [paper_centre()], paper_paint(1.0))
    bar = Bar(paper_paint(1.0), -1.0, 1.0, ((0.0, "zero"),))
    figure = draw_blocks(
        [block, block, block], PAPER_BOX, version="paper", note="", bar=bar, width=8.0, across=2, names=("axial",)
    )
    first, second, third, _ = [axes.get_position() for axes in figure.axes]
    assert first.y0 == pytest.approx(second.y0)
    assert second.x0 > first.x1
    assert third.y1 < first.y0
    assert third.x0 == pytest.approx(first.x0)
    size = figure.get_size_inches()
    assert first.width * size[0] / (first.height * size[1]) == pytest.approx(182.9 / 184.3, rel=0.01)
