"""ROC curves of trials, and their vertical means."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.analysis.classification import by_person
from pellucid.ground.arrays import Float64Array


def roc(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return the ROC curve of each trial: trial, fpr, tpr, from (0, 0) to (1, 1).

    Its area is the trial's AUC (`classification.scores`): of a cross-validation it is the exact vertical mean of the
    folds' curves, each counting by its pairs of a patient and a control, with two rows at each rate at which a fold's
    curve steps, before and after.

    Parameters
    ----------
    predictions
        What `classification.over_trials` takes.

    Raises
    ------
    InputError
        As `over_trials`; trials without any fold that has patients and controls have no rows.
    """
    from sklearn.metrics import roc_curve

    people, curves = by_person(predictions), []
    truth = people.label
    for trial, value, folds in zip(people.trials, people.logit.T, people.fold.T, strict=True):
        several, pairs = [], []
        for fold in np.unique(folds):
            judged = folds == fold
            n_patients = int(truth[judged].sum())
            if 0 < n_patients < judged.sum():
                several.append(roc_curve(truth[judged], value[judged])[:2])
                pairs.append(n_patients * (int(judged.sum()) - n_patients))
        if several:
            fpr, tpr = several[0] if len(several) == 1 else _mean(several, pairs)
            curves.append(pd.DataFrame({"trial": trial, "fpr": fpr, "tpr": tpr}))
    return pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=["trial", "fpr", "tpr"])


def _mean(curves: list[tuple[Float64Array, Float64Array]], weights: list[int]) -> tuple[Float64Array, Float64Array]:
    """Average curves vertically, with two points at each rate at which one has a corner."""
    corners = np.unique(np.concatenate([fpr for fpr, _ in curves]))
    ends = np.average([limits_at(corners, *curve) for curve in curves], axis=0, weights=weights)
    return np.repeat(corners, 2), ends.T.ravel()


def mean_roc(curves: pd.DataFrame) -> pd.DataFrame:
    """Average ROC curves vertically and exactly: fpr, mean tpr, sd of tpr over trials (missing for one trial).

    `curves` is what `roc` returns. There are two rows at each rate at which a curve steps, before and after, so that
    steps stay upright.
    """
    each = [(one["fpr"].to_numpy(), one["tpr"].to_numpy()) for _, one in curves.groupby("trial")]
    corners = np.unique(curves["fpr"])
    ends = np.array([limits_at(corners, *one) for one in each])  # (trials, 2, corners)
    spread = ends.std(axis=0, ddof=1) if len(each) > 1 else np.full(ends.shape[1:], np.nan)
    mean = ends.mean(axis=0)
    return pd.DataFrame({"fpr": np.repeat(corners, 2), "tpr": mean.T.ravel(), "sd": spread.T.ravel()})


def raster_roc(curves: pd.DataFrame, *, points: int) -> pd.DataFrame:
    """Average ROC curves vertically on an even raster, as the paper does: fpr, mean tpr, sd of tpr over trials (of n).

    A vertical step counts with its upper end, and is slanted.
    """
    raster = np.linspace(0.0, 1.0, points)
    tprs = np.array([limits_at(raster, one["fpr"], one["tpr"])[1] for _, one in curves.groupby("trial")])
    mean, spread = tprs.mean(axis=0), tprs.std(axis=0)
    return pd.DataFrame({"fpr": np.r_[0.0, raster], "tpr": np.r_[0.0, mean], "sd": np.r_[0.0, spread]})


def limits_at(at: Float64Array, fpr: npt.ArrayLike, tpr: npt.ArrayLike) -> Float64Array:
    """Return a curve's value just before and just after each rate `at`, (2, n): they differ where it rises upright.

    >>> limits_at(np.array([0.0, 0.5, 1.0]), [0.0, 0.0, 0.5, 0.5, 1.0], [0.0, 0.4, 0.4, 0.8, 1.0])
    array([[0. , 0.4, 1. ],
           [0.4, 0.8, 1. ]])
    """
    x, y = np.asarray(fpr, dtype=np.float64), np.asarray(tpr, dtype=np.float64)
    rates, first = np.unique(x, return_index=True)
    last = np.r_[first[1:], x.size] - 1
    # Between two rates a curve is straight, from the upper end of the one to the lower end of the next.
    right = np.clip(np.searchsorted(rates, at), 0, rates.size - 1)
    left = np.maximum(right - 1, 0)
    exact = rates[right] == at
    width = np.where(exact, 1.0, rates[right] - rates[left])
    between = y[last][left] + (y[first][right] - y[last][left]) * np.where(exact, 0.0, at - rates[left]) / width
    return np.stack([np.where(exact, y[first][right], between), np.where(exact, y[last][right], between)])
