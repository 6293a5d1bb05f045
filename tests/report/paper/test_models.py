"""Figure 5 stands on the untrained model's minimum."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.report.figures import material, pixels, words

from pellucid.report.paper.material import MissingError
from pellucid.report.paper.models import colour_limit, figure5


def test_colours_end_at_the_untrained_models_minimum() -> None:
    trained = np.array([-9.0, 2.0])
    assert colour_limit({"untrained": np.array([-0.5, 3.0]), "finetuned": trained}) == 0.5
    with pytest.raises(MissingError, match="has no value below 0"):
        colour_limit({"untrained": np.array([0.0, 1.0])})
    with pytest.raises(MissingError, match="model, which has no maps"):
        colour_limit({"finetuned": trained})


def test_four_models_are_drawn_in_the_papers_order(root: Path, tmp_path: Path) -> None:
    found = material(root)
    drawing = figure5(found)
    assert drawing.data["arm"].unique().tolist() == ["untrained", "pretrained-only", "scratch", "finetuned"]
    assert (drawing.data["patients"] == 2).all()  # right or wrong
    lowest = found.relevance("untrained").mean("MS", correct=False)[0].min()
    assert drawing.data["limit"].unique().tolist() == [pytest.approx(-lowest)]
    assert "Pre-trained and fine-tuned (arm finetuned): mean of 2 patients" in words(drawing.figure)
    assert pixels(drawing.figure, tmp_path / "figure.png").std() > 20


def test_rows_that_are_missing_are_named(copy: Path) -> None:
    shutil.rmtree(copy / "maps" / "scratch")
    caption = figure5(material(copy)).caption
    assert "Not shown: trained from scratch (the run has no maps of arm scratch (maps/scratch))" in caption
    shutil.rmtree(copy / "maps" / "untrained")
    with pytest.raises(MissingError, match="end at the minimum of the untrained model, which has no maps"):
        figure5(material(copy))
    shutil.rmtree(copy / "maps" / "pretrained-only")
    with pytest.raises(MissingError, match=r"fewer than two of its models have maps; missing: untrained .*; trained"):
        figure5(material(copy))
