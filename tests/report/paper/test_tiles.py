"""The paper's pictures: its planes and cut, its colours, and how a mean scan becomes grey."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.image.grid import MNI_1MM, PAPER_GRID, resized
from pellucid.report.paper.tiles import (
    PAPER_FRAME,
    WORDS,
    paper_bar,
    paper_centre,
    paper_paint,
    places,
    spanned,
    spanned_words,
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
    voxels = (PAPER_FRAME.high - PAPER_FRAME.low) / PAPER_GRID.voxel_sizes
    np.testing.assert_allclose(voxels, 96)
    ends = sorted([PAPER_GRID.voxel(PAPER_FRAME.low)[1], PAPER_GRID.voxel(PAPER_FRAME.high)[1]])
    np.testing.assert_allclose(ends, [8.5, 104.5])
    np.testing.assert_array_less(PAPER_FRAME.low, PAPER_FRAME.high)


def test_data_hold_one_row_a_tile() -> None:
    table = tile_data(GRID, [({"group": "MS"}, paper_centre()), ({"group": "HC"}, paper_centre(6))])
    assert table["group"].tolist() == ["MS"] * 3 + ["HC"] * 3
    assert table["axis"].tolist() == list("zyx") * 2
    assert list(table.columns) == ["group", "plane", "axis", "mm", "i", "j", "k"]


def test_the_bar_has_words_and_no_numbers() -> None:
    bar = paper_bar(0.03)
    assert bar.words == tuple(zip((-0.03, 0.0, 0.03), WORDS, strict=True))
    assert (bar.low, bar.high) == (-0.03, 0.03)


def test_mean_scans_span_black_to_white_where_their_scaling_allows_it() -> None:
    scan = np.zeros((4, 4, 4))
    scan[1:3] = np.linspace(-2, 5, 32).reshape(2, 4, 4)
    for scaling in ("robust", "max"):
        grey = spanned(scan, scaling)
        assert (grey.min(), grey.max()) == (0, 1)
    assert (spanned(np.zeros((2, 2, 2)), "max") == 0).all()
    assert (spanned(scan, "robust")[0] == 0).all()
    assert spanned(scan, "max")[0, 0, 0] == pytest.approx(2 / 7)
    assert spanned_words("max") == ""
    assert "percentiles" in spanned_words("robust")
