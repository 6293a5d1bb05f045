"""Bright voxels: how far one number, which needs neither network nor mask, tells the groups apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pellucid.cohort.store import Store
from pellucid.ground.arrays import Float64Array, IndexArray
from pellucid.ground.errors import InputError
from pellucid.image.scaling import MAD_TO_SD, Scaling
from pellucid.training.baselines.features import Features, no_reasons
from pellucid.training.baselines.kind import BaselineKind
from pellucid.training.baselines.search import Data, Fit, Tick, history_of
from pellucid.training.baselines.settings import BaselineSettings

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

THRESHOLDS = tuple(float(t) for t in np.arange(1.0, 5.0, 0.25))
"""Robust spreads above the brain's median; the scaling `robust` cuts off at 5."""

SCALINGS: tuple[Scaling, ...] = ("robust", "minmax", "max")
"""The scalings of images that leave the bright voxels apart: `percentile` makes the brightest 1 % equal."""


def names() -> list[str]:
    """Return what the features of `bright_voxels` are called, one a threshold.

    >>> names()[12]
    'log_share_above_4'
    """
    return [f"log_share_above_{t:g}" for t in THRESHOLDS]


def bright_voxels(image: npt.ArrayLike, brain: npt.ArrayLike) -> Float64Array:
    """Return for each threshold t the logarithm of the share of the brain's voxels that are brighter: (thresholds,).

    `log((n_t + 1/2) / (n + 1))`, n_t the voxels of the brain with `x > median + t 1.4826 MAD`, n all of them, median
    and median absolute deviation (MAD) those of the brain. The half voxel keeps the logarithm finite. An increasing
    linear scaling of the image changes nothing.

    Parameters
    ----------
    image
        The scan, (X, Y, Z).
    brain
        The brain mask, bool, same shape; the rest is not looked at.

    Raises
    ------
    InputError
        The brain is empty, or has no spread of intensities.
    """
    x = np.asarray(image)[np.asarray(brain, dtype=bool)].astype(np.float64)
    offset = float(np.median(x)) if x.size else 0.0
    spread = MAD_TO_SD * float(np.median(np.abs(x - offset))) if x.size else 0.0
    if not spread > 0.0:
        raise InputError("image", "its brain has no spread of intensities", "Check that it is a scan of a brain")
    above = np.array([np.count_nonzero(x > offset + t * spread) for t in THRESHOLDS])
    return np.asarray(np.log((above + 0.5) / (x.size + 1.0)))


def fit_bright(data: Data) -> Fit:
    """Choose the threshold that tells the training participants apart best, and fit a logistic regression to it.

    For each threshold a logistic regression on the standardised log share is fitted to one point a participant, the
    mean of the scans. Its sign says whether patients have more such voxels or fewer. The threshold whose regression has
    the highest AUC on these participants wins; of several the lowest. Nobody else is looked at.

    Parameters
    ----------
    data
        Features as `bright_voxels` gives them.

    Raises
    ------
    InputError
        No feature varies over the participants of the fit.
    """
    from sklearn.metrics import roc_auc_score

    people, scan = np.unique(data.participants[data.fit].astype(str), return_inverse=True)
    number = np.bincount(scan)
    x = np.stack([np.bincount(scan, weights=column) / number for column in data.x[data.fit].T], axis=1)
    label = np.zeros(len(people), dtype=np.int64)
    label[scan] = data.labels[data.fit]
    if not np.ptp(x, axis=0).any():
        raise InputError("train", "all scans of the fit have the same share of bright voxels", "Give scans that differ")
    models = [_pipeline().fit(column[:, None], label) for column in x.T]
    found = [_line(model) for model in models]
    auc = np.array([[roc_auc_score(label, weight * column)] for (weight, _), column in zip(found, x.T, strict=True)])
    points = [{"threshold": t, "patients": _side(weight)} for t, (weight, _) in zip(THRESHOLDS, found, strict=True)]
    history = history_of(points, auc, "auc")
    best = int(np.flatnonzero(history["chosen"])[0])
    weights = np.zeros(len(THRESHOLDS))
    weights[best], intercept = found[best]
    return Fit(history, data.x[data.rows] @ weights + intercept, weights, intercept)


def _pipeline() -> Pipeline:
    """Return standardisation and regression as one model."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression())


def _line(model: Pipeline) -> tuple[float, float]:
    """Return slope and intercept of a fitted model in the feature's own unit."""
    scaler, regression = (step for _, step in model.steps)
    slope = float(regression.coef_[0, 0] / scaler.scale_[0])
    return slope, float(regression.intercept_[0] - slope * scaler.mean_[0])


def _side(weight: float) -> str:
    """Say in words which side the patients are on."""
    return "more" if weight > 0 else "fewer"


def _features(store: Store, settings: BaselineSettings, rows: IndexArray) -> Features:
    """Return the log share of voxels above each threshold: (N, thresholds)."""
    if store.scaling not in SCALINGS:
        what = f"the scaling {store.scaling!r} cuts off the brightest voxels"
        raise InputError(store.folder, what, f"Give the baseline one of the scalings {', '.join(SCALINGS)}")
    shares = np.full((len(store), len(THRESHOLDS)), np.nan)
    for n in rows:
        shares[n] = bright_voxels(store.images[n], store.brain[n])
    return Features(shares, names(), no_reasons(store))


def _fit(data: Data, features: Features, settings: BaselineSettings, tick: Tick) -> Fit:
    return fit_bright(data)


def _words(settings: Mapping[str, Any], scans: str) -> str:
    return (
        f"a logistic regression on one number, the share of the brain of the {scans} scans that is brighter than a "
        "threshold in robust spreads above the brain's median; threshold and direction were chosen on the training "
        "participants"
    )


BRIGHT_VOXELS = BaselineKind(features=_features, fit=_fit, words=_words, log_odds=True, scalings=SCALINGS)
