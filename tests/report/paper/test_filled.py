"""Figure 6 hides negative bars in the paper's version; revised, they keep their sign and have intervals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.container import BarContainer
from tests.report.figures import material, pixels
from tests.runs import change_arm, change_spec, cross_validated

from pellucid.report.paper.filled import NAMES, draw_paper_filled, figure6, filled_data, paper_filled_data
from pellucid.report.paper.material import MissingError


def _rows(values: dict[str, tuple[float, float]], arm: str, misjudged: str = "sub-2") -> pd.DataFrame:
    """Two patients and a control; area to the patients' values."""
    rows = [
        (arm, who, group, who != misjudged, area, total, total / 10, 1.0)
        for area, both in values.items()
        for who, group, total in (("sub-1", "MS", both[0]), ("sub-2", "MS", both[1]), ("sub-3", "HC", 1e9))
    ]
    columns = ["arm", "participant_id", "group", "correct", "area", "sum", "paper", "seen_share"]
    return pd.DataFrame(rows, columns=columns).assign(networks=f"{arm}/trial-00")


ONE = _rows({"a": (1.0, 3.0), "b": (-8.0, -8.0), "c": (5.0, 5.0)}, "with")
TWO = _rows({"a": (2.0, 2.0), "b": (1.0, 1.0), "c": (-1.0, -1.0)}, "without", "nobody")


def test_the_paper_takes_the_largest_signed_sums_of_right_verdicts() -> None:
    data = paper_filled_data(ONE, TWO, "MS", shown=2)
    assert data["area"].tolist() == ["c", "a"]
    np.testing.assert_allclose(data["with_lesions"], [0.5, 0.1])  # sub-2 is misjudged by this model alone
    np.testing.assert_allclose(data["without_lesions"], [-0.1, 0.2])
    np.testing.assert_allclose(data["total"], [0.4, 0.3])
    assert data["place"].tolist() == [0, 1]


def test_the_papers_axes_end_at_the_right_panels_largest_bar() -> None:
    figure = draw_paper_filled(paper_filled_data(ONE, TWO, "MS"), "")
    left, right = figure.axes
    assert left.get_xlim() == pytest.approx((0.22, 0.0))
    assert right.get_xlim() == pytest.approx((0.0, 0.22))
    widths = [bar.get_width() for bar in right.patches]
    assert min(widths) < 0  # there, and outside of the axis


def test_an_unseen_area_counts_as_0_in_the_papers_metric() -> None:
    blind = ONE.copy()
    blind.loc[blind["area"] == "a", "paper"] = np.nan
    data = paper_filled_data(blind, TWO, "MS").set_index("area")
    assert data.loc["a", ["with_lesions", "without_lesions"]].tolist() == [0.0, 0.2]


def test_without_a_positive_bar_or_a_right_verdict_there_is_no_figure() -> None:
    worse = _rows({"a": (-2.0, -2.0), "b": (-1.0, -1.0)}, "without")
    with pytest.raises(MissingError, match="paper's axis"):
        paper_filled_data(ONE, worse, "MS")
    with pytest.raises(MissingError, match="arm with classifies no patient correctly"):
        paper_filled_data(ONE.assign(correct=False), TWO, "MS")


def test_true_sums_are_of_the_same_patients_all_of_them() -> None:
    more = pd.concat([TWO, TWO[TWO["participant_id"] == "sub-1"].assign(participant_id="sub-9", sum=50.0)])
    data = filled_data(ONE, more, "MS", resamples=100, seed=2)
    assert data.drop_duplicates("place")["area"].tolist() == ["a", "c", "b"]
    one = data.set_index(["area", "images"])
    assert one.loc[("b", NAMES[0]), "mean"] == -8.0
    assert one.loc[("a", NAMES[0]), ["mean", "low", "high"]].tolist() == [2.0, 1.0, 3.0]
    assert one.loc[("a", NAMES[1]), "mean"] == 2.0  # sub-9 has no map of the other model
    assert (data["patients"] == 2).all()
    with pytest.raises(MissingError, match="no patient has a map of both"):
        filled_data(ONE, TWO.assign(participant_id="sub-9"), "MS", resamples=100, seed=2)


def test_unseen_areas_are_left_out() -> None:
    blind = ONE.copy()
    blind.loc[blind["area"] == "a", "sum"] = np.nan
    assert filled_data(blind, TWO, "MS", resamples=10, seed=0)["area"].unique().tolist() == ["c", "b"]


def test_both_versions_are_drawn(root: Path, tmp_path: Path) -> None:
    found = material(root)
    paper, revised = figure6(found, "paper"), figure6(found, "revised")
    assert 0 < len(paper.data) <= 6
    assert revised.data["images"].unique().tolist() == list(NAMES)
    assert (revised.data["patients"] == 2).all()
    bars = [c for c in revised.figure.axes[0].containers if isinstance(c, BarContainer)]
    widths = [bar.get_width() for bar in bars[0]]
    np.testing.assert_allclose(widths, revised.data.loc[revised.data["images"] == NAMES[0], "mean"])
    for drawing in (paper, revised):
        assert pixels(drawing.figure, tmp_path / "figure.png").std() > 20


def test_without_the_arm_there_is_no_figure(copy: Path) -> None:
    change_spec(copy, lambda spec: change_arm(spec, "lesion-filled", images="prepared"))
    found = material(copy)
    with pytest.raises(MissingError, match="no arm that learns from lesion-filled scans"):
        figure6(found, "paper")


def test_of_a_cross_validation_intervals_are_widened_and_that_is_said(root: Path, copy: Path) -> None:
    change_spec(copy, cross_validated)
    plain, crossed = (figure6(material(run), "revised") for run in (root, copy))
    for end in ("low", "high"):
        np.testing.assert_allclose(
            crossed.data[end] - crossed.data["mean"], 1.5 * (plain.data[end] - plain.data["mean"]), atol=1e-12
        )
    assert "1.50 times as wide" in crossed.caption
    assert "times as wide" not in plain.caption
