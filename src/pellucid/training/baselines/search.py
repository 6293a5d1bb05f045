"""What the baselines share: their data, the folds and score of the inner search, and which point of the grid wins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from pellucid.ground.arrays import Float64Array, FloatArray, IndexArray, Int64Array, ObjectArray
from pellucid.ground.errors import InputError

Tick = Callable[[], None]
Fold = tuple[IndexArray, IndexArray]


@dataclass(frozen=True, eq=False, slots=True)
class Data:
    """What a baseline is fitted to and predicts.

    Parameters
    ----------
    x
        (N, p) features, NaN where missing.
    labels, participants
        (N,) each.
    fit, other
        Rows to fit to, and rows that are predicted only.
    """

    x: FloatArray
    labels: Int64Array
    participants: ObjectArray
    fit: IndexArray
    other: IndexArray

    @property
    def rows(self) -> IndexArray:
        """All rows to predict, those of the fit first."""
        return np.concatenate([self.fit, self.other])


@dataclass(frozen=True, eq=False, slots=True)
class Fit:
    """A fitted baseline.

    Parameters
    ----------
    history
        One row a grid point, as `history_of` gives it.
    decision
        The decision values of `Data.rows`; positive means label 1.
    weights, intercept
        `decision = weights . x + intercept` in the features' own units, weights: (p,); None if it is not linear.
    details
        What else its model.json shall say.
    """

    history: pd.DataFrame
    decision: Float64Array
    weights: Float64Array | None
    intercept: float | None
    details: dict[str, Any] = field(default_factory=dict)


def participant_folds(data: Data, folds: int, seed: int) -> list[Fold]:
    """Return (training, test) positions within `data.fit`, stratified by group, all scans of a participant together.

    The participants, not their scans, are shared out evenly, so both groups stand in every part however many scans a
    participant has. The order of the rows has no influence.

    Raises
    ------
    InputError
        A group has fewer participants than there are folds.
    """
    from sklearn.model_selection import StratifiedKFold

    names = data.participants[data.fit]
    people, scan_person = np.unique(names.astype(str), return_inverse=True)
    label = np.zeros(len(people), dtype=np.int64)
    label[scan_person] = data.labels[data.fit]
    fewest = int(np.bincount(label, minlength=2).min())
    if fewest < folds:
        raise InputError("folds", f"a group has {fewest} participants, fewer than {folds} folds", "Use fewer folds")
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    parts = [np.isin(scan_person, test) for _, test in splitter.split(people, label)]
    return [(np.flatnonzero(~part), np.flatnonzero(part)) for part in parts]


def balanced_accuracy(label: Int64Array, decision: Float64Array) -> float:
    """Return the mean of sensitivity and specificity of `decision > 0`; NaN where a class is missing."""
    right = (decision > 0) == (label == 1)
    shares = [right[label == k].mean() if (label == k).any() else np.nan for k in (0, 1)]
    return float(np.mean(shares))


def history_of(points: list[dict[str, Any]], scores: Float64Array, metric: str, won: int | None = None) -> pd.DataFrame:
    """Return the history of a search.

    Parameters
    ----------
    points
        What each point is: kernel, C, gamma and components of most baselines (missing where it has none), by rising C.
        The first of the best wins, so ties go to the smallest C.
    scores
        (points, folds).
    metric
        What the scores are.
    won
        Which point was chosen; None chooses by the mean.

    Returns
    -------
    DataFrame
        One row a point: what it is, metric, mean and sd (n - 1; missing of a single fold) over the folds, chosen.
    """
    mean = scores.mean(axis=1)
    # Rounded, for folds in another order of summation must not break a tie.
    chosen = int(np.argmax(mean.round(12))) if won is None else won
    sd = scores.std(axis=1, ddof=1) if scores.shape[1] > 1 else np.nan
    return pd.DataFrame(points).assign(metric=metric, mean=mean, sd=sd, chosen=np.arange(len(points)) == chosen)
