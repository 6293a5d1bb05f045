"""Charts of maps draw the numbers that they are given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pellucid.report.pictures.maps import ledger_figure, lesion_figure


def test_every_lift_is_drawn_once_and_zeros_at_the_edge(dots: Any) -> None:
    table = pd.DataFrame({"map": ["m", "m", "m", "random", "random"], "lift": [20.0, 0.0, np.nan, 1.0, 0.9]})
    figure = lesion_figure(table, "m")
    axes = figure.axes[0]
    left = axes.get_xlim()[0]
    dots = dots(figure)
    assert sorted(dots[dots[:, 1] < 0.5, 0]) == [left, 20.0]
    assert sorted(dots[dots[:, 1] > 0.5, 0]) == [0.9, 1.0]
    assert axes.get_xscale() == "log"
    assert left < 0.9
    assert axes.get_xlim()[1] > 20
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["m (map)", "random (null)"]


def test_every_precision_is_drawn_once_and_zero_is_a_number(dots: Any) -> None:
    maps = ["m", "m", "|m|", "map of x", "logistic"]
    table = pd.DataFrame({"map": maps, "average_precision": [0.0, 0.4, np.nan, 0.1, 0.7]})
    figure = lesion_figure(table, "m", "average_precision")
    axes = figure.axes[0]
    assert sorted(dots(figure)[:, 0]) == [0.0, 0.1, 0.4, 0.7]
    assert axes.get_xscale() == "linear"
    assert axes.get_xlim()[0] == 0 < 0.7 < axes.get_xlim()[1]
    labels = [tick.get_text() for tick in axes.get_yticklabels()]
    assert labels == ["m (map)", "|m|", "map of x", "logistic (null)"]


def test_the_waterfall_ends_where_the_map_begins() -> None:
    rows = pd.DataFrame(
        {
            "layer": ["fc", "conv"],
            "relevance_out": [4.0, 3.0],
            "relevance_in": [3.0, 3.5],
            "absorbed_bias": [0.75, -0.6],
            "absorbed_epsilon": [0.25, 0.1],
        }
    )
    figure = ledger_figure({"MS": rows}, {"MS": "red"})
    bars = figure.axes[0].patches
    ends = [(bar.get_y(), bar.get_y() + bar.get_height()) for bar in bars]
    expected = [(0, 4), (4, 3.25), (3.25, 3), (3, 3.6), (3.6, 3.5), (0, 3.5)]
    np.testing.assert_allclose(ends, expected)
    labels = [tick.get_text() for tick in figure.axes[0].get_xticklabels()]
    assert labels == ["logit", "fc bias", "fc ε", "conv bias", "conv ε", "map"]
