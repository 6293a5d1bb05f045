"""Charts of areas draw the numbers that they are given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.container import BarContainer
from tests.report.figures import words

from pellucid.report.pictures.areas import SignedLog
from pellucid.report.pictures.regions import filled_figure, lesion_share_figure, region_figure

COLOURS = {"MS": "red", "HC": "blue"}


def test_relevance_is_drawn_as_means_with_intervals_and_people(dots: Any) -> None:
    people = pd.DataFrame(
        {"place": [0, 0, 1, 1], "group": ["MS", "HC"] * 2, "participant_id": ["a", "b"] * 2}
        | {"value": [3.0, -1.0, 0.2, 0.5]}
    )
    means = pd.DataFrame(
        {"place": [0, 1, 0, 1], "area": ["Stem", "Pole"] * 2, "group": ["MS", "MS", "HC", "HC"]}
        | {"mean": [3.0, 0.2, -1.0, 0.5], "low": [2.0, 0.1, -2.0, np.nan], "high": [4.0, 0.3, 0.0, np.nan]}
        | {"seen_share": [1.0, 0.4] * 2, "q": [0.01, 0.2] * 2}
    )
    figure = region_figure(people, means, COLOURS)
    scale = SignedLog(0.1)  # the median of the sizes is 0.75
    np.testing.assert_allclose(dots(figure, 0)[:, 0], scale([3.0, 0.2, -1.0, 0.5]))
    np.testing.assert_allclose(dots(figure, 0)[:, 1], [-0.19, 0.81, 0.19, 1.19])
    said = words(figure)
    assert {"Stem *", "Pole", "40 % seen", "MS: mean of 1, 95 % interval over participants"} <= set(said)
    assert "100 % seen" not in said
    assert any("beyond ± 0.1)" in word for word in said)


def test_two_models_are_drawn_on_one_scale_with_their_signs() -> None:
    means = pd.DataFrame(
        {"place": [0, 1, 0, 1], "area": ["a", "b"] * 2, "images": ["as they are"] * 2 + ["filled"] * 2}
        | {"mean": [2.0, -8.0, 2.5, 1.0], "low": 0.0, "high": 3.0, "seen_share": [1.0, 0.5] * 2}
    )
    figure = filled_figure(means)
    left, right = figure.axes[:2]
    bars = [c for axes in (left, right) for c in axes.containers if isinstance(c, BarContainer)]
    assert [[bar.get_width() for bar in some] for some in bars] == [[2.0, -8.0], [2.5, 1.0]]
    assert left.get_xlim() == right.get_xlim()
    assert [axes.get_title(loc="left") for axes in (left, right)] == ["as they are", "filled"]
    assert {"a", "b", "50 % seen"} <= set(words(figure))


def test_lesions_are_drawn_as_shares_with_means(dots: Any) -> None:
    scans = pd.DataFrame(
        {"place": [0, 0, 0, 1, 1, 1], "area": ["b"] * 3 + ["a"] * 3, "group": ["MS", "MS", "HC"] * 2}
        | {"participant_id": ["1", "2", "3"] * 2, "session_id": pd.NA}
        | {"share": [0.1, 0.9, 0.2, 0.03, 0.05, 0.0], "mean": [0.5, 0.5, 0.2, 0.04, 0.04, 0.0]}
    )
    figure = lesion_share_figure(scans, COLOURS)
    scale = SignedLog(0.01)
    np.testing.assert_allclose(dots(figure)[:, 0], scale([0.5, 0.04, 0.2, 0.0]))
    assert {"MS: 2 scans", "HC: 1 scans", "0 %", "10 %", "a", "b"} <= set(words(figure))
