"""The support vector machines of the paper's code, faults included, to compare with (docs/original.md, 6).

What differs from `baselines.svm`: accuracy, not balanced accuracy, chooses; the rows are shuffled and cut into
seven outer folds without regard to group; each outer fold searches C (and, for the lesion load, the kernel) and refits
the winner, for the lesion load without the scaler that the search had; the final C is the one that won most outer
folds; the final kernel is RBF for the lesion load and linear for images, which are centred, not scaled; gamma is 1 over
the number of features; a missing mask counts as random numbers. The ten trials of the paper's code repeated the final
fit with shuffled rows, which changes nothing; here the seed shuffles the rows before the outer folds are cut.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.cohort.store import Store
from pellucid.ground.arrays import Float64Array, IndexArray, Int64Array
from pellucid.ground.errors import InputError
from pellucid.training.baselines.features import Features, no_reasons
from pellucid.training.baselines.gram import grams, weights
from pellucid.training.baselines.kind import BaselineKind
from pellucid.training.baselines.search import Data, Fit, Tick, balanced_accuracy, history_of
from pellucid.training.baselines.settings import DECADES, BaselineSettings
from pellucid.training.baselines.svm import dual_of, voxels

# deviates: it gets the scans of the study, scaled as its images are; the paper's image machine had unscaled ones, and
# its text has a principal component analysis as an option, which `components` of the revised protocol gives.
_FAITHFUL = "fitted as in the paper's code, including its errors"
_OUTER = 7
_INNER = 5


@dataclass(frozen=True, eq=False, slots=True)
class _Rows:
    """The scans of the fit, shuffled: features (n, p), or a kernel (n, n) if `pairwise`, and labels."""

    values: Float64Array
    label: Int64Array
    pairwise: bool

    def part(self, rows: IndexArray, columns: IndexArray) -> Float64Array:
        """Return the features of `rows`, or the kernel of `rows` with `columns`."""
        return self.values[np.ix_(rows, columns)] if self.pairwise else self.values[rows]


def fit_paper_lesion_load(data: Data, seed: int) -> Fit:
    """Repeat the paper's machine on the number of lesion voxels.

    Raises
    ------
    InputError
        An outer fold leaves a group fewer scans than there are inner folds.
    """
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    order = _shuffled(data, seed)
    scans = _Rows(data.x[order].astype(np.float64), data.labels[order], pairwise=False)
    points: list[dict[str, Any]] = [
        {"svc__C": c, "svc__kernel": kernel} for c in DECADES for kernel in ("linear", "rbf")
    ]
    search = make_pipeline(StandardScaler(), SVC(gamma="auto"))
    # The scaler is absent from the refit, as in the paper's code.
    scores, outer = _outer_folds(scans, search, make_pipeline(SVC(gamma="auto")), points)
    best: dict[str, Any] = {"svc__C": _vote(outer), "svc__kernel": "rbf"}
    model = make_pipeline(StandardScaler(), SVC(gamma="auto")).set_params(**best).fit(scans.values, scans.label)
    decision = model.decision_function(data.x[data.rows].astype(np.float64))
    table = [_describe(point["svc__kernel"], point["svc__C"]) for point in points]
    return Fit(history_of(table, scores, "accuracy", points.index(best)), decision, None, None, {"outer_folds": outer})


def fit_paper_image(data: Data, seed: int, tick: Tick | None = None) -> Fit:
    """Repeat the paper's machine on all voxels.

    Raises
    ------
    InputError
        An outer fold leaves a group fewer scans than there are inner folds.
    """
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import KernelCenterer
    from sklearn.svm import SVC

    order = _shuffled(data, seed)
    n = len(order)
    everyone = np.arange(n)
    # Centring by any scans at all leaves a linear machine with an intercept as it is; each fold centres again by its
    # own, in the kernel.
    (gram,) = grams(data.x, order, [everyone], scale=False, tick=tick)
    scans = _Rows(gram, data.labels[order], pairwise=True)
    points: list[dict[str, Any]] = [{"svc__C": c} for c in DECADES]
    machine = make_pipeline(KernelCenterer(), SVC(kernel="precomputed"))
    scores, outer = _outer_folds(scans, machine, machine, points)
    best = {"svc__C": _vote(outer)}
    dual, bias = dual_of(SVC(kernel="precomputed", C=best["svc__C"]).fit(gram, scans.label), n)
    rows = np.concatenate([order, data.other])
    (cross,) = grams(data.x, rows, [everyone], scale=False, tick=tick)
    decision = np.empty(len(rows))
    decision[np.concatenate([np.searchsorted(data.fit, order), np.arange(n, len(rows))])] = cross[:, :n] @ dual + bias
    w, offset = weights(data.x, order, dual, scale=False, tick=tick)
    history = history_of([_describe("linear", c) for c in DECADES], scores, "accuracy", points.index(best))
    return Fit(history, decision, w, bias + offset, {"outer_folds": outer})


def _shuffled(data: Data, seed: int) -> IndexArray:
    """Return the rows of the fit in the seed's order."""
    return np.random.default_rng(seed).permutation(data.fit)


def _outer_folds(
    scans: _Rows, search: Any, refit: Any, points: list[dict[str, Any]]
) -> tuple[Float64Array, list[dict[str, Any]]]:
    """Search in each outer fold; return the inner scores (points, 35) and what won, with its test scores."""
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import GridSearchCV, KFold

    scores, outer = [], []
    for training, test in KFold(_OUTER).split(scans.label):
        label = scans.label[training]
        fewest = int(np.bincount(label, minlength=2).min())
        if fewest < _INNER:
            what = f"in an outer fold a group has {fewest} training scans, fewer than the {_INNER} inner folds"
            raise InputError("protocol", what, 'Give more scans, or the protocol "revised"')
        x = scans.part(training, training)
        grid = [{name: [value] for name, value in point.items()} for point in points]
        found = GridSearchCV(search, grid, scoring="accuracy", cv=_INNER, refit=False).fit(x, label).cv_results_
        scores.append(np.column_stack([found[f"split{fold}_test_score"] for fold in range(_INNER)]))
        won = points[int(np.argmax(found["mean_test_score"]))]  # the first of the best
        model = refit.set_params(**won).fit(x, label)
        decision = model.decision_function(scans.part(test, training))
        truth = scans.label[test]
        both = len(set(truth.tolist())) == 2
        outer.append(
            {
                "kernel": won.get("svc__kernel", "linear"),
                "C": won["svc__C"],
                "balanced_accuracy": balanced_accuracy(truth, decision) if both else None,
                "auc": float(roc_auc_score(truth, decision)) if both else None,
            }
        )
    return np.column_stack(scores), outer


def _vote(outer: list[dict[str, Any]]) -> float:
    """Return the C that won most outer folds, the smallest of those that tie."""
    votes = Counter(float(fold["C"]) for fold in outer)
    return max(sorted(votes), key=lambda c: votes[c])


def _describe(kernel: str, c: float) -> dict[str, Any]:
    """Return a row of the history."""
    return {"kernel": kernel, "C": c, "gamma": None if kernel == "linear" else 1.0, "components": 0}


def _lesion_voxels(store: Store, settings: BaselineSettings, rows: IndexArray) -> Features:
    """Return the sums of the paper's masks (N, 1): lesion voxels on the store's grid, uniform noise for no mask.

    The code filled the slot of a missing mask with uniform random numbers, some half of all voxels in sum
    (docs/original.md, 2.3).
    """
    counts = np.full((len(store), 1), np.nan)
    for n in rows:
        mask = store.lesions(int(n))
        noise = np.random.default_rng([settings.seed, int(n)])
        counts[n] = noise.random(store.grid.shape).sum() if mask is None else np.count_nonzero(mask)
    return Features(counts, ["lesion_voxels"], no_reasons(store))


def _fit_lesion_load(data: Data, features: Features, settings: BaselineSettings, tick: Tick) -> Fit:
    return fit_paper_lesion_load(data, settings.seed)


def _fit_image(data: Data, features: Features, settings: BaselineSettings, tick: Tick) -> Fit:
    return fit_paper_image(data, settings.seed, tick)


def _load_words(settings: Mapping[str, Any], scans: str) -> str:
    return f"a support vector machine on the lesion volume, {_FAITHFUL} (a missing mask counts as random numbers)"


def _image_words(settings: Mapping[str, Any], scans: str) -> str:
    return f"a support vector machine on all voxels of the {scans} scans, {_FAITHFUL}"


PAPER_LESION_LOAD = BaselineKind(features=_lesion_voxels, fit=_fit_lesion_load, words=_load_words, log_odds=False)
PAPER_IMAGE = BaselineKind(features=voxels, fit=_fit_image, words=_image_words, log_odds=False)
