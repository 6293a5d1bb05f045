"""Logistic regression on confounds: how far age, sex, brain volume and brightness alone tell the groups apart."""

from __future__ import annotations

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from pellucid.ground.errors import InputError
from pellucid.training.baselines.search import Data, Fit, Fold, balanced_accuracy, history_of
from pellucid.training.baselines.settings import DECADES


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
    for name, column in zip(names, x.T, strict=True):
        if np.isnan(column).all():
            raise InputError(name, "is missing for all scans of the fit", "State it or leave this confound out")
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
    # A fold whose training part lacks a feature wholly learns nothing of it: zeros, all alike.
    imputer = SimpleImputer(keep_empty_features=True)
    return make_pipeline(imputer, StandardScaler(), LogisticRegression(C=c, max_iter=1000))
