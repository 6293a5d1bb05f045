"""Figure 4: the paper's choice and order and metric; true sums, intervals and what is not seen, revised."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgb
from tests.report.figures import material, pixels, words
from tests.report.paper.conftest import WRONG
from tests.runs import change_spec, cross_validated

from pellucid.ground.files import read_tsv, write_tsv
from pellucid.report.paper.charts import PAPER_COLOURS
from pellucid.report.paper.material import MissingError
from pellucid.report.paper.regions import figure4a, figure4b, paper_region_data, region_data
from pellucid.report.pictures.style import SERIF

GROUPS = ("MS", "HC")


def _rows() -> pd.DataFrame:
    """Three subjects and areas; sub-3 is misjudged, area c is not seen."""
    values: dict[tuple[str, str], tuple[float, float]] = {
        ("sub-1", "a"): (5.0, 0.5),
        ("sub-1", "b"): (-9.0, -0.9),
        ("sub-2", "a"): (-4.0, -0.4),
        ("sub-2", "b"): (1.0, 0.1),
        ("sub-3", "a"): (99.0, 9.9),
        ("sub-3", "b"): (99.0, 9.9),
    }
    rows: list[dict[str, Any]] = []
    for (who, area), (total, paper) in values.items():
        known = {
            "participant_id": who,
            "group": "HC" if who == "sub-2" else "MS",
            "correct": who != "sub-3",
            "networks": "a/trial-00",
        }
        rows.append(known | {"area": area, "sum": total, "paper": paper, "seen_share": 0.5 if area == "a" else 1.0})
    for who in ("sub-1", "sub-2", "sub-3"):
        known = {
            "participant_id": who,
            "group": "HC" if who == "sub-2" else "MS",
            "correct": who != "sub-3",
            "networks": "a/trial-00",
        }
        rows.append(known | {"area": "c", "sum": np.nan, "paper": np.nan, "seen_share": 0.0})
    return pd.DataFrame(rows)


def test_the_paper_chooses_by_size_and_orders_by_the_signed_sum_of_both_groups() -> None:
    data = paper_region_data(_rows(), GROUPS, 2)
    assert data[["place", "area", "group", "value", "mean"]].to_numpy().tolist() == [
        [0, "b", "MS", -0.9, -0.9],
        [0, "b", "HC", 0.1, 0.1],
        [1, "a", "MS", 0.5, 0.5],
        [1, "a", "HC", -0.4, -0.4],
    ]
    assert paper_region_data(_rows(), GROUPS, 1)["area"].unique().tolist() == ["b"]


def test_all_areas_are_ordered_by_the_patients_mean() -> None:
    data = paper_region_data(_rows(), GROUPS, None)
    assert data["area"].unique().tolist() == ["b", "c", "a"]
    assert data.loc[data["area"] == "c", "value"].tolist() == [0.0, 0.0]  # the paper counts the unseen as 0


def test_a_group_without_a_right_verdict_has_no_figure() -> None:
    rows = _rows()
    rows.loc[rows["group"] == "HC", "correct"] = False
    with pytest.raises(MissingError, match="no scan of group HC is classified correctly"):
        paper_region_data(rows, GROUPS, 2)


def test_true_sums_hold_all_subjects_and_no_unseen_area() -> None:
    tests = pd.DataFrame({"area": ["a", "b"], "q": [0.01, 0.4]})
    data = region_data(_rows(), tests, GROUPS, 30, resamples=200, seed=1)
    assert data["area"].unique().tolist() == ["b", "a"]
    patients = data[data["group"] == "MS"].set_index(["area", "participant_id"])
    assert patients.loc[("a", "sub-3"), "value"] == 99.0
    assert patients.loc[("b", "sub-1"), "mean"] == 45.0
    assert patients.loc[("a", "sub-1"), ["low", "high"]].tolist() == [5.0, 99.0]
    assert data.loc[data["group"] == "HC", ["low", "high"]].isna().all().all()  # one control
    assert data.groupby("area")[["seen_share", "q"]].first().to_numpy().tolist() == [[0.5, 0.01], [1.0, 0.4]]


def test_groups_weigh_alike_in_the_choice_of_areas() -> None:
    """Over all three subjects area b is larger (30, 30, 15), over both groups area a (10, 10, 40)."""
    sums = {("MS", "a"): 10.0, ("HC", "a"): -40.0, ("MS", "b"): 30.0, ("HC", "b"): 15.0}
    rows = _rows().query("area != 'c'")
    rows["sum"] = [sums[key] for key in zip(rows["group"], rows["area"], strict=True)]
    assert region_data(rows, None, GROUPS, 1, resamples=10, seed=0)["area"].unique().tolist() == ["a"]


def test_sessions_are_averaged_and_without_tests_there_is_no_q() -> None:
    again = _rows()
    again.loc[again["participant_id"] == "sub-1", "sum"] = 7.0
    data = region_data(pd.concat([_rows(), again]), None, GROUPS, None, resamples=50, seed=0)
    one = data[(data["participant_id"] == "sub-1") & (data["area"] == "a")]
    assert one["value"].tolist() == [6.0]
    assert data["q"].isna().all()


def test_a_group_without_rows_is_missing() -> None:
    with pytest.raises(MissingError, match="no row of group HC"):
        region_data(_rows().query("group == 'MS'"), None, GROUPS, None, resamples=50, seed=0)


def test_the_papers_figure_has_its_colours_type_and_subjects(root: Path, tmp_path: Path) -> None:
    drawing = figure4a(material(root), "paper")
    assert drawing.data["place"].nunique() == 30
    assert WRONG not in set(drawing.data["participant_id"])
    above, below = drawing.figure.axes
    dots = [c for c in above.collections if isinstance(c, PathCollection)]
    assert [to_rgb(c.get_facecolor()[0]) for c in dots] == [pytest.approx(colour) for colour in PAPER_COLOURS]
    means = drawing.data[drawing.data["group"] == "MS"].drop_duplicates("place")
    np.testing.assert_allclose(np.asarray(dots[0].get_offsets()), means[["place", "mean"]])
    drawing.figure.draw_without_rendering()
    assert {label.get_fontfamily()[0] for label in below.get_xticklabels() + below.get_yticklabels()} == {SERIF}
    assert [label.get_text() for label in below.get_xticklabels()] == drawing.data["area"].unique().tolist()
    assert pixels(drawing.figure, tmp_path / "figure.png").std() > 20


def test_the_revised_figure_stars_and_flags(copy: Path, tmp_path: Path) -> None:
    tests = read_tsv(copy / "tables" / "region_tests.tsv")
    write_tsv(copy / "tables" / "region_tests.tsv", tests.assign(q=[0.01, 0.4] * (len(tests) // 2)))
    drawing = figure4b(material(copy), "revised")
    first = drawing.data.drop_duplicates("place")
    assert len(first) == 6
    drawing.figure.draw_without_rendering()
    names = [label.get_text() for label in drawing.figure.axes[0].get_yticklabels()]
    expected = [f"{area} *" if q < 0.05 else area for area, q in zip(first["area"], first["q"], strict=True)]
    assert names == expected
    assert any(name.endswith("*") for name in names)
    flagged = {word for word in words(drawing.figure) if word.endswith("% seen")}
    assert len(flagged) > 1
    assert drawing.sources == ("tables/regions.tsv", "tables/region_tests.tsv")
    assert "jhu" in drawing.caption
    assert pixels(drawing.figure, tmp_path / "figure.png").std() > 20


def test_of_a_cross_validation_intervals_are_widened_and_that_is_said(root: Path, copy: Path) -> None:
    change_spec(copy, cross_validated)
    plain, crossed = (figure4b(material(run), "revised") for run in (root, copy))
    for end in ("low", "high"):
        np.testing.assert_allclose(
            crossed.data[end] - crossed.data["mean"], 1.5 * (plain.data[end] - plain.data["mean"]), atol=1e-12
        )
    assert "1.50 times as wide" in crossed.caption
    assert "times as wide" not in plain.caption
