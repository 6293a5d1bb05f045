"""Figure 5 stands on the untrained model's minimum in the paper's version, each row on its own revised."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.report.figures import material, pixels, words

from pellucid.image.grid import Grid
from pellucid.report.paper.material import MissingError
from pellucid.report.paper.models import figure5, model_data, row_limits


def test_limits_of_rows() -> None:
    values = {"untrained": np.array([-0.5, 3.0]), "finetuned": np.array([-9.0, 2.0])}
    assert row_limits(values, "paper") == {"untrained": 0.5, "finetuned": 0.5}
    revised = row_limits(values, "revised")
    assert 2.9 < revised["untrained"] <= 3.0
    assert 8.9 < revised["finetuned"] <= 9.0
    with pytest.raises(MissingError, match="has no value below 0"):
        row_limits({"untrained": np.array([0.0, 1.0])}, "paper")
    with pytest.raises(MissingError, match="model, which has no maps"):
        row_limits({"finetuned": values["finetuned"]}, "paper")


def test_revised_rows_state_their_limit() -> None:
    grid, centre = Grid.of((4, 4, 4), np.eye(4)), np.array([1.0, 2.0, 3.0])
    arms, numbers = {"untrained": "nothing", "scratch": "s"}, {"untrained": 13, "scratch": 13}
    limits = {"untrained": 0.004, "scratch": 0.02}
    data = model_data(arms, numbers, limits, centre, grid, "revised")
    assert data["title"].unique().tolist() == [
        "Untrained (arm nothing): mean of 13 patients, ± 0.00400",
        "Trained from scratch (arm s): mean of 13 patients, ± 0.0200",
    ]
    assert data["limit"].tolist() == [0.004] * 3 + [0.02] * 3
    paper = model_data(arms, numbers, limits, centre, grid, "paper")
    assert paper["title"].iloc[0] == "Untrained (arm nothing): mean of 13 patients"


def test_four_models_are_drawn_in_the_papers_order(root: Path, tmp_path: Path) -> None:
    found = material(root)
    paper, revised = figure5(found, "paper"), figure5(found, "revised")
    for drawing in (paper, revised):
        assert drawing.data["arm"].unique().tolist() == ["untrained", "pretrained-only", "scratch", "finetuned"]
        assert (drawing.data["patients"] == 2).all()  # right or wrong
        assert pixels(drawing.figure, tmp_path / "figure.png").std() > 20
        assert any(word.startswith("Pre-trained and fine-tuned") for word in words(drawing.figure))
    lowest = found.relevance("untrained").mean("MS", correct=False)[0].min()
    assert paper.data["limit"].unique().tolist() == [pytest.approx(-lowest)]
    assert revised.data["limit"].nunique() == 4


def test_rows_that_are_missing_are_named(copy: Path) -> None:
    shutil.rmtree(copy / "maps" / "untrained")
    revised = figure5(material(copy), "revised")
    assert "Not shown: untrained (the run has no maps of arm untrained (maps/untrained))" in revised.caption
    with pytest.raises(MissingError, match="untrained"):
        figure5(material(copy), "paper")
    for arm in ("pretrained-only", "scratch"):
        shutil.rmtree(copy / "maps" / arm)
    with pytest.raises(MissingError, match=r"fewer than two of its models have maps; missing: untrained .*; trained"):
        figure5(material(copy), "revised")
