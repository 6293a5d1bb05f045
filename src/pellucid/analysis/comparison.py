"""Is one arm better than another, or than chance: DeLong, McNemar and permutation tests over subjects."""

from __future__ import annotations

from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import binomtest, norm, rankdata, ttest_1samp

from pellucid.analysis.bootstrap import RESAMPLES, counts, interval, resample
from pellucid.analysis.classification import THRESHOLD, Floats, by_scan, checked
from pellucid.analysis.crossed import weakened, widened
from pellucid.analysis.permutation import PERMUTATIONS, chance
from pellucid.errors import InputError

_EQUAL = 1e-12
"""Shares that differ by less are equal but for the rounding of means over models."""


class DeLong(NamedTuple):
    """Two AUCs, or means of AUCs, on the same subjects: their difference one - two, its SE, 95 % interval and p."""

    auc_one: float
    auc_two: float
    difference: float
    se: float
    low: float
    high: float
    p: float


class McNemar(NamedTuple):
    """Subjects that only the first, and only the second, classifies rightly, and the exact two-sided p."""

    only_one: int
    only_two: int
    p: float


def delong(label: npt.ArrayLike, one: npt.ArrayLike, two: npt.ArrayLike) -> DeLong:
    """Compare two AUCs measured on the same subjects, or the means of several models' AUCs.

    With the kernel psi(x, y) = [x > y] + [x = y] / 2, each patient i has the component V_i = mean over controls of
    psi(x_i, y_j), and each control j the component W_j = mean over patients of psi(x_i, y_j), both averaged over models
    where there are several. With the differences between the two predictions dV and dW,

        difference = mean(dV),   SE^2 = var(dV) / patients + var(dW) / controls   (variances over n - 1),

    interval = difference -+ 1.96 SE, p = 2 (1 - Phi(|difference| / SE)). Components come from midranks, in n log n.

    Without any variance and difference (identical logits, say) p is 1 and the interval has no width; where a
    difference has no variance (0.5 against a perfect 1, say) the normal approximation says nothing: low, high and p
    are missing.

    Parameters
    ----------
    label
        1 for patients, 0 for controls, (n,).
    one, two
        Logits of the same n subjects, (n,) each, or (n, models). Only their order in each model counts.

    Raises
    ------
    InputError
        If a class has fewer than two subjects, shapes differ, or a logit is not finite.

    Source: DeLong 1988; midranks: Sun & Xu 2014.
    """
    truth, first = _checked_models(label, one)
    _, second = _checked_models(label, two)
    n_patients, n_controls = int((truth == 1).sum()), int((truth == 0).sum())
    if min(n_patients, n_controls) < 2:
        what = f"{n_patients} patients and {n_controls} controls have no variance"
        raise InputError("predictions", what, "Compare on at least two of each")
    below_one, above_one = _placements(truth, first)
    below_two, above_two = _placements(truth, second)
    d_below, d_above = below_one - below_two, above_one - above_two
    auc_one, auc_two = (float(below.mean()) / n_controls for below in (below_one, below_two))
    difference = float(d_below.mean()) / n_controls
    # without several models these are whole or half numbers, so that equal ones are exactly equal
    if max(np.ptp(d_below) / n_controls, np.ptp(d_above) / n_patients) < _EQUAL:
        end, p = (0.0, 1.0) if abs(difference) < _EQUAL else (float("nan"), float("nan"))
        return DeLong(auc_one, auc_two, difference, 0.0, end, end, p)
    variance = np.var(d_below / n_controls, ddof=1) / n_patients + np.var(d_above / n_patients, ddof=1) / n_controls
    se = float(np.sqrt(variance))
    half = float(norm.ppf(0.975)) * se
    p = float(2.0 * norm.sf(abs(difference) / se))
    return DeLong(auc_one, auc_two, difference, se, difference - half, difference + half, p)


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
    truth, first = checked(label, one)
    _, second = checked(label, two)
    right_one, right_two = _right(truth, first), _right(truth, second)
    b, c = int((right_one & ~right_two).sum()), int((right_two & ~right_one).sum())
    return McNemar(b, c, float(binomtest(b, b + c).pvalue) if b + c else 1.0)


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
        One row a scan and trial: trial, participant_id, label (0 or 1), logit, and session_id where there are sessions.
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
    # both metrics are linear in a scan's merit, so trials are averaged once: midranks, or the share of logits > 0
    if metric == "auc":
        merit = rankdata(value, axis=0).mean(axis=1)
    elif metric == "balanced_accuracy":
        merit = (value > THRESHOLD).mean(axis=1)
    else:
        raise InputError("metric", f"{metric!r} has no permutation test", "Choose auc or balanced_accuracy")
    people = logits.reset_index().groupby("participant_id")
    label = people["label"].first().to_numpy(dtype=np.float64)
    merits = pd.Series(merit, index=logits.index).groupby("participant_id").sum().to_numpy(dtype=np.float64)
    scans = people.size().to_numpy(dtype=np.float64)

    def statistic(labels: Floats, axis: int) -> Any:
        n1 = (labels * scans).sum(axis=axis)
        n0 = scans.sum() - n1
        of_patients = (labels * merits).sum(axis=axis)
        if metric == "auc":
            return (of_patients - n1 * (n1 + 1.0) / 2.0) / (n1 * n0)
        return (of_patients / n1 + 1.0 - (merits.sum() - of_patients) / n0) / 2.0

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


def paired(
    predictions_one: pd.DataFrame,
    predictions_two: pd.DataFrame,
    *,
    permutations: int = PERMUTATIONS,
    resamples: int = RESAMPLES,
    correction: float = 1.0,
    seed: int,
) -> pd.DataFrame:
    """Compare two arms on the participants that both have.

    An arm's score is the mean over its trials, in each of which a participant counts once, with its mean logit over
    scans. AUCs are compared by `delong`. Accuracies are compared by a two-sided permutation test that flips,
    participant by participant, to which arm its share of right trials belongs; where each arm has one trial,
    the accuracy is compared by `mcnemar`. The intervals of the two accuracies' differences are percentiles over
    participants drawn with replacement within their group.

    Parameters
    ----------
    predictions_one, predictions_two
        Rows of each arm as `over_trials` takes them; trials and sessions may differ between the arms.
    permutations, resamples, seed
        Number of flips and of bootstrap draws, and their seed.
    correction
        By how much intervals are widened and p weakened (`crossed.correction`).

    Returns
    -------
    One row a metric (auc, accuracy, balanced_accuracy): metric, test, one, two, difference (one - two), low, high, p,
    better_one, better_two (participants whom that arm classifies rightly in a larger share of its trials than the
    other), n_both, n_only_one, n_only_two (participants; those that only one arm has are left out).

    Raises
    ------
    InputError
        If the arms share fewer than two participants of a class, or give a participant different labels.
    """
    one, two = _by_participant(predictions_one), _by_participant(predictions_two)
    both = one.index.intersection(two.index, sort=True)
    truth, other = (arm.loc[both, "label"].to_numpy(dtype=int) for arm in (one, two))
    apart = both[truth != other]
    if len(apart):
        names = ", ".join(map(str, apart[:10]))
        raise InputError("predictions", f"the arms give different labels to {names}", "Compare arms of one cohort")
    if both.empty:
        raise InputError("predictions", "the arms have no participant in common", "Compare arms with one holdout")
    first, second = (arm.loc[both].drop(columns="label").to_numpy(dtype=np.float64) for arm in (one, two))
    area = delong(truth, first, second)
    right = [_right(truth[:, None], logit).mean(axis=1) for logit in (first, second)]
    apart_by = np.where(np.abs(right[0] - right[1]) < _EQUAL, 0.0, right[0] - right[1])
    patients, controls = int(truth.sum()), int((1 - truth).sum())
    # whole-number multiples of the differences, so that ties stay ties
    weights = {"accuracy": np.ones(truth.size), "balanced_accuracy": np.where(truth == 1, controls, patients)}
    wholes = {"accuracy": truth.size, "balanced_accuracy": 2 * patients * controls}
    drawn = counts(resample(truth, resamples=resamples, seed=seed))
    rows: list[tuple[object, ...]] = [
        (
            *("auc", "DeLong", area.auc_one, area.auc_two, area.difference, area.low, area.high),
            float(weakened(area.p, correction, sides=2)),
        )
    ]
    for metric, weight in weights.items():
        w = weight / wholes[metric]
        if metric == "accuracy" and first.shape[1] == second.shape[1] == 1:
            exact = mcnemar(truth, first[:, 0], second[:, 0]).p
            test, p = "McNemar", float(weakened(exact, correction, sides=2))
        else:
            test, p = "permutation", _flip_p(weight, right[0], right[1], permutations, correction, seed)
        shares = [float(w @ arm) for arm in right]
        rows.append((metric, test, *shares, float(w @ apart_by), *interval(drawn @ (w * apart_by)), p))
    table = pd.DataFrame(rows, columns=["metric", "test", "one", "two", "difference", "low", "high", "p"])
    table = widened(table, correction, value="difference", low="low", high="high", within=(-1.0, 1.0))
    return table.assign(
        better_one=int((apart_by > 0).sum()),
        better_two=int((apart_by < 0).sum()),
        n_both=len(both),
        n_only_one=len(one) - len(both),
        n_only_two=len(two) - len(both),
    )


def paired_trials(trials: pd.DataFrame, metric: str = "auc") -> pd.DataFrame:
    """Compare every two arms trial by trial, trials of one number with each other.

    With d the differences of a metric in n trials, the interval is mean(d) -+ t(n - 1) sd(d) / sqrt(n), p that of the
    paired t-test, two-sided. It speaks of other seeds (first weights, order, dropout; training subjects, where an arm
    draws its own), on these held-out subjects. Trials without any spread have no interval and no p.

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
    wide = trials.pivot(index="trial", columns="arm", values=metric)  # noqa: PD010 (a pivot without aggregation)
    rows = []
    for one, two in combinations(pd.unique(trials["arm"]), 2):
        d = (wide[one] - wide[two]).dropna().to_numpy()
        if d.size < 2:
            continue
        low = high = p = float("nan")
        if np.ptp(d) > 0:
            found = ttest_1samp(d, 0.0)
            (low, high), p = found.confidence_interval(0.95), found.pvalue
        rows.append((one, two, d.size, d.mean(), d.std(ddof=1), low, high, p))
    return pd.DataFrame(rows, columns=["arm_one", "arm_two", "n_trials", "difference", "sd", "low", "high", "p"])


def _checked_models(label: npt.ArrayLike, logits: npt.ArrayLike) -> tuple[npt.NDArray[np.int_], Floats]:
    """Return labels (n,) and logits (n, models), or raise InputError."""
    several = np.asarray(logits, dtype=np.float64)
    several = several[:, None] if several.ndim == 1 else several
    models = [checked(label, one) for one in several.T]
    return models[0][0], np.column_stack([value for _, value in models])


def _placements(truth: npt.NDArray[np.int_], value: Floats) -> tuple[Floats, Floats]:
    """Count the controls below each patient, and the patients above each control; an equal one counts half.

    Logits (n, models) give the means over models, (patients,) and (controls,).
    """
    rank = rankdata(value, axis=0)
    patients, controls = truth == 1, truth == 0
    below = rank[patients] - rankdata(value[patients], axis=0)
    above = patients.sum() - (rank[controls] - rankdata(value[controls], axis=0))
    return below.mean(axis=1), above.mean(axis=1)


def _right(truth: npt.NDArray[np.int_], value: Floats) -> npt.NDArray[np.bool_]:
    return np.asarray((value > THRESHOLD) == (truth == 1))


def _by_participant(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return label and, a column a trial, mean logit over scans, one row a participant."""
    scans = by_scan(predictions)
    return scans.groupby(["participant_id", "label"]).mean().reset_index("label")


def _flip_p(weight: Floats, one: Floats, two: Floats, permutations: int, factor: float, seed: int) -> float:
    """Return the two-sided p of the difference of weighted shares under flips within participants."""

    def statistic(a: Floats, b: Floats, axis: int) -> Any:
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
    return float(found.p)
