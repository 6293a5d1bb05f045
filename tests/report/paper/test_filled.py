"""Figure 6 takes the largest signed sums, and hides negative bars."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.report.figures import material, pixels
from tests.runs import change_arm, change_spec

from pellucid.report.paper.filled import draw_filled, figure6, filled_data
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


def test_it_takes_the_largest_signed_sums_of_right_verdicts() -> None:
    data = filled_data(ONE, TWO, "MS", shown=2)
    assert data["area"].tolist() == ["c", "a"]
    np.testing.assert_allclose(data["with_lesions"], [0.5, 0.1])  # sub-2 is misjudged by this model alone
    np.testing.assert_allclose(data["without_lesions"], [-0.1, 0.2])
    np.testing.assert_allclose(data["total"], [0.4, 0.3])
    assert data["place"].tolist() == [0, 1]


def test_the_papers_axes_end_at_the_right_panels_largest_bar() -> None:
    figure = draw_filled(filled_data(ONE, TWO, "MS"), "")
    left, right = figure.axes
    assert left.get_xlim() == pytest.approx((0.22, 0.0))
    assert right.get_xlim() == pytest.approx((0.0, 0.22))
    widths = [bar.get_width() for bar in right.patches]
    assert min(widths) < 0  # there, and outside of the axis


def test_an_unseen_area_counts_as_0_in_the_papers_metric() -> None:
    blind = ONE.copy()
    blind.loc[blind["area"] == "a", "paper"] = np.nan
    data = filled_data(blind, TWO, "MS").set_index("area")
    assert data.loc["a", ["with_lesions", "without_lesions"]].tolist() == [0.0, 0.2]


def test_without_a_positive_bar_or_a_right_verdict_there_is_no_figure() -> None:
    worse = _rows({"a": (-2.0, -2.0), "b": (-1.0, -1.0)}, "without")
    with pytest.raises(MissingError, match="paper's axis"):
        filled_data(ONE, worse, "MS")
    with pytest.raises(MissingError, match="arm with classifies no patient correctly"):
        filled_data(ONE.assign(correct=False), TWO, "MS")


def test_without_the_arm_there_is_no_figure(copy: Path) -> None:
    change_spec(copy, lambda spec: change_arm(spec, "lesion-filled", images="prepared"))
    found = material(copy)
    with pytest.raises(MissingError, match="no arm that learns from lesion-filled scans"):
        figure6(found)


def test_it_is_drawn_of_the_two_arms(root: Path, tmp_path: Path) -> None:
    drawing = figure6(material(root))
    assert 0 < len(drawing.data) <= 6
    assert pixels(drawing.figure, tmp_path / "figure.png").std() > 20
