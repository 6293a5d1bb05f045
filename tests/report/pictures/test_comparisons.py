"""Charts of comparisons draw the numbers that they are given, hollow where those say little."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb

from pellucid.report.pictures.comparisons import forest_figure, p_value, reliability_figure, subgroup_figure

nan = float("nan")


def _hollow(axes: Any) -> list[bool]:
    return [bool(np.allclose(c.get_facecolor()[0][:3], to_rgb("white"))) for c in axes.collections]


def _intervals(axes: Any) -> list[list[float]]:
    """The horizontal lines in a panel that lie within a row."""
    lines = [line.get_xydata() for line in axes.lines]
    return [points[:, 0].tolist() for points in lines if points[0, 1] == points[1, 1] and points[0, 0] != points[1, 0]]


def test_the_forest_has_a_row_an_opponent_and_a_panel_a_metric(dots: Any) -> None:
    pairs = pd.DataFrame(
        [
            ("b", "auc", 0.1, -0.1, 0.3, 0.2),
            ("c", "auc", 0.5, nan, nan, nan),
            ("c", "accuracy", -0.2, -0.3, 0.0, 0.0001),
        ],
        columns=["other", "metric", "difference", "low", "high", "p"],
    )
    figure = forest_figure(pairs, {"auc": "AUC", "accuracy": "Accuracy"})
    auc, accuracy = figure.axes
    assert dots(figure, 0).tolist() == [[0.1, 0], [0.5, 1]]
    assert dots(figure, 1).tolist() == [[-0.2, 1]]
    assert _hollow(auc) == [False, True]
    assert [-0.1, 0.3] in _intervals(auc)
    assert not any(np.isnan(ends).any() for ends in _intervals(auc))
    assert [text.get_text() for text in auc.texts] == ["p = 0.20"]
    assert [text.get_text() for text in accuracy.texts] == ["p < 0.001"]
    assert [tick.get_text() for tick in auc.get_yticklabels()] == ["b", "c"]
    FigureCanvasAgg(figure).draw()
    assert {"−30 %", "0 %"} <= {tick.get_text() for tick in accuracy.get_xticklabels()}
    assert {"0", "0.2"} <= {tick.get_text() for tick in auc.get_xticklabels()}


@pytest.mark.parametrize(("p", "said"), [(0.031, "p = 0.031"), (1.0, "p = 1.0"), (0.0009, "p < 0.001")])
def test_a_p_is_written_short(p: float, said: str) -> None:
    assert p_value(p) == said


def _bins(arm: str, kind: str, n: list[int]) -> pd.DataFrame:
    edges = np.linspace(0, 1, len(n) + 1)
    shown = np.where(np.array(n) > 0, 1.0, nan)
    middle = (edges[:-1] + edges[1:]) / 2
    table = {"low": edges[:-1], "high": edges[1:], "n": n, "mean_probability": middle * shown, "observed": 0.4 * shown}
    return pd.DataFrame(table | {"observed_low": 0.1 * shown, "observed_high": 0.7 * shown}).assign(arm=arm, kind=kind)


def test_reliability_draws_the_bins_that_hold_something_and_their_counts() -> None:
    parts = [_bins("a", "sigmoid", [3, 0, 7]), _bins("a", "calibrated", [0, 10, 0]), _bins("b", "sigmoid", [0, 5, 5])]
    figure = reliability_figure(pd.concat(parts))
    (upper_a, upper_b), (lower_a, lower_b) = figure.axes[:2], figure.axes[2:]
    assert [axes.get_title(loc="left") for axes in (upper_a, upper_b)] == ["a", "b"]
    _, as_it_is, calibrated = upper_a.lines
    assert as_it_is.get_xydata().tolist() == [[pytest.approx(1 / 6), 0.4], [pytest.approx(5 / 6), 0.4]]
    assert calibrated.get_xydata().tolist() == [[0.5, 0.4]]
    assert [bar.get_height() for bar in lower_a.patches] == [3, 7, 10]
    assert [bar.get_height() for bar in lower_b.patches] == [5, 5]
    assert len(upper_b.lines) == 2
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["perfect", "as it is", "calibrated"]


def test_many_reliability_diagrams_stand_in_rows_of_three() -> None:
    arms = [f"arm-{n}" for n in range(5)]
    figure = reliability_figure(pd.concat([_bins(arm, "sigmoid", [1, 2]) for arm in arms]))
    assert sorted(axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")) == arms
    assert len(figure.axes) == 10
    FigureCanvasAgg(figure).draw()
    boxes = [axes.get_window_extent() for axes in figure.axes]
    assert not any(one.overlaps(two) for n, one in enumerate(boxes) for two in boxes[n + 1 :])


def test_groups_keep_their_row_where_they_have_no_score(dots: Any) -> None:
    groups = pd.DataFrame(
        {
            "factor": ["sex", "sex", "age"],
            "label": ["women", "men", "old"],
            "few": [False, True, False],
            "auc": [0.8, 0.6, nan],
            "auc_low": [0.7, 0.3, nan],
            "auc_high": [0.9, 0.9, nan],
        }
    )
    figure = subgroup_figure(groups, {"auc": "AUC"}, {"auc": 0.75})
    (axes,) = figure.axes
    assert dots(figure).tolist() == [[0.8, 0], [0.6, 1]]
    assert _hollow(axes) == [False, True]
    assert [(text.get_text(), text.get_position()[1]) for text in axes.texts] == [("no score", 2)]
    assert [0.7, 0.9] in _intervals(axes)
    upright = {line.get_xdata()[0] for line in axes.lines if line.get_xdata()[0] == line.get_xdata()[1]}
    assert upright == {0.75, 0.5}
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["women", "men", "old"]
