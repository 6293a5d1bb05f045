"""How well logits tell patients from controls, over trials, and how sure that is given so few subjects."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import balanced_accuracy_score, recall_score, roc_auc_score, roc_curve

from pellucid.analysis.bootstrap import RESAMPLES, counts, interval, resample
from pellucid.analysis.proportions import Ends, auc_interval, mean_of_two, wilson
from pellucid.errors import InputError

METRICS = ("balanced_accuracy", "sensitivity", "specificity", "auc")
THRESHOLD = 0.0
"""A logit above it means patient: sigmoid(0) = 0.5, the paper's threshold."""

Floats = npt.NDArray[np.float64]


def scores(label: npt.ArrayLike, logit: npt.ArrayLike) -> dict[str, float]:
    """Score one set of predictions, each metric in 0-1.

    sensitivity = P(logit > 0 | patient), specificity = P(logit <= 0 | control), balanced accuracy = their mean,
    AUC = P(logit of a patient > logit of a control) + P(equal) / 2.

    Parameters
    ----------
    label
        1 for patients, 0 for controls, (n,).
    logit
        The network's output before the sigmoid, (n,).

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
        "auc": float(roc_auc_score(truth, value)),
    }


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
        One row a scan and trial: trial, participant_id, label (0 or 1), logit, and session_id where there are sessions.
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
    per_trial = pd.DataFrame([scores(label, value[:, trial]) for trial in range(value.shape[1])])

    participant = logits.index.get_level_values("participant_id").to_numpy()
    subjects, scan_subject = np.unique(participant, return_inverse=True)
    stratum = np.zeros(subjects.size, dtype=int)
    stratum[scan_subject] = label
    weight = counts(resample(stratum, resamples=resamples, seed=seed))[:, scan_subject]
    draws = _weighted_means(label, value, weight)
    means = {metric: float(per_trial[metric].mean()) for metric in METRICS}
    exact = {} if (np.ptp(value, axis=0) == 0).all() else _by_formula(means, *np.bincount(stratum, minlength=2)[::-1])
    rows = []
    for metric in METRICS:
        low, high = interval(draws[metric])
        if np.ptp(draws[metric]) < 1e-12:
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


def roc(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return the ROC curve of each trial: trial, fpr, tpr, from (0, 0) to (1, 1).

    `predictions` is what `over_trials` takes.
    """
    logits = by_scan(predictions)
    label = logits.index.get_level_values("label").to_numpy(dtype=int)
    curves = []
    for trial in logits.columns:
        fpr, tpr, _ = roc_curve(*checked(label, logits[trial]))
        curves.append(pd.DataFrame({"trial": trial, "fpr": fpr, "tpr": tpr}))
    return pd.concat(curves, ignore_index=True)


def mean_roc(curves: pd.DataFrame, *, points: int = 101) -> pd.DataFrame:
    """Average ROC curves vertically: fpr on an even raster, mean tpr, sd of tpr over trials (0 for one trial).

    `curves` is what `roc` returns. A vertical step counts with its upper end.
    """
    raster = np.linspace(0.0, 1.0, points)
    tprs = np.array([_interpolated(raster, curve) for _, curve in curves.groupby("trial")])
    mean, spread = tprs.mean(axis=0), tprs.std(axis=0)
    return pd.DataFrame({"fpr": np.r_[0.0, raster], "tpr": np.r_[0.0, mean], "sd": np.r_[0.0, spread]})


def _interpolated(raster: Floats, curve: pd.DataFrame) -> Floats:
    """Read a curve at the raster: straight between its corners, the upper end where it rises vertically."""
    fpr, tpr = curve["fpr"].to_numpy(dtype=np.float64), curve["tpr"].to_numpy(dtype=np.float64)
    left = np.searchsorted(fpr, raster, side="right") - 1  # the last corner at or before, the upper of several
    right = np.minimum(left + 1, fpr.size - 1)
    width = fpr[right] - fpr[left]
    part = np.where(width > 0, (raster - fpr[left]) / np.where(width > 0, width, 1.0), 0.0)
    return np.asarray(tpr[left] + part * (tpr[right] - tpr[left]))


def _weighted_means(label: npt.NDArray[np.int_], value: Floats, weight: Floats) -> dict[str, Floats]:
    """Score every resample at once: label (n,), value (n, trials), weight (B, n) -> (B,) for each metric.

    Every metric is linear in a trial's indicator, so trials are averaged first. For the AUC the indicator is the
    Mann-Whitney kernel K[p, c] = [patient p > control c] + [equal] / 2, and AUC_b = w_b' K v_b / (sum w_b sum v_b).
    """
    patients, controls = label == 1, label == 0
    w, v = weight[:, patients], weight[:, controls]
    w, v = w / w.sum(axis=1, keepdims=True), v / v.sum(axis=1, keepdims=True)
    sensitivity = w @ (value[patients] > THRESHOLD).mean(axis=1)
    specificity = v @ (value[controls] <= THRESHOLD).mean(axis=1)
    kernel = np.zeros((int(patients.sum()), int(controls.sum())))
    for trial in value.T:
        above = trial[patients][:, None] - trial[controls][None, :]
        kernel += (np.sign(above) + 1.0) / 2.0
    auc = ((w @ (kernel / value.shape[1])) * v).sum(axis=1)
    return {
        "balanced_accuracy": (sensitivity + specificity) / 2.0,
        "sensitivity": sensitivity,
        "specificity": specificity,
        "auc": auc,
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
    session = predictions["session_id"].fillna("") if "session_id" in predictions else ""
    table = predictions[list(wanted)].assign(session_id=session)
    keys = ["participant_id", "session_id", "label"]
    if table.duplicated([*keys, "trial"]).any():
        raise InputError("predictions", "a scan occurs twice in one trial", "Keep one row a scan and trial")
    logits = table.pivot(index=keys, columns="trial", values="logit")  # noqa: PD010 (a pivot without aggregation)
    if logits.isna().to_numpy().any():
        raise InputError(
            "predictions", "trials do not hold the same scans, or a logit is missing", "Predict all scans in all trials"
        )
    return logits
