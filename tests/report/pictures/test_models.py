"""Charts of models draw the numbers that they are given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from pellucid.report.pictures.models import brightness_figure, roc_figure, training_figure


def test_roc_draws_every_trial_and_the_mean_of_several() -> None:
    curves = pd.DataFrame(
        {
            "arm": ["a"] * 6 + ["b"] * 3,
            "trial": [0] * 3 + [1] * 3 + [0] * 3,
            "fpr": [0, 0.5, 1] * 3,
            "tpr": [0, 0.75, 1, 0, 0.5, 1, 0, 1, 1],
        }
    )
    figure = roc_figure(curves, {"a": "AUC 56 %"})
    two, one = figure.axes
    assert two.get_title(loc="left") == "a\nAUC 56 %"
    assert [len(axes.lines) for axes in (two, one)] == [1 + 2 + 1, 1 + 1]  # chance, trials, and the mean of two
    mean = two.lines[-1].get_xydata()
    assert mean[np.isclose(mean[:, 0], 0.5), 1] == pytest.approx(0.625)
    assert one.lines[-1].get_ydata().tolist() == [0, 1, 1]


def test_many_arms_stand_in_rows_of_three() -> None:
    arms = [f"arm-{n}" for n in range(5)]
    curves = pd.DataFrame({"arm": np.repeat(arms, 2), "trial": 0, "fpr": [0, 1] * 5, "tpr": [0, 1] * 5})
    figure = roc_figure(curves, dict.fromkeys(arms, "AUC 100.0 % [100.0, 100.0]"))
    assert [axes.get_title(loc="left").split("\n")[0] for axes in figure.axes] == arms
    FigureCanvasAgg(figure).draw()
    titles = [axes._left_title.get_window_extent() for axes in figure.axes]
    assert not any(one.overlaps(two) for n, one in enumerate(titles) for two in titles[n + 1 :])
    assert [axes.get_legend() is None for axes in figure.axes] == [False, True, True, True, True]
    history = pd.DataFrame(
        {
            "epoch": [1, 2],
            "train_loss": [0.9, 0.5],
            "val_loss": [0.8, 0.4],
            "val_accuracy": [0.5, 0.9],
            "best": [False, True],
        }
    )
    figure = training_figure([(arm, "trial-00", history) for arm in arms])
    assert sorted(axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")) == arms
    assert len(figure.axes) == 10


def test_training_marks_the_epoch_that_was_kept(dots: Any) -> None:
    history = pd.DataFrame(
        {
            "epoch": [1, 2, 3],
            "train_loss": [0.9, 0.5, 0.3],
            "val_loss": [0.8, 0.4, 0.6],
            "val_accuracy": [0.5, 0.9, 0.7],
            "best": [False, True, False],
        }
    )
    figure = training_figure([("a", "trial-00", history), ("b", "trial-00", history), ("b", "trial-01", history)])
    assert dots(figure, 0).tolist() == [[2, 0.4]]
    assert dots(figure, 2).tolist() == [[2, 0.9]]
    assert len(figure.axes[1].lines) == 4
    assert len(figure.axes[3].lines) == 2


def test_brightness_draws_each_scaling_with_its_interval(dots: Any) -> None:
    table = pd.DataFrame({"scaling": ["robust", "max"], "auc": [0.55, 0.2], "low": [0.4, 0.1], "high": [0.7, 0.3]})
    figure = brightness_figure(table, {"robust"})
    assert dots(figure).tolist() == [[0.55, 0], [0.2, 1]]
    assert figure.axes[0].lines[1].get_xdata().tolist() == [0.4, 0.7]
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == ["robust (used)", "max"]
    both = brightness_figure(table, {"robust", "max"})
    assert [tick.get_text() for tick in both.axes[0].get_yticklabels()] == ["robust (used)", "max (used)"]
