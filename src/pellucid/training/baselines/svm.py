"""The support vector machine as we would have it: every step inside the cross-validation, on Gram matrices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.cohort.store import Store
from pellucid.ground.arrays import Float64Array, IndexArray, Int64Array
from pellucid.ground.errors import InputError
from pellucid.training.baselines.features import VOXELS, Features, no_reasons, numbers
from pellucid.training.baselines.gram import grams, rbf_kernel, unit_kernel, weights
from pellucid.training.baselines.kind import BaselineKind
from pellucid.training.baselines.search import Data, Fit, Fold, Tick, balanced_accuracy, history_of, participant_folds
from pellucid.training.baselines.settings import DECADES, BaselineSettings

if TYPE_CHECKING:
    from sklearn.svm import SVC

_TOLERANCE = 1e-6  # scikit-learn's 1e-3 leaves decision values that depend on the order of the rows


def fit_svm(data: Data, folds: list[Fold], components: tuple[int, ...], tick: Tick | None = None) -> Fit:
    """Search the grid, fit the winner to all of `data.fit`, and predict all rows.

    The features are standardised by the training scans of each fold, optionally reduced to their principal components,
    and divided by the square root of their total variance (`gram.unit_kernel`), which gives C and
    gamma the same meaning for any number of features. Tried are the kernels linear and RBF, and C and gamma of
    `DECADES`; the best mean balanced accuracy over the folds wins. What is only predicted is read after the fit.

    Raises
    ------
    InputError
        No feature varies over the scans of the fit.
    """
    n = len(data.fit)
    everyone = np.arange(n)
    *inner, whole = grams(data.x, data.fit, [*(training for training, _ in folds), everyone], tick=tick)
    if not np.trace(whole) > 0.0:
        raise InputError("train", "all scans of the fit have the same features", "Give scans that differ")
    label = data.labels[data.fit]
    points = _points(components, min(len(training) for training, _ in folds) - 1)
    scores = np.array([_scores(gram, fold, label, points) for gram, fold in zip(inner, folds, strict=True)]).T
    history = history_of(points, scores, "balanced_accuracy")
    best = points[int(np.flatnonzero(history["chosen"])[0])]

    kernel, projection = unit_kernel(whole, everyone, best["components"])
    dual, bias = _dual(_kernel(kernel, best), label, best["C"])
    (cross,) = grams(data.x, data.rows, [everyone], tick=tick)
    predicted = _kernel(unit_kernel(cross, everyone, best["components"])[0], best)
    decision = predicted[:, :n] @ dual + bias
    if best["kernel"] != "linear":
        return Fit(history, decision, None, None)
    w, offset = weights(data.x, data.fit, projection @ dual, tick=tick)
    return Fit(history, decision, w, bias + offset)


def _points(components: tuple[int, ...], most: int) -> list[dict[str, Any]]:
    """Return the grid; what comes first wins a tie: a small C, few components, linear, a small gamma."""
    kernels = [("linear", None), *(("rbf", gamma) for gamma in DECADES)]
    return [
        {"kernel": kernel, "C": c, "gamma": gamma, "components": k}
        for c in DECADES
        for k in sorted({min(k, most) for k in components})
        for kernel, gamma in kernels
    ]


def _scores(gram: Float64Array, fold: Fold, label: Int64Array, points: list[dict[str, Any]]) -> list[float]:
    """Return the balanced accuracy of each point on the test scans of one fold."""
    training, test = fold
    linear = {k: unit_kernel(gram, training, k)[0] for k in {point["components"] for point in points}}
    scores = []
    for point in points:
        kernel = _kernel(linear[point["components"]], point)
        dual, bias = _dual(kernel[np.ix_(training, training)], label[training], point["C"])
        scores.append(balanced_accuracy(label[test], kernel[np.ix_(test, training)] @ dual + bias))
    return scores


def _kernel(linear: Float64Array, point: dict[str, Any]) -> Float64Array:
    """Return a point's kernel from the linear one."""
    return linear if point["kernel"] == "linear" else rbf_kernel(linear, point["gamma"])


def _dual(kernel: Float64Array, label: Int64Array, c: float) -> tuple[Float64Array, float]:
    """Fit to a kernel (n, n); return the coefficients (n,) and the intercept."""
    from sklearn.svm import SVC

    return dual_of(SVC(C=c, kernel="precomputed", tol=_TOLERANCE).fit(kernel, label), len(label))


def dual_of(model: SVC, n: int) -> tuple[Float64Array, float]:
    """Return the coefficients (n,), 0 off the support vectors, and the intercept of a fitted machine."""
    dual = np.zeros(n)
    support: IndexArray = model.support_
    dual[support] = model.dual_coef_[0]
    return dual, float(model.intercept_[0])


def voxels(store: Store, settings: BaselineSettings, rows: IndexArray) -> Features:
    """Return the images as features."""
    return Features(store.images.reshape(len(store), -1), VOXELS, no_reasons(store))


def _lesion_load(store: Store, settings: BaselineSettings, rows: IndexArray) -> Features:
    """Return the lesion volumes; scans of which none is known are left out."""
    load = numbers(store, "lesion_volume_ml")
    reasons = no_reasons(store)
    # deviates: the paper's code took a mask of random numbers for one that was missing.
    reasons[np.isnan(load)] = "no lesion mask, and no lesion volume stated"
    return Features(load[:, None], ["lesion_volume_ml"], reasons)


def _fit(data: Data, features: Features, settings: BaselineSettings, tick: Tick) -> Fit:
    return fit_svm(data, participant_folds(data, settings.folds, settings.seed), settings.components, tick)


def _load_needed(settings: BaselineSettings) -> tuple[str, ...]:
    return ("lesion_volume_ml",)


def _load_words(settings: Mapping[str, Any], scans: str) -> str:
    return f"a support vector machine on the lesion volume, {_search(settings)}"


def _image_words(settings: Mapping[str, Any], scans: str) -> str:
    counts = [int(count) for count in settings["components"]]
    on = f"all voxels of the {scans} scans"
    if any(counts):
        tried = " or ".join("all voxels" if count == 0 else str(count) for count in counts)
        on = f"the principal components of the {scans} scans ({tried})"
    return f"a support vector machine on {on}, {_search(settings)}"


def _search(settings: Mapping[str, Any]) -> str:
    return (
        f"kernel and penalty chosen by balanced accuracy in a {settings['folds']}-fold cross-validation around every "
        "step"
    )


LESION_LOAD = BaselineKind(features=_lesion_load, fit=_fit, words=_load_words, log_odds=False, needs=_load_needed)
IMAGE = BaselineKind(features=voxels, fit=_fit, words=_image_words, log_odds=False)
