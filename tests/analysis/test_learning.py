"""Families of arms are those that learn from different numbers of participants."""

from __future__ import annotations

import pandas as pd

from pellucid.analysis.learning import COLUMNS, learning_curves

SCORES = pd.DataFrame(
    [
        {"arm": arm, "metric": metric, "mean": mean, "sd": 0.01, "low": mean - 0.1, "high": mean + 0.1, "n_trials": 4}
        for arm, mean in (("all", 0.9), ("half", 0.7), ("robust", 0.8), ("few", 0.6))
        for metric in ("auc", "sensitivity")
    ]
)


def test_a_family_is_called_by_its_largest_and_goes_from_few_to_many() -> None:
    curves = learning_curves([{"all": 9, "half": 5, "unfitted": 3}, {"robust": 9}], SCORES)
    assert curves.columns.tolist() == list(COLUMNS)
    assert curves[["family", "arm", "subjects", "auc", "n_trials"]].to_numpy().tolist() == [
        ["all", "half", 5, 0.7, 4],
        ["all", "all", 9, 0.9, 4],
    ]


def test_arms_that_learn_from_equally_many_are_no_family() -> None:
    assert learning_curves([{"all": 9, "half": 9}, {"robust": 9, "unfitted": 3}, {}], SCORES).empty
