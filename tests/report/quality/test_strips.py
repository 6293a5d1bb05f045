"""The strips hold every value, their bounds, and the names of outliers alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from pellucid.preprocess.outliers import outliers
from pellucid.preprocess.quality import MEASURES
from pellucid.report.quality.strips import shown_bounds, strips


def test_points_bounds_and_names(dots: Callable[..., Any]) -> None:
    names = [f"sub-{n}" for n in range(10)]
    dice = [*np.linspace(0.94, 0.97, 9), 0.5]
    values = pd.DataFrame({"brain_dice": dice, "t1w_snr": [None] * 10, "lesion_ml": range(10)}, index=names)
    figure = strips(values, outliers(values, list(values)), dict.fromkeys(names, "pass"))
    panels = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_title(loc="left") for axes in panels] == [
        "Dice, brain in MNI space and template's",
        "Lesions, native (ml)",
    ]
    np.testing.assert_allclose(sorted(dots(figure, 0)[:, 0]), sorted(dice))
    assert [text.get_text() for text in panels[0].texts] == ["sub-9"]
    assert not panels[1].texts
    lines = {round(float(line.get_xdata()[0]), 2) for line in panels[0].lines}
    assert {0.88, 0.93} <= lines


def test_bounds_stand_where_worse_begins() -> None:
    assert shown_bounds(MEASURES["cut_off"]) == [("fail", 0.25), ("check", 0.03)]
    assert shown_bounds(MEASURES["scale"]) == [("fail", 0.6), ("fail", 2.5), ("check", 0.9), ("check", 1.9)]
    assert shown_bounds(MEASURES["t1w_snr"]) == []
