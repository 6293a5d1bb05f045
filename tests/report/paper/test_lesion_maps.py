"""Figure S3: one plane, and a scale of its own for each group."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.report.figures import material, pixels, words

from pellucid.ground.files import read_tsv, write_tsv
from pellucid.ground.numbers import percent
from pellucid.image.grid import MNI_1MM, Grid
from pellucid.report.paper.lesion_maps import SLICE, figure_s3, slice_top
from pellucid.report.paper.material import MissingError


def test_the_papers_slice_is_at_20_mm_and_its_scale_that_of_the_slice() -> None:
    assert MNI_1MM.world((0, 0, SLICE))[2] == 20.0
    grid = Grid.of((3, 3, 3), np.diag([-1.0, 1.0, 1.0, 1.0]))
    values = np.zeros(grid.shape)
    values[0, 0, 1], values[0, 0, 2] = 0.3, 0.9
    assert slice_top(values, grid, np.array([0.0, 0.0, 1.2])) == 0.3


def test_without_the_store_there_is_no_figure(copy: Path) -> None:
    shutil.rmtree(copy / "stores")
    with pytest.raises(MissingError, match="the run has no stores/ms"):
        figure_s3(material(copy))


def test_it_is_drawn_of_all_but_the_held_out(root: Path, tmp_path: Path) -> None:
    drawing = figure_s3(material(root))
    one = drawing.data.set_index("group")
    assert one["scans"].to_dict() == {"MS": 3, "HC": 3}
    assert one["plane"].tolist() == ["axial", "axial"]
    white = [f"white: {percent(top)} of them" if top else "no lesion in this slice" for top in one["limit"]]
    assert one["title"].tolist() == [f"{group}: 3 scans, {said}" for group, said in zip(one.index, white, strict=True)]
    assert drawing.sources == ("stores/ms",)
    assert len(drawing.figure.axes) == 3
    assert "own maximum of each picture" in words(drawing.figure)
    picture = pixels(drawing.figure, tmp_path / "figure.png")
    assert (picture[..., 0] - picture[..., 2] > 80).sum() > 50


def test_without_a_mask_there_is_no_figure(copy: Path) -> None:
    table = read_tsv(copy / "stores" / "ms" / "table.tsv")
    write_tsv(copy / "stores" / "ms" / "table.tsv", table.assign(has_lesion_mask=table["group"] == "HC"))
    with pytest.raises(MissingError, match="no scan of group MS has a lesion mask"):
        figure_s3(material(copy))
