"""Figure 3 averages right verdicts in the paper's version, and all of them revised."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.report.figures import material, pixels, words

from pellucid.image.grid import Grid
from pellucid.report.paper.groups import figure3, group_data, mean_scan
from pellucid.report.pictures.overlay import strongest_voxel, symmetric_limit


def test_scans_are_averaged(root: Path) -> None:
    store = material(root).relevance("finetuned").store
    np.testing.assert_allclose(mean_scan(store, [1, 3]), (store.images[1] + store.images[3]) / 2, atol=1e-6)


def test_data_name_groups_and_how_many_maps_stand_behind_them() -> None:
    grid = Grid.of((4, 4, 4), np.eye(4))
    data = group_data({"MS": 12, "HC": 9}, np.array([1.0, 2.0, 3.0]), grid, 0.02)
    assert data["title"].unique().tolist() == ["MS: mean of 12 participants", "HC: mean of 9 participants"]
    assert data[["i", "j", "k"]].drop_duplicates().to_numpy().tolist() == [[1, 2, 3]]
    assert data["mm"].tolist() == [3.0, 2.0, 1.0] * 2


def test_both_versions_are_drawn(root: Path, tmp_path: Path) -> None:
    found = material(root)
    paper, revised = figure3(found, "paper"), figure3(found, "revised")
    assert paper.data.groupby("group")["participants"].first().to_dict() == {"MS": 2, "HC": 1}
    assert revised.data.groupby("group")["participants"].first().to_dict() == {"MS": 2, "HC": 2}
    assert (paper.data["limit"] == 0.02).all()
    opened = found.relevance("finetuned")
    means = [opened.mean(group, correct=False)[0] for group in ("MS", "HC")]
    assert revised.data["limit"].iloc[0] == pytest.approx(symmetric_limit(means))
    ijk = revised.data[["i", "j", "k"]].drop_duplicates().to_numpy()
    assert tuple(ijk[0]) == strongest_voxel(means[0], opened.seen)
    assert "true positives above" in paper.caption
    assert "correctly" not in revised.caption
    for drawing in (paper, revised):
        assert {"MS: mean of", "HC: mean of"} <= {word[:11] for word in words(drawing.figure)}
        assert pixels(drawing.figure, tmp_path / "figure.png").std() > 20


def test_maps_that_do_not_add_up_are_counted_below_the_picture(root: Path) -> None:
    found = material(root)
    opened = found.relevance("finetuned")
    assert "do not add up" not in figure3(found, "revised").caption
    opened.table["alarms"] = [["another sign"] if n < 3 else [] for n in range(len(opened.table))]
    for version in ("paper", "revised"):
        drawing = figure3(found, version)
        said = f"3 of {len(opened.table)} maps of arm finetuned do not add up."
        assert said in drawing.caption
        assert said in " ".join(" ".join(words(drawing.figure)).split())
