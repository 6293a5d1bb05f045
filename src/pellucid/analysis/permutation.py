"""How often chance does as well as what was observed, and what that is for a statistic that is too large."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import norm, permutation_test

from pellucid.analysis.classification import THRESHOLD, Floats, by_scan, checked, folds_by_scan
from pellucid.analysis.crossed import weakened
from pellucid.errors import InputError

PERMUTATIONS = 9999

_COUNTED = 10
"""Permutations as extreme as the statistic from which on their number is taken for its chance."""


class Chance(NamedTuple):
    """Statistics as observed and their p, one each or arrays."""

    observed: Any
    p: Any


def chance(
    data: tuple[npt.ArrayLike, ...],
    statistic: Any,
    *,
    kind: str,
    alternative: str,
    middle: float = 0.0,
    factor: float = 1.0,
    permutations: int = PERMUTATIONS,
    seed: int,
) -> Chance:
    """Permute data and count how often a statistic is at least as extreme as the observed one.

    Of a statistic `factor` times too large p is `weakened`. Where fewer than ten permutations are as extreme, p is no
    more than their number lets it be, and weakened would stay large whatever was observed; there it is the normal tail
    of z / factor, with z the statistic's distance from its middle in standard deviations of the permutations.

    Parameters
    ----------
    data, statistic, kind, alternative, permutations
        As `scipy.stats.permutation_test` takes them (`permutation_type`, `n_resamples`), along the first axis. Where
        there are no more orders than `permutations`, each is taken once.
    middle
        What the statistic is on average if nothing is there.
    factor
        By how much the statistic's distance from its middle is too large, at least 1 (`crossed.correction`).
    seed
        Of the permutations.
    """
    found = permutation_test(
        data,
        statistic,
        permutation_type=kind,
        alternative=alternative,
        n_resamples=permutations,
        batch=500,
        axis=0,
        vectorized=True,
        rng=np.random.default_rng(seed),
    )
    if factor == 1.0:
        return Chance(found.statistic, found.pvalue)
    sides, drawn = (2 if alternative == "two-sided" else 1), found.null_distribution
    p = weakened(found.pvalue, factor, sides=sides)
    if len(drawn) == permutations:  # fewer are all orders there are, and p is exact
        z = (np.asarray(found.statistic) - middle) / np.maximum(drawn.std(axis=0), np.finfo(float).tiny)
        z = {"greater": z, "less": -z, "two-sided": np.abs(z)}[alternative]
        p = np.where(found.pvalue * permutations < sides * _COUNTED, sides * norm.sf(z / factor), p)
    return Chance(found.statistic, p)


def permutation_p(
    predictions: pd.DataFrame, metric: str, *, permutations: int = PERMUTATIONS, correction: float = 1.0, seed: int
) -> float:
    """Return the chance of a trial-mean metric at least this high if labels meant nothing.

    Labels are permuted over participants, each of whom brings all its scans in all trials:
    p = (1 + #{permuted >= observed}) / (1 + permutations). Where participants have no more orders than `permutations`,
    all orders are counted instead, and p = #{>=} / orders.

    Parameters
    ----------
    predictions
        One row a scan and trial, as `over_trials` takes them: trial, participant_id, label (0 or 1), logit, and
        session_id and fold where there are such.
    metric
        auc or balanced_accuracy.
    permutations, seed
        Number and seed of the permutations.
    correction
        By how much the metric's distance from 0.5 is too large (`crossed.correction`).

    Raises
    ------
    InputError
        If the metric is another, a class is missing, or the predictions are none that `over_trials` takes.
    """
    logits = by_scan(predictions)
    value = logits.to_numpy(dtype=np.float64)
    for trial in value.T:
        checked(logits.index.get_level_values("label"), trial)
    _, person = np.unique(logits.index.get_level_values("participant_id"), return_inverse=True)
    scans = np.bincount(person).astype(np.float64)
    label = np.bincount(person, logits.index.get_level_values("label")) / scans
    if metric == "auc":
        folds = folds_by_scan(predictions, logits)
        statistic = _permuted_auc(value, folds, person, scans)
    elif metric == "balanced_accuracy":
        statistic = _permuted_balanced_accuracy(value, person, scans)
    else:
        raise InputError("metric", f"{metric!r} has no permutation test", "Choose auc or balanced_accuracy")
    found = chance(
        (label,),
        statistic,
        kind="pairings",
        alternative="greater",
        middle=0.5,
        factor=correction,
        permutations=permutations,
        seed=seed,
    )
    return float(found.p)


def _permuted_balanced_accuracy(value: Floats, person: npt.NDArray[np.intp], scans: Floats) -> Any:
    """Return a function of labels (..., people) that averages balanced accuracy over the trials of (scan, trial)."""
    # it is linear in a scan's merit, the share of logits > 0, so trials are averaged once
    merits = np.bincount(person, (value > THRESHOLD).mean(axis=1))

    def statistic(labels: Floats, axis: int) -> Any:
        n1 = (labels * scans).sum(axis=axis)
        of_patients = (labels * merits).sum(axis=axis)
        return (of_patients / n1 + 1.0 - (merits.sum() - of_patients) / (scans.sum() - n1)) / 2.0

    return statistic


def _permuted_auc(value: Floats, folds: npt.NDArray[np.int_], person: npt.NDArray[np.intp], scans: Floats) -> Any:
    """Return a function of labels (..., people) that averages the AUC over the trials of (scan, trial).

    With midranks r within folds, of which fold f has n1 scans of patients and n0 of controls, a trial's AUC is
    (sum of r over patients - sum over f of n1 (n1 + 1) / 2) / sum over f of n1 n0; a half where there is no pair.
    """
    trials = []
    for trial, fold in zip(value.T, folds.T, strict=True):
        rank = pd.Series(trial).groupby(fold).rank().to_numpy()
        of_fold = (fold[:, None] == np.unique(fold)) * 1.0  # (scan, fold)
        each = np.stack([np.bincount(person, column) for column in of_fold.T], axis=1)  # a person's scans in each fold
        trials.append((np.bincount(person, rank), each))

    def statistic(labels: Floats, axis: int) -> Any:
        drawn = np.moveaxis(labels, axis, -1)
        total = 0.0
        for merits, each in trials:
            n1 = drawn @ each
            pairs = (n1 * (each.sum(axis=0) - n1)).sum(axis=-1)
            wins = drawn @ merits - (n1 * (n1 + 1.0) / 2.0).sum(axis=-1)
            total = total + np.divide(wins, pairs, out=np.full_like(pairs, 0.5), where=pairs > 0)
        return total / len(trials)

    return statistic
