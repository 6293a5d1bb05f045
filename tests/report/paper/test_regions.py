"""Figure 4 has the paper's choice, order, metric and look."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgb
from tests.report.figures import material, pixels
from tests.report.paper.conftest import WRONG

from pellucid.report.paper.look import PATIENTS_AND_CONTROLS
from pellucid.report.paper.material import MissingError
from pellucid.report.paper.regions import figure4a, figure4b, region_data
from pellucid.report.pictures.style import SERIF

GROUPS = ("MS", "HC")


def _rows() -> pd.DataFrame:
    """Three subjects and areas; sub-3 is misjudged, area c is not seen."""
    values = {
        ("sub-1", "a"): 0.5,
        ("sub-1", "b"): -0.9,
        ("sub-2", "a"): -0.4,
        ("sub-2", "b"): 0.1,
        ("sub-3", "a"): 9.9,
        ("sub-3", "b"): 9.9,
    }
    rows: list[dict[str, Any]] = []
    for who in ("sub-1", "sub-2", "sub-3"):
        for area in ("a", "b", "c"):
            known = {"participant_id": who, "group": "HC" if who == "sub-2" else "MS", "correct": who != "sub-3"}
            rows.append(known | {"area": area, "paper": values.get((who, area), np.nan)})
    return pd.DataFrame(rows)


def test_it_chooses_by_size_and_orders_by_the_signed_sum_of_both_groups() -> None:
    data = region_data(_rows(), GROUPS, 2)
    assert data[["place", "area", "group", "value", "mean"]].to_numpy().tolist() == [
        [0, "b", "MS", -0.9, -0.9],
        [0, "b", "HC", 0.1, 0.1],
        [1, "a", "MS", 0.5, 0.5],
        [1, "a", "HC", -0.4, -0.4],
    ]
    assert region_data(_rows(), GROUPS, 1)["area"].unique().tolist() == ["b"]


def test_all_areas_are_ordered_by_the_patients_mean() -> None:
    data = region_data(_rows(), GROUPS, None)
    assert data["area"].unique().tolist() == ["b", "c", "a"]
    assert data.loc[data["area"] == "c", "value"].tolist() == [0.0, 0.0]  # the paper counts the unseen as 0


def test_a_group_without_a_right_verdict_has_no_figure() -> None:
    rows = _rows()
    rows.loc[rows["group"] == "HC", "correct"] = False
    with pytest.raises(MissingError, match="no scan of group HC is classified correctly"):
        region_data(rows, GROUPS, 2)


def test_the_papers_figure_has_its_colours_type_and_subjects(root: Path, tmp_path: Path) -> None:
    drawing = figure4a(material(root))
    assert drawing.data["place"].nunique() == 30
    assert WRONG not in set(drawing.data["participant_id"])
    above, below = drawing.figure.axes
    dots = [c for c in above.collections if isinstance(c, PathCollection)]
    assert [to_rgb(c.get_facecolor()[0]) for c in dots] == [pytest.approx(colour) for colour in PATIENTS_AND_CONTROLS]
    means = drawing.data[drawing.data["group"] == "MS"].drop_duplicates("place")
    np.testing.assert_allclose(np.asarray(dots[0].get_offsets()), means[["place", "mean"]])
    drawing.figure.draw_without_rendering()
    assert {label.get_fontfamily()[0] for label in below.get_xticklabels() + below.get_yticklabels()} == {SERIF}
    assert [label.get_text() for label in below.get_xticklabels()] == drawing.data["area"].unique().tolist()
    assert pixels(drawing.figure, tmp_path / "figure.png").std() > 20


def test_of_white_matter_all_areas_are_drawn(root: Path) -> None:
    drawing = figure4b(material(root))
    assert drawing.data["place"].nunique() == 6
    assert "jhu" in drawing.caption
