"""How well logits tell patients from controls, over trials, and how sure that is given so few subjects."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.analysis.proportions import FEW, Ends, auc_interval, mean_of_two, share_interval
from pellucid.ground.arrays import AnyArray, Float64Array, IntArray, ObjectArray
from pellucid.ground.errors import InputError

METRICS = ("balanced_accuracy", "sensitivity", "specificity", "auc")
THRESHOLD = 0.0
"""A logit above it means patient: sigmoid(0) = 0.5, the paper's threshold."""


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
    sensitivity, specificity = (
        float((value[truth == 1] > THRESHOLD).mean()),
        float((value[truth == 0] <= THRESHOLD).mean()),
    )
    return {
        "balanced_accuracy": (sensitivity + specificity) / 2.0,
        "sensitivity": sensitivity,
        "specificity": specificity,
        "auc": _auc(truth, value, np.zeros(truth.size) if fold is None else np.asarray(fold)),
    }


def _auc(truth: IntArray, value: Float64Array, fold: AnyArray) -> float:
    """Return the mean of the folds' AUCs by their numbers of pairs; a missing one if no fold has both classes."""
    from scipy.stats import rankdata

    won = pairs = 0.0
    for one in np.unique(fold):
        label = truth[fold == one]
        patients = int(label.sum())
        won += float(rankdata(value[fold == one])[label == 1].sum()) - patients * (patients + 1) / 2
        pairs += patients * (label.size - patients)
    return won / pairs if pairs else float("nan")


def over_trials(predictions: pd.DataFrame, *, correction: float = 1.0) -> pd.DataFrame:
    """Score every trial and say how far the mean over trials would move with other people.

    A person counts once in a trial, with the mean logit of its scans. Intervals count people, never scans or trials:
    `share_interval` of sensitivity and specificity, of both `mean_of_two` for balanced accuracy, and `auc_interval`. An
    error more never narrows them while the score stays above a half. No credit is taken for several trials, which vary
    less together than one alone, so that intervals of their means hold the truth more often than 95 %; nor is anything
    estimated from how trials differ, which a few people do not tell (measured by experiments/interval_coverage.py).
    The SD over trials measures the optimiser's chance only, never the sample's.

    Parameters
    ----------
    predictions
        One row a scan and trial: trial, participant_id, label (0 or 1), logit, session_id where there are sessions,
        and fold where several models make a trial: AUCs are within folds then (`scores`).
    correction
        By how much intervals are wider than those of independent people (`crossed.correction`).

    Returns
    -------
    One row a metric of METRICS: metric, mean, sd (n - 1; missing for one trial), low, high, n_patients, n_controls
    (people), few (a class has fewer than `proportions.FEW`), reason (why a score or its interval is missing, or empty).

    Raises
    ------
    InputError
        If a class is missing, trials differ in their scans, roles are mixed, or a participant has two labels or none.
    """
    people = by_person(predictions)
    per_trial = trial_scores(people)
    patients, controls = int((people.label == 1).sum()), int((people.label == 0).sum())
    means = {metric: float(per_trial[metric].mean(skipna=False)) for metric in METRICS}
    ends: dict[str, Ends] = {
        "sensitivity": share_interval(means["sensitivity"], patients, widening=correction),
        "specificity": share_interval(means["specificity"], controls, widening=correction),
    }
    shares = means["sensitivity"], means["specificity"]
    ends["balanced_accuracy"] = mean_of_two(
        shares, (ends["sensitivity"], ends["specificity"]), people=(patients, controls)
    )
    reasons = dict.fromkeys(METRICS, "")
    if np.isnan(means["auc"]):
        reasons["auc"] = "in a trial no model judged both a patient and a control"
    elif people.constant:
        reasons |= dict.fromkeys(("auc", "balanced_accuracy"), "all scores are equal, which tells nobody apart")
    else:
        ends["auc"] = auc_interval(means["auc"], fewest_pairs(people.label, people.fold), widening=correction)
    rows = []
    for metric in METRICS:
        low, high = (float("nan"),) * 2 if reasons[metric] else ends[metric]
        spread = float(per_trial[metric].std(ddof=1)) if len(per_trial) > 1 else float("nan")
        rows.append((metric, means[metric], spread, low, high))
    table = pd.DataFrame(rows, columns=["metric", "mean", "sd", "low", "high"])
    return table.assign(
        n_patients=patients,
        n_controls=controls,
        few=min(patients, controls) < FEW,
        reason=table["metric"].map(reasons),
    )


class People(NamedTuple):
    """Predictions by person: participant (n,), label (n,), logit (n, trials) and fold (n, trials), trials (names)."""

    participant: ObjectArray
    label: IntArray
    logit: Float64Array
    fold: IntArray
    trials: list[Any]

    @property
    def constant(self) -> bool:
        """Whether no model tells any two people apart."""
        return all(
            np.ptp(logit[fold == one]) == 0
            for logit, fold in zip(self.logit.T, self.fold.T, strict=True)
            for one in np.unique(fold)
        )


def trial_scores(people: People) -> pd.DataFrame:
    """Return `scores` of each trial, a row each: trial, and a column a metric."""
    each = zip(people.logit.T, people.fold.T, strict=True)
    table = pd.DataFrame([scores(people.label, logit, fold) for logit, fold in each])
    table.insert(0, "trial", people.trials)
    return table


def fewest_pairs(label: IntArray, folds: AnyArray) -> list[tuple[int, int]]:
    """Return patients and controls of each fold that has both, in the trial of folds (n, trials) with fewest pairs."""
    return min((_sizes(label, fold) for fold in folds.T), key=lambda sizes: sum(m * n for m, n in sizes))


def _sizes(label: IntArray, fold: AnyArray) -> list[tuple[int, int]]:
    sizes = [(int((label[fold == one] == 1).sum()), int((label[fold == one] == 0).sum())) for one in np.unique(fold)]
    return [size for size in sizes if min(size)]


def paired_with_labels(label: npt.ArrayLike, value: npt.ArrayLike, what: str) -> tuple[IntArray, Float64Array]:
    """Return labels and values as arrays (n,); raise InputError if their shapes differ or a label is not 0 or 1."""
    truth, values = np.asarray(label), np.asarray(value, dtype=np.float64)
    if truth.shape != values.shape or truth.ndim != 1:
        shapes = f"labels {truth.shape} and {what} {values.shape} differ in shape"
        raise InputError("predictions", shapes, "Give (n,) each")
    if not np.isin(truth, (0, 1)).all():
        raise InputError("predictions", "a label is neither 0 nor 1", "Code controls as 0 and patients as 1")
    return truth.astype(int), values


def checked(label: npt.ArrayLike, logit: npt.ArrayLike, *, classes: int = 2) -> tuple[IntArray, Float64Array]:
    """Return labels and logits as arrays, (n,) each, or raise InputError where `scores` could not use them."""
    truth, value = paired_with_labels(label, logit, "logits")
    if not np.isfinite(value).all():
        raise InputError("predictions", "a logit is missing or not finite", "Predict the scans again")
    for code, name in ((1, "patients (label 1)"), (0, "controls (label 0)")):
        if classes == 2 and not (truth == code).any():
            raise InputError("predictions", f"there are no {name}", "Score a sample with both classes")
    return truth, value


def by_person(predictions: pd.DataFrame, *, classes: int = 2) -> People:
    """Lay predictions out by person and trial, in the order of their names; a person's logit is the mean of its scans.

    The fold is 0 where nothing is said of folds. Both classes must be there, but for `classes` = 1.

    Raises
    ------
    InputError
        If a class, a column, a participant or a label is missing, trials differ in their scans, roles are mixed,
        a participant has two labels, or scans of one participant were judged in two folds of a trial.
    """
    wanted = ("trial", "participant_id", "label", "logit")
    absent = [column for column in wanted if column not in predictions]
    if absent:
        raise InputError("predictions", f"there is no column {', '.join(absent)}", f"Give {', '.join(wanted)}")
    roles = sorted(set(predictions["role"])) if "role" in predictions else []
    if len(roles) > 1:
        what = f"roles are mixed ({', '.join(map(str, roles))})"
        raise InputError("predictions", what, "Keep the rows of one role, such as holdout")
    for column in ("participant_id", "label"):
        if predictions[column].isna().any():
            raise InputError("predictions", f"a row has no {column}, so it would be lost", "Give every row one")
    labels = predictions.groupby("participant_id")["label"].nunique()
    if (labels > 1).any():
        both = ", ".join(labels.index[labels > 1])
        raise InputError("predictions", f"participants with two labels: {both}", "Give each participant one label")
    table = _with_sessions(predictions)
    if table.duplicated([*_SCAN, "trial"]).any():
        raise InputError("predictions", "a scan occurs twice in one trial", "Keep one row per scan and trial")
    logits = table.pivot(index=_SCAN, columns="trial", values="logit")  # noqa: PD010 (a pivot without aggregation)
    if logits.isna().to_numpy().any():
        raise InputError(
            "predictions", "trials do not hold the same scans, or a logit is missing", "Predict all scans in all trials"
        )
    people = logits.groupby(["participant_id", "label"]).mean()
    fold = np.zeros(people.shape, dtype=int)
    if "fold" in predictions:
        folds = table.pivot(index=_SCAN, columns="trial", values="fold").groupby("participant_id")  # noqa: PD010
        if (folds.min() != folds.max()).to_numpy().any():
            what = "a participant was evaluated in two folds of a trial"
            raise InputError("predictions", what, "Split by participant")
        fold = folds.min().to_numpy(dtype=int)
    label = people.index.get_level_values("label").to_numpy()
    for trial in people:
        checked(label, people[trial], classes=classes)
    participant = people.index.get_level_values("participant_id").to_numpy(dtype=object)
    return People(participant, label.astype(int), people.to_numpy(dtype=np.float64), fold, list(people.columns))


def one_a_person(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return one row a trial and person: trial, participant_id, label, and the mean logit of its scans."""
    return predictions.groupby(["trial", "participant_id", "label"], sort=False)["logit"].mean().reset_index()


_SCAN = ["participant_id", "session_id", "label"]
"""What names a scan in predictions."""


def _with_sessions(predictions: pd.DataFrame) -> pd.DataFrame:
    session = predictions["session_id"].fillna("") if "session_id" in predictions else ""
    return predictions.assign(session_id=session)
