"""Is one arm better than another, or than chance: DeLong, McNemar and permutation tests over subjects."""

from __future__ import annotations

from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.analysis.classification import THRESHOLD, by_person, checked, fewest_pairs
from pellucid.analysis.crossed import weakened
from pellucid.analysis.permutation import PERMUTATIONS, chance
from pellucid.analysis.proportions import FEW, auc_interval, difference_of_two, paired_interval
from pellucid.ground.arrays import BoolArray, Float64Array, IntArray
from pellucid.ground.errors import InputError

_EQUAL = 1e-12
"""Shares that differ by less are equal but for the rounding of means over models."""


class DeLong(NamedTuple):
    """Two AUCs, or means of AUCs, of the same subjects: difference one - two, its SE, their correlation, and p."""

    auc_one: float
    auc_two: float
    difference: float
    se: float
    correlation: float
    p: float


class McNemar(NamedTuple):
    """Subjects that only the first, and only the second, classifies rightly, and the exact two-sided p."""

    only_one: int
    only_two: int
    p: float


def delong(
    label: npt.ArrayLike,
    one: npt.ArrayLike,
    two: npt.ArrayLike,
    *,
    folds: tuple[npt.ArrayLike | None, npt.ArrayLike | None] = (None, None),
) -> DeLong:
    """Compare two AUCs measured on the same subjects, or the means of several models' AUCs.

    With the kernel psi(x, y) = [x > y] + [x = y] / 2, each patient i has the component V_i = mean over controls of
    psi(x_i, y_j), and each control j the component W_j = mean over patients of psi(x_i, y_j), both averaged over models
    where there are several. With the differences between the two predictions dV and dW,

        difference = mean(dV),   SE^2 = var(dV) / patients + var(dW) / controls   (variances over n - 1),

    p = 2 (1 - Phi(|difference| / SE)). The correlation of the two AUCs is that of the components, their covariances
    added up as the variances are; 0 where either has no variance. Components come from midranks, in n log n.

    Of a cross-validation only the pairs of a patient and a control in one fold count, as in `classification.scores`:
    with P such pairs of m patients and n controls, V_i = m / P times the sum of psi over the controls in i's fold and
    W_j = n / P times that over the patients in j's fold, whose means are the AUC again.

    Without any variance the normal approximation says nothing of other people: p is missing where there is a difference
    nevertheless (0.5 against a perfect 1, say); where there is none (two perfect ones, say), it is 1. There is no
    interval here, for difference -+ 1.96 SE holds the truth of few people far too seldom; `paired` has one.

    Parameters
    ----------
    label
        1 for patients, 0 for controls, (n,).
    one, two
        Logits of the same n subjects, (n,) each, or (n, models). Only their order in each model counts.
    folds
        In which fold each logit of `one` and of `two` was judged, of their shapes; all in one if None.

    Raises
    ------
    InputError
        If a class has fewer than two subjects, shapes differ, a logit is not finite, or no fold has both classes.

    Source: DeLong 1988; midranks: Sun & Xu 2014.
    """
    from scipy.stats import norm

    truth, first = _checked_models(label, one)
    _, second = _checked_models(label, two)
    n_patients, n_controls = int((truth == 1).sum()), int((truth == 0).sum())
    if min(n_patients, n_controls) < 2:
        what = f"{n_patients} patients and {n_controls} controls have no variance"
        raise InputError("predictions", what, "Compare with at least two of each")
    of_patients_one, of_controls_one = _components(truth, first, folds[0])
    of_patients_two, of_controls_two = _components(truth, second, folds[1])
    d_patients, d_controls = of_patients_one - of_patients_two, of_controls_one - of_controls_two
    auc_one, auc_two = float(of_patients_one.mean()), float(of_patients_two.mean())
    difference = float(d_patients.mean())
    covariance = np.cov(of_patients_one, of_patients_two) / n_patients + np.cov(of_controls_one, of_controls_two) / (
        n_controls
    )
    scale = float(np.sqrt(covariance[0, 0] * covariance[1, 1]))
    r = float(np.clip(covariance[0, 1] / scale, -1.0, 1.0)) if scale > _EQUAL else 0.0
    if max(np.ptp(d_patients), np.ptp(d_controls)) < _EQUAL:
        return DeLong(auc_one, auc_two, difference, 0.0, r, 1.0 if abs(difference) < _EQUAL else float("nan"))
    se = float(np.sqrt(np.var(d_patients, ddof=1) / n_patients + np.var(d_controls, ddof=1) / n_controls))
    return DeLong(auc_one, auc_two, difference, se, r, float(2.0 * norm.sf(abs(difference) / se)))


def mcnemar(label: npt.ArrayLike, one: npt.ArrayLike, two: npt.ArrayLike) -> McNemar:
    """Compare two predictions by the subjects that only one of them classifies rightly at logit > 0.

    Of b + c such subjects, b of them right in `one` only, b is binomial with share 1/2 if neither is better;
    p is that of the exact two-sided test, 1 if there are none.

    Parameters
    ----------
    label
        1 for patients, 0 for controls, (n,).
    one, two
        Logits of the same n subjects, (n,) each.

    Raises
    ------
    InputError
        If a class is missing, shapes differ, or a logit is not finite.
    """
    from scipy.stats import binomtest

    truth, first = checked(label, one)
    _, second = checked(label, two)
    right_one, right_two = _right(truth, first), _right(truth, second)
    b, c = int((right_one & ~right_two).sum()), int((right_two & ~right_one).sum())
    return McNemar(b, c, float(binomtest(b, b + c).pvalue) if b + c else 1.0)


def paired(
    predictions_one: pd.DataFrame,
    predictions_two: pd.DataFrame,
    *,
    permutations: int = PERMUTATIONS,
    correction: float = 1.0,
    seed: int,
) -> pd.DataFrame:
    """Compare two arms on the participants that both have.

    An arm's score is the mean over its trials, in each of which a participant counts once, with its mean logit over
    scans. AUCs are compared by `delong`. Accuracies are compared by a two-sided permutation test that flips,
    participant by participant, to which arm its share of right trials belongs; where each arm has one trial,
    the accuracy is compared by `mcnemar`. The intervals of the two accuracies' differences are `paired_interval`; that
    of the AUCs' is `difference_of_two` of each one's `auc_interval`, with n / (n + 2) times the correlation that n
    people show, and none if that is negative: it has a width also where nobody is ranked wrongly, and where two arms
    rank everybody alike. It is no test, and near 0 it may say other than p does.

    Parameters
    ----------
    predictions_one, predictions_two
        Rows of each arm as `over_trials` takes them; trials and sessions may differ between the arms.
    permutations, seed
        Number and seed of the flips.
    correction
        By how much intervals are widened (`auc_interval`, `paired_interval`) and p weakened (`crossed.correction`).

    Returns
    -------
    One row a metric (auc, accuracy, balanced_accuracy): metric, test, p_from (how p came about), one, two, difference
    (one - two), low, high, p, few (a class has fewer than `proportions.FEW`), better_one, better_two (participants whom
    that arm classifies rightly in a larger share of its trials than the other), n_both, n_only_one, n_only_two
    (participants; those that only one arm has are left out).

    Raises
    ------
    InputError
        If the arms share fewer than two participants of a class, or give a participant different labels.
    """
    (one, folds_one), (two, folds_two) = _by_participant(predictions_one), _by_participant(predictions_two)
    both = one.index.intersection(two.index, sort=True)
    truth, other = (arm.loc[both, "label"].to_numpy(dtype=int) for arm in (one, two))
    apart = both[truth != other]
    if len(apart):
        names = ", ".join(map(str, apart[:10]))
        raise InputError("predictions", f"the arms give different labels to {names}", "Compare arms of one cohort")
    if both.empty:
        raise InputError("predictions", "the arms have no participant in common", "Compare arms with one holdout")
    first, second = (arm.loc[both].drop(columns="label").to_numpy(dtype=np.float64) for arm in (one, two))
    folds = folds_one.loc[both].to_numpy(), folds_two.loc[both].to_numpy()
    area = delong(truth, first, second, folds=folds)
    right = [_right(truth[:, None], logit).mean(axis=1) for logit in (first, second)]
    apart_by = np.where(np.abs(right[0] - right[1]) < _EQUAL, 0.0, right[0] - right[1])
    patients, controls = int(truth.sum()), int((1 - truth).sum())
    # whole-number multiples of the differences, so that ties stay ties
    weights = {"accuracy": np.ones(truth.size), "balanced_accuracy": np.where(truth == 1, controls, patients)}
    wholes = {"accuracy": truth.size, "balanced_accuracy": 2 * patients * controls}
    asymptotic = "normal distribution" if correction == 1.0 else "normal distribution, corrected"
    aucs = area.auc_one, area.auc_two
    one_ends, two_ends = (
        auc_interval(auc, fewest_pairs(truth, fold), widening=correction) for auc, fold in zip(aucs, folds, strict=True)
    )
    alike = max(area.correlation, 0.0) * truth.size / (truth.size + 2.0)
    ends = difference_of_two(aucs, (one_ends, two_ends), correlation=alike)
    p = float(weakened(area.p, correction, sides=2))
    rows: list[tuple[object, ...]] = [
        ("auc", "DeLong", asymptotic, area.auc_one, area.auc_two, area.difference, *ends, p)
    ]
    for metric, weight in weights.items():
        w = weight / wholes[metric]
        if metric == "accuracy" and first.shape[1] == second.shape[1] == 1:
            exact = mcnemar(truth, first[:, 0], second[:, 0]).p
            test, how = "McNemar", "exact" if correction == 1.0 else "exact, corrected"
            p = float(weakened(exact, correction, sides=2))
        else:
            test = "permutation"
            p, how = _flip_p(weight, right[0], right[1], permutations, correction, seed)
        strata = [apart_by] if metric == "accuracy" else [apart_by[truth == 1], apart_by[truth == 0]]
        ends = paired_interval(strata, widening=correction)
        rows.append((metric, test, how, *(float(w @ arm) for arm in right), float(w @ apart_by), *ends, p))
    columns = ["metric", "test", "p_from", "one", "two", "difference", "low", "high", "p"]
    table = pd.DataFrame(rows, columns=columns).assign(few=min(patients, controls) < FEW)
    return table.assign(
        better_one=int((apart_by > 0).sum()),
        better_two=int((apart_by < 0).sum()),
        n_both=len(both),
        n_only_one=len(one) - len(both),
        n_only_two=len(two) - len(both),
    )


def paired_trials(trials: pd.DataFrame, metric: str = "auc") -> pd.DataFrame:
    """Compare every two arms trial by trial, trials of one number with each other.

    With d the differences of a metric in n trials, the interval is mean(d) -+ t(n - 1) sd(d) / sqrt(n), within -1 and
    1, p that of the paired t-test, two-sided. It speaks of other seeds (first weights, order, dropout; training
    subjects, where an arm draws its own), on these held-out subjects. Trials without any spread have no interval and no
    p.

    Parameters
    ----------
    trials
        One row a trial: arm, trial and the metric.
    metric
        A column of it.

    Returns
    -------
    One row a pair of arms that share at least two trials, in the table's order: arm_one, arm_two, n_trials, difference
    (one - two), sd (n - 1), low, high, p.
    """
    from scipy.stats import ttest_1samp

    wide = trials.pivot(index="trial", columns="arm", values=metric)  # noqa: PD010 (a pivot without aggregation)
    rows = []
    for one, two in combinations(pd.unique(trials["arm"]), 2):
        d = (wide[one] - wide[two]).dropna().to_numpy()
        if d.size < 2:
            continue
        low = high = p = float("nan")
        if np.ptp(d) > 0:
            found = ttest_1samp(d, 0.0)
            (low, high), p = np.clip(found.confidence_interval(0.95), -1.0, 1.0), found.pvalue
        rows.append((one, two, d.size, d.mean(), d.std(ddof=1), low, high, p))
    return pd.DataFrame(rows, columns=["arm_one", "arm_two", "n_trials", "difference", "sd", "low", "high", "p"])


def _checked_models(label: npt.ArrayLike, logits: npt.ArrayLike) -> tuple[IntArray, Float64Array]:
    """Return labels (n,) and logits (n, models), or raise InputError."""
    several = np.asarray(logits, dtype=np.float64)
    several = several[:, None] if several.ndim == 1 else several
    models = [checked(label, one) for one in several.T]
    return models[0][0], np.column_stack([value for _, value in models])


def _components(truth: IntArray, value: Float64Array, fold: npt.ArrayLike | None) -> tuple[Float64Array, Float64Array]:
    """Return the components V (patients,) and W (controls,) of `delong`, means over the models of logits (n, models).

    A patient's controls below, and a control's patients above, are counted by midranks; an equal one counts half.
    """
    from scipy.stats import rankdata

    judge = np.zeros(value.shape) if fold is None else np.asarray(fold).reshape(value.shape)
    patients, controls = truth == 1, truth == 0
    v, w = np.zeros(value.shape), np.zeros(value.shape)
    for model, judged in enumerate(judge.T):
        pairs = 0
        for one in np.unique(judged):
            p, c = patients & (judged == one), controls & (judged == one)
            rank = rankdata(np.r_[value[p, model], value[c, model]])
            n_p, n_c = int(p.sum()), int(c.sum())
            v[p, model] = rank[:n_p] - rankdata(value[p, model])
            w[c, model] = n_p - (rank[n_p:] - rankdata(value[c, model]))
            pairs += n_p * n_c
        if not pairs:
            what = "no model evaluated both a patient and a control"
            raise InputError("predictions", what, "Use folds that contain both")
        v[:, model] *= patients.sum() / pairs
        w[:, model] *= controls.sum() / pairs
    return v[patients].mean(axis=1), w[controls].mean(axis=1)


def _right(truth: IntArray, value: Float64Array) -> BoolArray:
    return np.asarray((value > THRESHOLD) == (truth == 1))


def _by_participant(predictions: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return label and, a column a trial, logit, one row a participant; and so the folds."""
    people = by_person(predictions)
    logits = pd.DataFrame(people.logit, index=people.participant, columns=people.trials)
    folds = pd.DataFrame(people.fold, index=people.participant, columns=people.trials)
    return logits.assign(label=people.label), folds


def _flip_p(
    weight: Float64Array, one: Float64Array, two: Float64Array, permutations: int, factor: float, seed: int
) -> tuple[float, str]:
    """Return the two-sided p, and how it came about, of the difference of weighted shares under flips of people."""

    def statistic(a: Float64Array, b: Float64Array, axis: int) -> Any:
        return np.moveaxis(a - b, axis, -1) @ weight

    found = chance(
        (one, two),
        statistic,
        kind="samples",
        alternative="two-sided",
        factor=factor,
        permutations=permutations,
        seed=seed,
    )
    return float(found.p), str(found.how)
