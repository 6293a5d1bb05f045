"""Figure 2 shows the patients of the highest logits, cut through the paper's planes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.report.figures import material, pixels, words
from tests.report.paper.conftest import WRONG

from pellucid.image.grid import Grid
from pellucid.report.paper.material import MissingError
from pellucid.report.paper.subjects import figure2, subject_data, surest

GRID = Grid.of((20, 20, 20), np.diag([-5.0, 5.0, 5.0, 1.0]))


def test_the_surest_are_patients_called_patients() -> None:
    rows = [("a", "MS", 1.0, True), ("b", "HC", 9.0, False), ("c", "MS", 3.0, True), ("d", "MS", -1.0, False)]
    table = pd.DataFrame(rows, columns=["name", "group", "logit", "correct"])
    assert surest(table, "MS")["name"].tolist() == ["c", "a"]
    assert surest(table, "MS", 1)["name"].tolist() == ["c"]
    assert surest(table, "XY").empty


def test_without_a_hit_there_is_no_figure(root: Path) -> None:
    found = material(root)
    opened = found.relevance("finetuned")
    opened.table["correct"] = False
    with pytest.raises(MissingError, match="no patient with a map is classified correctly by arm finetuned"):
        figure2(found)


def test_data_name_each_tile() -> None:
    chosen = pd.DataFrame({"name": ["sub-1", "sub-2"], "group": ["MS", "MS"], "logit": [4.56, 1.0]})
    centres = [GRID.world((5, 6, 7)), GRID.world((1, 2, 3))]
    data = subject_data(chosen.assign(alarms=[[], ["x"]]), centres, GRID)
    titles = ["Participant 1: sub-1, logit 4.56", "Participant 2: sub-2, logit 1.00, ALARM"]
    assert data["title"].unique().tolist() == titles
    assert data["triple"].tolist() == [1, 1, 1, 2, 2, 2] * 2
    assert data.loc[3, ["i", "j", "k"]].tolist() == [1, 2, 3]
    assert (data["limit"] == 0.03).all()


def test_patients_of_nine_tiles_are_drawn(root: Path, tmp_path: Path) -> None:
    found = material(root)
    drawing = figure2(found)
    table = found.relevance("finetuned").table
    best = table[(table["group"] == "MS") & table["correct"]].nlargest(4, "logit")["name"].tolist()
    assert drawing.data["name"].unique().tolist() == best
    assert len(drawing.data) == 9 * 2
    assert len(drawing.figure.axes) == 9 * 2 + 1
    assert "what the network cannot see is not marked" in drawing.caption
    assert all(WRONG not in word for word in words(drawing.figure))  # a control whom the model takes for a patient
    assert len(drawing.sources) == 2
    picture = pixels(drawing.figure, tmp_path / "figure.png")
    assert (picture[..., 0] - picture[..., 2] > 80).sum() > 50
