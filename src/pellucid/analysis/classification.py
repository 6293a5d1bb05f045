"""How well logits tell patients from controls, over trials, and how sure that is given so few subjects."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import balanced_accuracy_score, recall_score, roc_auc_score

from pellucid.analysis.bootstrap import RESAMPLES, counts, interval, resample
from pellucid.analysis.proportions import Ends, auc_interval, mean_of_two, wilson
from pellucid.errors import InputError

METRICS = ("balanced_accuracy", "sensitivity", "specificity", "auc")
THRESHOLD = 0.0
"""A logit above it means patient: sigmoid(0) = 0.5, the paper's threshold."""

Floats = npt.NDArray[np.float64]


def scores(label: npt.ArrayLike, logit: npt.ArrayLike, fold: npt.ArrayLike | None = None) -> dict[str, float]:
    """Score one set of predictions, each metric in 0-1.

    sensitivity = P(logit > 0 | patient), specificity = P(logit <= 0 | control), balanced accuracy = their mean,
    AUC = P(logit of a patient > logit of a control) + P(equal) / 2.

    Of a cross-validation the AUC is over the pairs of a patient and a control whom one model judged: the mean of the
    folds' AUCs, each counting by its pairs. Logits of two models have no common zero, and ranking them together would
    score that too. Without any such pair the AUC is missing.

    Parameters
    ----------
    label
        1 for patients, 0 for controls, (n,).
    logit
        The network's output before the sigmoid, (n,).
    fold
        Whose model judged, (n,); one model judged all if None.

    Raises
    ------
    InputError
        If one class is missing, a label is neither 0 nor 1, or a logit is not finite.
    """
    truth, value = checked(label, logit)
    predicted = (value > THRESHOLD).astype(int)
    return {
        "balanced_accuracy": float(balanced_accuracy_score(truth, predicted)),
        "sensitivity": float(recall_score(truth, predicted, pos_label=1)),
        "specificity": float(recall_score(truth, predicted, pos_label=0)),
        "auc": _auc(truth, value, np.zeros(truth.size) if fold is None else np.asarray(fold)),
    }


def _auc(truth: npt.NDArray[np.int_], value: Floats, fold: npt.NDArray[Any]) -> float:
    """Return the mean of the folds' AUCs by their numbers of pairs; a missing one if no fold has both classes."""
    areas, pairs = [], []
    for one in np.unique(fold):
        label = truth[fold == one]
        pairs.append(int(label.sum()) * int((1 - label).sum()))
        areas.append(roc_auc_score(label, value[fold == one]) if pairs[-1] else 0.0)
    return float(np.average(areas, weights=pairs)) if any(pairs) else float("nan")


def over_trials(predictions: pd.DataFrame, *, resamples: int = RESAMPLES, seed: int) -> pd.DataFrame:
    """Score every trial and say how far the mean over trials would move with other subjects.

    The interval is the 2.5th to 97.5th percentile of the mean over trials, when subjects are drawn with replacement
    within their group, the same subjects for every trial. A subject brings all its scans. Where every draw scores the
    same, as of a class that is all right or all wrong, percentiles would claim certainty, and formulas take their
    place: Wilson's for sensitivity and specificity, both together for balanced accuracy, Newcombe's for the AUC
    (`proportions`). The SD over trials measures the optimiser's chance only, never the sample's.

    Parameters
    ----------
    predictions
        One row a scan and trial: trial, participant_id, label (0 or 1), logit, session_id where there are sessions,
        and fold where several models make a trial: AUCs are within folds then (`scores`), and drawn subjects of whom no
        patient and control share a fold do not count for its interval.
    resamples, seed
        Number and seed of the bootstrap draws.

    Returns
    -------
    One row a metric of METRICS: metric, mean, sd (n - 1; missing for one trial), low, high.

    Raises
    ------
    InputError
        If a class is missing, trials differ in their scans, roles are mixed, or a participant has two labels.
    """
    logits = by_scan(predictions)
    label = logits.index.get_level_values("label").to_numpy(dtype=int)
    value = logits.to_numpy(dtype=np.float64)
    fold = folds_by_scan(predictions, logits)
    per_trial = pd.DataFrame([scores(label, *trial) for trial in zip(value.T, fold.T, strict=True)])

    participant = logits.index.get_level_values("participant_id").to_numpy()
    subjects, scan_subject = np.unique(participant, return_inverse=True)
    stratum = np.zeros(subjects.size, dtype=int)
    stratum[scan_subject] = label
    weight = counts(resample(stratum, resamples=resamples, seed=seed))[:, scan_subject]
    draws = _weighted_means(label, value, fold, weight)
    means = {metric: float(per_trial[metric].mean(skipna=False)) for metric in METRICS}
    exact = {} if (np.ptp(value, axis=0) == 0).all() else _by_formula(means, *np.bincount(stratum, minlength=2)[::-1])
    rows = []
    for metric in METRICS:
        drawn = draws[metric][~np.isnan(draws[metric])]
        low, high = interval(drawn) if drawn.size else (float("nan"), float("nan"))
        if drawn.size and np.ptp(drawn) < 1e-12:
            low, high = exact.get(metric, (low, high))  # the same logit for everybody has no chance in it
        spread = float(per_trial[metric].std(ddof=1)) if len(per_trial) > 1 else float("nan")
        rows.append((metric, means[metric], spread, low, high))
    return pd.DataFrame(rows, columns=["metric", "mean", "sd", "low", "high"])


def _by_formula(means: dict[str, float], patients: int, controls: int) -> dict[str, Ends]:
    """Return each metric's interval from its mean over trials and the numbers of people alone."""
    found = {
        "sensitivity": wilson(means["sensitivity"], patients),
        "specificity": wilson(means["specificity"], controls),
    }
    shares = means["sensitivity"], means["specificity"]
    return found | {
        "balanced_accuracy": mean_of_two(shares, (found["sensitivity"], found["specificity"])),
        "auc": auc_interval(means["auc"], patients, controls),
    }


def _weighted_means(
    label: npt.NDArray[np.int_], value: Floats, fold: npt.NDArray[Any], weight: Floats
) -> dict[str, Floats]:
    """Score every resample at once: label (n,), value and fold (n, trials), weight (B, n) -> (B,) for each metric.

    Sensitivity and specificity are linear in a trial's indicator, so trials are averaged first. The AUC of a trial
    is w_b' (S K) v_b / w_b' S v_b, with the Mann-Whitney kernel K[p, c] = [patient p > control c] + [equal] / 2 and
    S[p, c] = 1 where both were judged in one fold.
    """
    patients, controls = label == 1, label == 0
    w, v = weight[:, patients], weight[:, controls]
    w, v = w / w.sum(axis=1, keepdims=True), v / v.sum(axis=1, keepdims=True)
    sensitivity = w @ (value[patients] > THRESHOLD).mean(axis=1)
    specificity = v @ (value[controls] <= THRESHOLD).mean(axis=1)
    aucs = []
    for trial, judge in zip(value.T, fold.T, strict=True):
        kernel = (np.sign(trial[patients][:, None] - trial[controls]) + 1.0) / 2.0
        same = (judge[patients][:, None] == judge[controls]).astype(float)
        wins, pairs = (((w @ what) * v).sum(axis=1) for what in (same * kernel, same))
        aucs.append(np.divide(wins, pairs, out=np.full_like(wins, np.nan), where=pairs > 0))
    return {
        "balanced_accuracy": (sensitivity + specificity) / 2.0,
        "sensitivity": sensitivity,
        "specificity": specificity,
        "auc": np.mean(aucs, axis=0),
    }


def paired_with_labels(label: npt.ArrayLike, value: npt.ArrayLike, what: str) -> tuple[npt.NDArray[np.int_], Floats]:
    """Return labels and values as arrays (n,); raise InputError if their shapes differ or a label is not 0 or 1."""
    truth, values = np.asarray(label), np.asarray(value, dtype=np.float64)
    if truth.shape != values.shape or truth.ndim != 1:
        shapes = f"labels {truth.shape} and {what} {values.shape} differ in shape"
        raise InputError("predictions", shapes, "Give (n,) each")
    if not np.isin(truth, (0, 1)).all():
        raise InputError("predictions", "a label is neither 0 nor 1", "Code controls as 0 and patients as 1")
    return truth.astype(int), values


def checked(label: npt.ArrayLike, logit: npt.ArrayLike) -> tuple[npt.NDArray[np.int_], Floats]:
    """Return labels and logits as arrays, (n,) each, or raise InputError where `scores` could not use them."""
    truth, value = paired_with_labels(label, logit, "logits")
    if not np.isfinite(value).all():
        raise InputError("predictions", "a logit is missing or not finite", "Predict the scans again")
    for code, name in ((1, "patients (label 1)"), (0, "controls (label 0)")):
        if not (truth == code).any():
            raise InputError("predictions", f"there are no {name}", "Score a sample with both classes")
    return truth, value


def by_scan(predictions: pd.DataFrame) -> pd.DataFrame:
    """Lay predictions out as (scan, trial) logits; the index holds participant_id, session_id and label.

    Raises
    ------
    InputError
        If a column is missing, trials differ in their scans, roles are mixed, or a participant has two labels.
    """
    wanted = ("trial", "participant_id", "label", "logit")
    absent = [column for column in wanted if column not in predictions]
    if absent:
        raise InputError("predictions", f"there is no column {', '.join(absent)}", f"Give {', '.join(wanted)}")
    roles = sorted(set(predictions["role"])) if "role" in predictions else []
    if len(roles) > 1:
        what = f"roles are mixed ({', '.join(map(str, roles))})"
        raise InputError("predictions", what, "Keep the rows of one role, such as holdout")
    labels = predictions.groupby("participant_id")["label"].nunique()
    if (labels > 1).any():
        both = ", ".join(labels.index[labels > 1])
        raise InputError("predictions", f"participants with two labels: {both}", "Give each participant one label")
    table = _with_sessions(predictions)
    if table.duplicated([*_SCAN, "trial"]).any():
        raise InputError("predictions", "a scan occurs twice in one trial", "Keep one row a scan and trial")
    logits = table.pivot(index=_SCAN, columns="trial", values="logit")  # noqa: PD010 (a pivot without aggregation)
    if logits.isna().to_numpy().any():
        raise InputError(
            "predictions", "trials do not hold the same scans, or a logit is missing", "Predict all scans in all trials"
        )
    return logits


def folds_by_scan(predictions: pd.DataFrame, logits: pd.DataFrame) -> npt.NDArray[np.int_]:
    """Lay out, as `by_scan` does logits, in whose fold each was judged: (scan, trial); 0 where nothing is said.

    Raises
    ------
    InputError
        If scans of one participant were judged in two folds of a trial.
    """
    if "fold" not in predictions:
        return np.zeros(logits.shape, dtype=int)
    folds = _with_sessions(predictions).pivot(index=_SCAN, columns="trial", values="fold")  # noqa: PD010
    people = folds.groupby("participant_id")
    if (people.min() != people.max()).to_numpy().any():
        raise InputError("predictions", "a participant was judged in two folds of a trial", "Divide by participant")
    return folds.to_numpy(dtype=int)


_SCAN = ["participant_id", "session_id", "label"]
"""What names a scan in predictions."""


def _with_sessions(predictions: pd.DataFrame) -> pd.DataFrame:
    session = predictions["session_id"].fillna("") if "session_id" in predictions else ""
    return predictions.assign(session_id=session)
