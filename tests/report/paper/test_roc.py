"""Figure S1: a mean on 100 points, which slants steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.report.figures import material, pixels, words
from tests.runs import change_spec, cross_validated

from pellucid.ground.files import read_tsv, write_tsv
from pellucid.report.paper.material import MissingError
from pellucid.report.paper.roc import area, figure_s1, roc_data

STEP = [(0, 0.0, 0.0), (0, 0.0, 0.6), (0, 0.5, 0.6), (0, 0.5, 1.0), (0, 1.0, 1.0)]
TIED = [(1, 0.0, 0.0), (1, 1.0, 1.0)]
CURVES = pd.DataFrame(STEP + TIED, columns=["trial", "fpr", "tpr"])


def test_the_mean_slants_the_step() -> None:
    data = roc_data(CURVES)
    mean = data[data["curve"] == "mean"]
    assert len(mean) == 101  # (0, 0) before the 100 points
    steep = mean[(mean["fpr"] > 0.48) & (mean["fpr"] < 0.52)]
    assert steep["fpr"].is_unique
    np.testing.assert_allclose(mean["auc_sd"].iloc[0], np.std([0.8, 0.5]))
    assert data.loc[data["trial"] == 1, "auc"].tolist() == [0.5, 0.5]
    assert data["trial"].dtype == "Int64"


def test_the_area_is_that_of_trapezia() -> None:
    assert area([0, 0, 0.5, 1], [0, 0.5, 0.5, 1]) == pytest.approx(0.625)


def test_an_arm_without_curves_has_no_figure(copy: Path) -> None:
    path = copy / "tables" / "roc.tsv"
    write_tsv(path, read_tsv(path).query("arm != 'finetuned'"))
    with pytest.raises(MissingError, match=r"tables/roc\.tsv has no curve of arm finetuned"):
        figure_s1(material(copy))


def test_it_is_drawn_of_the_main_arm(root: Path, tmp_path: Path) -> None:
    drawing = figure_s1(material(root))
    said = words(drawing.figure)
    assert sum(word.startswith("ROC trial ") for word in said) == 2
    assert "Chance" in said
    assert set(drawing.data["curve"]) == {"trial", "mean"}
    assert drawing.sources == ("tables/roc.tsv",)
    assert pixels(drawing.figure, tmp_path / "figure.png").std() > 20


def test_the_band_of_a_cross_validation_is_not_the_optimisers_chance(root: Path, copy: Path) -> None:
    change_spec(copy, cross_validated)
    for run, crossed in ((root, False), (copy, True)):
        drawing = figure_s1(material(run))
        for said in (drawing.caption, " ".join(words(drawing.figure))):
            flat = " ".join(said.split())
            told = ("a trial is a repeat" in flat, "due to the seeds of training only" in flat)
            assert told == (crossed, not crossed)
