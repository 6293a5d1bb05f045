"""Logistic regression on confounds: how far age, sex, brain volume and brightness alone tell the groups apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.cohort.store import Store
from pellucid.ground.arrays import Float64Array, IndexArray
from pellucid.ground.errors import InputError
from pellucid.ground.words import listed
from pellucid.training.baselines.features import Features, column, no_reasons, numbers
from pellucid.training.baselines.kind import BaselineKind
from pellucid.training.baselines.search import Data, Fit, Fold, Tick, balanced_accuracy, history_of, participant_folds
from pellucid.training.baselines.settings import DECADES, BaselineSettings, Confound

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

_SEX = {"F": 0.0, "M": 1.0}
_NAMES = {"brain_volume_ml": "brain volume", "brightness": "mean brightness"}


def fit_logistic(data: Data, names: list[str], folds: list[Fold]) -> Fit:
    """Choose C of a ridge-penalised logistic regression, fit it to all of `data.fit`, and predict all rows.

    A missing value becomes the mean of the training scans, of each fold by itself; then the features are standardised
    by the same scans. `decision = weights . x + intercept` in the features' own units, after that imputation.

    Parameters
    ----------
    data
        NaN where a value is missing.
    names
        One name a feature.
    folds
        As `participant_folds` gives them.

    Raises
    ------
    InputError
        A feature is missing in all scans of the fit.
    """
    x, label = data.x[data.fit], data.labels[data.fit]
    for name, values in zip(names, x.T, strict=True):
        if np.isnan(values).all():
            raise InputError(name, "is missing for all scans of the fit", "Add it, or remove this confound")
    scores = np.empty((len(DECADES), len(folds)))
    for k, (training, test) in enumerate(folds):
        for i, c in enumerate(DECADES):
            model = _pipeline(c).fit(x[training], label[training])
            scores[i, k] = balanced_accuracy(label[test], model.decision_function(x[test]))
    points = [{"kernel": None, "C": c, "gamma": None, "components": None} for c in DECADES]
    history = history_of(points, scores, "balanced_accuracy")
    model = _pipeline(float(history["C"][history["chosen"]].iloc[0])).fit(x, label)
    imputer, scaler, regression = (step for _, step in model.steps)
    weights = regression.coef_[0] / scaler.scale_
    rows = data.x[data.rows]
    missing = np.isnan(rows)
    details = {
        "imputed": {
            name: {
                "fit": int(missing[: len(x), k].sum()),
                "other": int(missing[len(x) :, k].sum()),
                "by": float(imputer.statistics_[k]),
            }
            for k, name in enumerate(names)
        }
    }
    intercept = float(regression.intercept_[0] - weights @ scaler.mean_)
    return Fit(history, model.decision_function(rows), weights, intercept, details)


def _pipeline(c: float) -> Pipeline:
    """Return imputation, standardisation and regression as one model."""
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # A fold whose training part lacks a feature wholly learns nothing of it: zeros, all alike.
    imputer = SimpleImputer(keep_empty_features=True)
    return make_pipeline(imputer, StandardScaler(), LogisticRegression(C=c, max_iter=1000))


def _features(store: Store, settings: BaselineSettings, rows: IndexArray) -> Features:
    """Return the confounds that are asked for; scans that lack one are left out if that is asked for."""
    values = np.column_stack([_confound(store, name, rows) for name in settings.confounds])
    reasons = no_reasons(store)
    if settings.missing == "exclude":
        for n in np.flatnonzero(np.isnan(values).any(axis=1)):
            absent = [name for name, value in zip(settings.confounds, values[n], strict=True) if np.isnan(value)]
            reasons[n] = f"{', '.join(absent)} missing"
    return Features(values, list(settings.confounds), reasons)


def _confound(store: Store, name: Confound, rows: IndexArray) -> Float64Array:
    """Return one confound: (N,)."""
    if name == "brightness":
        return numbers(store, f"brightness_{store.scaling}")
    if name == "brain_volume_ml":
        volume = np.full(len(store), np.nan)
        for n in rows:
            volume[n] = np.count_nonzero(store.brain[n]) * store.grid.voxel_volume_ml
        return volume
    if name == "age":
        return numbers(store, "age")
    sex = column(store, "sex")
    unknown = sorted(set(sex.dropna().astype(str)) - set(_SEX))
    if unknown:
        raise InputError(store.folder, f"the sex {unknown[0]!r} is unknown", "Write F, M or n/a")
    coded: Float64Array = sex.map(_SEX).to_numpy(dtype=np.float64, na_value=np.nan)
    return coded


def _fit(data: Data, features: Features, settings: BaselineSettings, tick: Tick) -> Fit:
    return fit_logistic(data, features.names, participant_folds(data, settings.folds, settings.seed))


def _needs(settings: BaselineSettings) -> tuple[str, ...]:
    return settings.confounds


def _words(settings: Mapping[str, Any], scans: str) -> str:
    used = listed(_NAMES.get(part, part) for part in settings["confounds"])
    rest = "scans without one excluded" if settings["missing"] == "exclude" else "a missing one replaced by the mean"
    return (
        f"a logistic regression on {used} alone, on which a diagnosis should not depend, {rest}, its penalty chosen "
        f"by {settings['folds']}-fold cross-validation"
    )


CONFOUNDS_ALONE = BaselineKind(features=_features, fit=_fit, words=_words, log_odds=True, needs=_needs)
