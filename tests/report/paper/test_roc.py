"""Figure S1: curves by their own corners, and a mean that is the mean at every rate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.report.figures import material, pixels, words
from tests.runs import change_spec, cross_validated

from pellucid.analysis.roc import limits_at
from pellucid.ground.files import read_tsv, write_tsv
from pellucid.report.paper.material import MissingError, Version
from pellucid.report.paper.roc import area, auc_interval, figure_s1, paper_roc_data, roc_data

STEP = [(0, 0.0, 0.0), (0, 0.0, 0.6), (0, 0.5, 0.6), (0, 0.5, 1.0), (0, 1.0, 1.0)]
TIED = [(1, 0.0, 0.0), (1, 1.0, 1.0)]
CURVES = pd.DataFrame(STEP + TIED, columns=["trial", "fpr", "tpr"])


def test_limits_before_and_after_a_step_and_between() -> None:
    x, y = [0.0, 0.0, 0.5, 0.5, 1.0], [0.0, 0.6, 0.6, 1.0, 1.0]
    before, after = limits_at(np.array([0.0, 0.25, 0.5, 0.75, 1.0]), x, y)
    np.testing.assert_allclose(before, [0.0, 0.6, 0.6, 1.0, 1.0])
    np.testing.assert_allclose(after, [0.6, 0.6, 1.0, 1.0, 1.0])
    before, after = limits_at(np.array([0.25, 0.5]), [0.0, 1.0], [0.0, 1.0])
    np.testing.assert_allclose((before, after), [[0.25, 0.5], [0.25, 0.5]])


def test_the_mean_is_exact_and_keeps_steps_upright() -> None:
    mean = roc_data(CURVES).query("curve == 'mean'")
    np.testing.assert_allclose(mean["fpr"], [0, 0, 0.5, 0.5, 1, 1])
    np.testing.assert_allclose(mean["tpr"], [0, 0.3, 0.55, 0.75, 1, 1])
    np.testing.assert_allclose(mean["sd"].iloc[2], np.std([0.6, 0.5], ddof=1))
    np.testing.assert_allclose(mean["auc"].iloc[0], (0.8 + 0.5) / 2)
    np.testing.assert_allclose(mean["auc_sd"].iloc[0], np.std([0.8, 0.5], ddof=1))


def test_the_papers_mean_slants_the_step() -> None:
    data = paper_roc_data(CURVES)
    mean = data[data["curve"] == "mean"]
    assert len(mean) == 101  # (0, 0) before the 100 points
    steep = mean[(mean["fpr"] > 0.48) & (mean["fpr"] < 0.52)]
    assert steep["fpr"].is_unique
    np.testing.assert_allclose(mean["auc_sd"].iloc[0], np.std([0.8, 0.5]))
    assert data.loc[data["trial"] == 1, "auc"].tolist() == [0.5, 0.5]
    assert data["trial"].dtype == "Int64"


def test_one_trial_has_no_spread() -> None:
    data = roc_data(CURVES[CURVES["trial"] == 0])
    mean = data[data["curve"] == "mean"]
    assert mean[["sd", "auc_sd"]].isna().all().all()
    np.testing.assert_allclose(mean["auc"], 0.8)


def test_the_area_is_that_of_trapezia() -> None:
    assert area([0, 0, 0.5, 1], [0, 0.5, 0.5, 1]) == pytest.approx(0.625)


def test_the_interval_is_the_tables() -> None:
    scores = pd.DataFrame(
        {"arm": ["a", "a", "b"], "metric": ["auc", "sensitivity", "auc"], "mean": [0.9, 0.1, 0.2],
         "low": [0.8, 0.0, 0.1], "high": [0.95, 0.2, 0.3]}
    )  # fmt: skip
    assert auc_interval(scores, "a") == (0.9, 0.8, 0.95)
    assert auc_interval(scores, "c") is None


def test_both_versions_are_drawn(root: Path, tmp_path: Path) -> None:
    found = material(root)
    paper, revised = figure_s1(found, "paper"), figure_s1(found, "revised")
    said = words(paper.figure)
    assert sum(word.startswith("ROC trial ") for word in said) == 2
    assert "Chance" in said
    score = auc_interval(found.table("table2"), "finetuned")
    assert score is not None
    _, low, high = score
    assert any(f"95 % interval over participants {low:.2f} to {high:.2f}" in word for word in words(revised.figure))
    assert revised.sources == ("tables/roc.tsv", "tables/table2.tsv")
    for drawing in (paper, revised):
        assert set(drawing.data["curve"]) == {"trial", "mean"}
        assert pixels(drawing.figure, tmp_path / "figure.png").std() > 20


def test_an_arm_without_curves_has_no_figure(copy: Path) -> None:
    path = copy / "tables" / "roc.tsv"
    write_tsv(path, read_tsv(path).query("arm != 'finetuned'"))
    with pytest.raises(MissingError, match=r"tables/roc\.tsv has no curve of arm finetuned"):
        figure_s1(material(copy), "paper")


@pytest.mark.parametrize("version", ["paper", "revised"])
def test_the_band_of_a_cross_validation_is_not_the_optimisers_chance(root: Path, copy: Path, version: Version) -> None:
    change_spec(copy, cross_validated)
    for run, crossed in ((root, False), (copy, True)):
        drawing = figure_s1(material(run), version)
        for said in (drawing.caption, " ".join(words(drawing.figure))):
            flat = " ".join(said.split())
            assert ("a trial is a repeat" in flat, "due to the seeds of training only" in flat) == (
                crossed,
                not crossed,
            )
