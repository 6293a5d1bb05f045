"""What charts over areas share is right: places, scales and violins."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from tests.report.figures import words

from pellucid.report.pictures.areas import SignedLog, by_place, placed, power_below, violins, write_shares


def test_areas_are_sorted_by_place_then_group() -> None:
    rows = [("a", "HC"), ("b", "HC"), ("a", "MS"), ("b", "MS"), ("c", "MS"), ("b", "XX")]
    table = pd.DataFrame(rows, columns=["area", "group"])
    found = placed(table, ["b", "a"], ["MS", "HC"])
    assert found[["place", "area", "group"]].to_numpy().tolist() == [
        [0, "b", "MS"],
        [0, "b", "HC"],
        [1, "a", "MS"],
        [1, "a", "HC"],
    ]
    assert found["session_id"].isna().all()


def test_values_stand_at_their_places() -> None:
    table = pd.DataFrame({"place": [1, 0, 1], "value": [5.0, 6.0, 7.0]})
    found = by_place(table, "value", 0.25)
    assert {place: values.tolist() for place, values in found.items()} == {0.25: [6.0], 1.25: [5.0, 7.0]}


def test_the_scale_is_odd_about_linear_at_0_and_logarithmic_far_out() -> None:
    scale = SignedLog(0.01)
    np.testing.assert_allclose(scale([0.0, 0.09, -0.99]), [0.0, 1.0, -2.0])
    assert scale(1e-4) / scale(5e-5) == pytest.approx(2, rel=0.01)


def test_ticks_are_powers_of_ten_within_the_data() -> None:
    assert SignedLog(0.1).ticks(-1.2, 3.0) == pytest.approx([-1.0, -0.1, 0.0, 0.1, 1.0])
    assert SignedLog(0.1).ticks(0.2, 3.0) == pytest.approx([0.0, 0.1, 1.0])
    assert SignedLog(0.1).ticks(-50.0, 50.0) == pytest.approx([-10.0, -1.0, 0.0, 1.0, 10.0])


def test_what_is_missing_makes_no_power() -> None:
    assert power_below(3.0) == 1.0
    assert power_below(0.1) == pytest.approx(0.1)
    assert power_below(float("nan")) == 1.0


def test_violins_leave_missing_values_and_empty_places_out() -> None:
    axes = Figure().subplots()
    values = {0.0: np.array([1.0, np.nan, 3.0]), 1.0: np.array([np.nan]), 2.0: np.array([2.0]), 3.0: np.zeros(5)}
    violins(axes, values, "red", label="some")
    bodies = [c for c in axes.collections if len(c.get_paths()) == 1 and c.get_alpha() == 0.5]
    middles = sorted(float(np.mean(body.get_paths()[0].get_extents().intervalx)) for body in bodies[:3])
    np.testing.assert_allclose(middles, [0.0, 2.0, 3.0], atol=1e-6)
    assert axes.get_legend_handles_labels()[1] == ["some"]
    before = len(axes.collections)
    violins(axes, {0.0: np.array([np.nan])}, "red", label="none")
    assert len(axes.collections) == before


def test_only_areas_that_are_not_seen_whole_are_flagged() -> None:
    figure = Figure()
    axes = figure.subplots()
    axes.set_ylim(-1, 3)
    write_shares(axes, pd.DataFrame({"place": [0, 1, 2], "seen_share": [1.0, 0.504, 0.999]}))
    said = {word for word in words(figure) if word.endswith("seen")}
    assert said == {"50 % seen", "99 % seen"}
