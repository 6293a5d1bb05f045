"""How often chance does as well as what was observed, and what that is for a statistic that is too large."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.analysis.classification import THRESHOLD, People, by_person, trial_scores
from pellucid.analysis.crossed import weakened
from pellucid.ground.arrays import Float64Array
from pellucid.ground.errors import InputError

PERMUTATIONS = 9999

_COUNTED = 10
"""Permutations as extreme as the statistic from which on their number is taken for its chance."""


FREQUENCY, CORRECTED, TAIL = "permutations", "permutations, corrected", "normal tail, corrected"
"""How a p came about: as the share of permutations that are as extreme; as that share, `weakened`; or as the tail of a
normal distribution with the permutations' mean and SD, which is no share of anything."""


class Chance(NamedTuple):
    """Statistics as observed, their p, and how it came about (FREQUENCY, CORRECTED or TAIL), one each or arrays."""

    observed: Any
    p: Any
    how: Any


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
    from scipy.stats import norm, permutation_test

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
        return Chance(found.statistic, found.pvalue, np.full(np.shape(found.pvalue), FREQUENCY))
    sides, drawn = (2 if alternative == "two-sided" else 1), found.null_distribution
    p, how = weakened(found.pvalue, factor, sides=sides), np.full(np.shape(found.pvalue), CORRECTED)
    if len(drawn) == permutations:  # fewer are all orders there are, and p is exact
        z = (np.asarray(found.statistic) - middle) / np.maximum(drawn.std(axis=0), np.finfo(float).tiny)
        z = {"greater": z, "less": -z, "two-sided": np.abs(z)}[alternative]
        rare = found.pvalue * permutations < sides * _COUNTED
        p, how = np.where(rare, sides * norm.sf(z / factor), p), np.where(rare, TAIL, how)
    return Chance(found.statistic, p, how)


class LabelTest(NamedTuple):
    """A p, and how it came about (`Chance`); missing, and None, where the metric is."""

    p: float
    how: str | None


def permutation_p(
    predictions: pd.DataFrame, metric: str, *, permutations: int = PERMUTATIONS, correction: float = 1.0, seed: int
) -> LabelTest:
    """Return the chance of a trial-mean metric at least this high if labels meant nothing.

    Labels are permuted over participants, each of whom counts once in a trial, with the mean logit of its scans:
    p = (1 + #{permuted >= observed}) / (1 + permutations). Where participants have no more orders than `permutations`,
    all orders are counted instead, and p = #{>=} / orders. An AUC that is missing, for in a trial no model judged
    both a patient and a control, has no p.

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
    people = by_person(predictions)
    if metric == "auc":
        if trial_scores(people)["auc"].isna().any():
            return LabelTest(float("nan"), None)
        statistic = _permuted_auc(people)
    elif metric == "balanced_accuracy":
        statistic = _permuted_balanced_accuracy(people)
    else:
        raise InputError("metric", f"{metric!r} has no permutation test", "Choose auc or balanced_accuracy")
    found = chance(
        (people.label.astype(np.float64),),
        statistic,
        kind="pairings",
        alternative="greater",
        middle=0.5,
        factor=correction,
        permutations=permutations,
        seed=seed,
    )
    return LabelTest(float(found.p), str(found.how))


def _permuted_balanced_accuracy(people: People) -> Any:
    """Return a function of labels (..., people) that averages balanced accuracy over the trials."""
    merits = (people.logit > THRESHOLD).mean(axis=1)  # linear in logit > 0, so trials are averaged once

    def statistic(labels: Float64Array, axis: int) -> Any:
        n1 = labels.sum(axis=axis)
        of_patients = (np.moveaxis(labels, axis, -1) * merits).sum(axis=-1)
        return (of_patients / n1 + 1.0 - (merits.sum() - of_patients) / (merits.size - n1)) / 2.0

    return statistic


def _permuted_auc(people: People) -> Any:
    """Return a function of labels (..., people) that averages the AUC over the trials.

    With midranks r within folds, of which fold f has n1 patients and n0 controls, a trial's AUC is
    (sum of r over patients - sum over f of n1 (n1 + 1) / 2) / sum over f of n1 n0; a half where there is no pair.
    """
    trials = []
    for trial, fold in zip(people.logit.T, people.fold.T, strict=True):
        rank = pd.Series(trial).groupby(fold).rank().to_numpy()
        trials.append((rank, (fold[:, None] == np.unique(fold)) * 1.0))  # (people,), (people, folds)

    def statistic(labels: Float64Array, axis: int) -> Any:
        drawn = np.moveaxis(labels, axis, -1)
        total = 0.0
        for rank, of_fold in trials:
            n1 = drawn @ of_fold
            pairs = (n1 * (of_fold.sum(axis=0) - n1)).sum(axis=-1)
            wins = drawn @ rank - (n1 * (n1 + 1.0) / 2.0).sum(axis=-1)
            total = total + np.divide(wins, pairs, out=np.full_like(pairs, 0.5), where=pairs > 0)
        return total / len(trials)

    return statistic
