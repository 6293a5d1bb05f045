"""Figure 2 shows the patients of the highest logits, and revised planes go where relevance is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.report.figures import material, pixels, words
from tests.report.paper.conftest import WRONG

from pellucid.image.grid import Grid
from pellucid.report.paper.material import MissingError
from pellucid.report.paper.subjects import figure2, relevance_bar, strongest, subject_data, surest

GRID = Grid.of((20, 20, 20), np.diag([-5.0, 5.0, 5.0, 1.0]))


def test_the_surest_are_patients_called_patients() -> None:
    rows = [("a", "MS", 1.0, True), ("b", "HC", 9.0, False), ("c", "MS", 3.0, True), ("d", "MS", -1.0, False)]
    table = pd.DataFrame(rows, columns=["name", "group", "logit", "correct"])
    assert surest(table, "MS")["name"].tolist() == ["c", "a"]
    assert surest(table, "MS", 1)["name"].tolist() == ["c"]
    assert surest(table, "XY").empty


def test_planes_go_through_the_strongest_seen_voxels_apart() -> None:
    relevance, seen = np.zeros(GRID.shape), np.ones(GRID.shape, dtype=bool)
    relevance[5, 5, 5], relevance[5, 5, 7], relevance[5, 5, 9], relevance[15, 5, 5] = 9.0, 8.0, 7.0, 10.0
    relevance[2, 2, 2] = -20.0
    seen[15] = False
    found = strongest(relevance, seen, GRID)  # the second lies only 10 mm away
    np.testing.assert_allclose(found, [GRID.world((5, 5, 5)), GRID.world((5, 5, 9))])
    assert len(strongest(-np.abs(relevance), seen, GRID)) == 1
    assert len(strongest(relevance, seen, GRID, count=1)) == 1


def test_data_name_each_tile() -> None:
    chosen = pd.DataFrame({"name": ["sub-1", "sub-2"], "group": ["MS", "MS"], "logit": [4.56, 1.0]}).assign(
        alarms=[[], ["x"]]
    )
    centres = [[GRID.world((5, 6, 7)), GRID.world((1, 2, 3))], [GRID.world((5, 6, 7))]]
    data = subject_data(chosen, centres, GRID, 0.03)
    assert len(data) == 9
    assert data["title"].unique().tolist() == ["Subject 1: sub-1, logit 4.56", "Subject 2: sub-2, logit 1.00, ALARM"]
    assert data["triple"].tolist() == [1, 1, 1, 2, 2, 2, 1, 1, 1]
    assert data.loc[3, ["i", "j", "k"]].tolist() == [1, 2, 3]
    assert (data["limit"] == 0.03).all()


def test_the_bars_words_are_the_papers_and_revised_ones_have_numbers() -> None:
    assert [word for _, word in relevance_bar("paper", 0.03).words] == [
        "Negative Relevance",
        "No Relevance",
        "Positive Relevance",
    ]
    assert [word.split("\n")[1] for _, word in relevance_bar("revised", 0.012).words] == ["−0.0120", "0", "+0.0120"]


def test_patients_of_nine_tiles_are_drawn(root: Path, tmp_path: Path) -> None:
    found = material(root)
    paper, revised = figure2(found, "paper"), figure2(found, "revised")
    table = found.relevance("finetuned").table
    best = table[(table["group"] == "MS") & table["correct"]].nlargest(4, "logit")["name"].tolist()
    assert paper.data["name"].unique().tolist() == revised.data["name"].unique().tolist() == best
    assert len(paper.data) == 9 * 2
    assert (paper.data["limit"] == 0.03).all()
    assert len(paper.figure.axes) == 9 * 2 + 1
    assert "outside the network's field of view" not in " ".join(paper.caption.split())
    assert "Hatched" in revised.caption
    assert all(WRONG not in word for word in words(paper.figure))  # a control whom the model takes for a patient
    assert len(revised.sources) == 2
    shown = [pixels(one.figure, tmp_path / "figure.png") for one in (paper, revised)]
    assert all((picture[..., 0] - picture[..., 2] > 80).sum() > 50 for picture in shown)


def test_without_a_hit_there_is_no_figure(root: Path) -> None:
    found = material(root)
    opened = found.relevance("finetuned")
    opened.table["correct"] = False
    with pytest.raises(MissingError, match="no patient with a map is classified correctly by arm finetuned"):
        figure2(found, "paper")
