"""Figure S3: separate scales in the paper's version, one for both groups revised."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.report.figures import material, pixels, words

from pellucid.ground.files import read_tsv, write_tsv
from pellucid.image.grid import MNI_1MM, Grid
from pellucid.report.paper.lesion_maps import SLICE, figure_s3, hot, lesion_map_data, lesion_means, slice_top
from pellucid.report.paper.material import MissingError


def test_masks_are_averaged_and_scans_without_one_left_out(copy: Path) -> None:
    table = read_tsv(copy / "stores" / "ms" / "table.tsv")
    patients = [int(n) for n in table.index[table["group"] == "MS"][:3]]
    table.loc[patients[1], "has_lesion_mask"] = False
    write_tsv(copy / "stores" / "ms" / "table.tsv", table)
    store = material(copy).relevance("finetuned").store
    lesions, brain, number = lesion_means(store, [*patients, int(table.index[table["group"] == "HC"][0])], "MS")
    one, _, other = patients
    np.testing.assert_allclose(lesions, (store.masks[one].astype(float) + store.masks[other]) / 2)
    assert number == 2
    np.testing.assert_allclose(brain, (store.brain[one].astype(float) + store.brain[other]) / 2)
    with pytest.raises(MissingError, match="no scan of group MS has a lesion mask"):
        lesion_means(store, [patients[1]], "MS")


def test_colours_are_transparent_without_lesion_and_hot_with() -> None:
    rgba = hot(0.5)(np.array([0.0, 0.25, 0.5, 0.9]))
    np.testing.assert_allclose(rgba[:, 3], [0, 0.6, 0.6, 0.6])
    np.testing.assert_allclose(rgba[2, :3], 1.0)
    np.testing.assert_allclose(rgba[2], rgba[3])
    np.testing.assert_allclose(hot(0.0)(np.zeros(2))[:, 3], 0)


def test_the_papers_slice_is_at_20_mm_and_its_scale_that_of_the_slice() -> None:
    assert MNI_1MM.world((0, 0, SLICE))[2] == 20.0
    grid = Grid.of((3, 3, 3), np.diag([-1.0, 1.0, 1.0, 1.0]))
    values = np.zeros(grid.shape)
    values[0, 0, 1], values[0, 0, 2] = 0.3, 0.9
    assert slice_top(values, grid, np.array([0.0, 0.0, 1.2])) == 0.3


def test_the_paper_shows_one_plane_and_says_where_white_lies() -> None:
    grid = Grid.of((3, 3, 3), np.eye(4))
    known = ({"MS": 5, "HC": 4}, {"MS": 0.8, "HC": 0.5}, {"MS": 0.6, "HC": 0.0}, np.ones(3), grid)
    paper, revised = lesion_map_data(*known, "paper"), lesion_map_data(*known, "revised")
    assert paper["plane"].tolist() == ["axial", "axial"]
    assert paper["title"].tolist() == ["MS: 5 scans, white: 60.0 % of them", "HC: 4 scans, no lesion in this slice"]
    assert revised["title"].unique().tolist() == ["MS: 5 scans", "HC: 4 scans"]
    assert len(revised) == 6


def test_both_versions_are_drawn(root: Path, tmp_path: Path) -> None:
    found = material(root)
    paper, revised = figure_s3(found, "paper"), figure_s3(found, "revised")
    assert paper.data.set_index("group")["scans"].to_dict() == {"MS": 3, "HC": 3}  # not the held-out
    assert revised.data.groupby("group")["scans"].first().to_dict() == {"MS": 5, "HC": 5}
    assert revised.data["limit"].nunique() == 1
    store = found.relevance("finetuned").store
    mean, _, _ = lesion_means(store, list(range(10)), "MS")
    i, j, k = revised.data[["i", "j", "k"]].iloc[0]
    assert mean[i, j, k] == mean.max()
    for drawing in (paper, revised):
        picture = pixels(drawing.figure, tmp_path / "figure.png")
        assert (picture[..., 0] - picture[..., 2] > 80).sum() > 50
        assert drawing.sources == ("stores/ms",)
    assert len(paper.figure.axes) == 3
    assert "own maximum of each picture" in words(paper.figure)


def test_without_the_store_there_is_no_figure(copy: Path) -> None:
    shutil.rmtree(copy / "stores")
    with pytest.raises(MissingError, match="the run has no stores/ms"):
        figure_s3(material(copy), "revised")
