"""Whether a probability of 80 % comes true in 80 of 100: Brier score, calibration error, Platt scaling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import minimize
from scipy.special import expit
from scipy.special import logit as logit_of

from pellucid.analysis.classification import checked, paired_with_labels
from pellucid.analysis.proportions import share_interval
from pellucid.ground.arrays import Float64Array, IntArray
from pellucid.ground.errors import InputError

BINS = 10


def brier(label: npt.ArrayLike, probability: npt.ArrayLike) -> float:
    """Return the Brier score, the mean of (probability - label)^2, 0 at best.

    Parameters
    ----------
    label
        1 for patients, 0 for controls, (n,); one class is enough.
    probability
        Of being a patient, (n,), 0-1.

    Raises
    ------
    InputError
        If there is nobody, shapes differ, a label is neither 0 nor 1, or a probability not in 0-1.
    """
    from sklearn.metrics import brier_score_loss

    return float(brier_score_loss(*_checked_probability(label, probability), pos_label=1))


def expected_calibration_error(label: npt.ArrayLike, probability: npt.ArrayLike) -> float:
    """Return the expected calibration error over the ten bins b of `reliability`, 0-1.

    ECE = sum_b n_b / n |observed share of patients in b - mean probability in b|.

    Parameters and errors as in `brier`. Source: Naeini 2015, for the probability of the positive class.
    """
    table = reliability(label, probability)
    gap = (table["observed"] - table["mean_probability"]).abs()  # missing in an empty bin, which weighs nothing
    return float((table["n"] * gap).sum() / table["n"].sum())


def reliability(
    label: npt.ArrayLike, probability: npt.ArrayLike, participant: npt.ArrayLike | None = None
) -> pd.DataFrame:
    """Set the observed share of patients against the predicted probability, in ten bins of equal width.

    Bin b holds low < probability <= high; the first holds 0 too.

    Parameters
    ----------
    label, probability
        As in `brier`, and so are the errors.
    participant
        Whose probability it is, (n,), where people have several: of scans, or of trials. Each is another's if None.

    Returns
    -------
    One row a bin, the empty ones too: bin (from 0), low, high (its edges), n, participants, mean_probability, observed
    (share of patients among n), observed_low, observed_high (its 95 % interval, as of a share of the participants,
    `proportions.share_interval`); the last four are missing where n is 0.
    """
    truth, value = _checked_probability(label, probability)
    whose = np.arange(truth.size) if participant is None else np.asarray(participant)
    edges = np.linspace(0.0, 1.0, BINS + 1)
    place = np.searchsorted(edges[1:-1], value)
    rows = []
    for number in range(BINS):
        inside = place == number
        n, people = int(inside.sum()), len(np.unique(whose[inside]))
        measured = [float("nan")] * 4
        if n:
            observed = float(truth[inside].mean())
            measured = [float(value[inside].mean()), observed, *share_interval(observed, people)]
        rows.append((number, edges[number], edges[number + 1], n, people, *measured))
    names = ["bin", "low", "high", "n", "participants", "mean_probability", "observed", "observed_low", "observed_high"]
    return pd.DataFrame(rows, columns=names)


def calibration_summary(bins: pd.DataFrame) -> pd.DataFrame:
    """Set each Brier score beside that of who gives everybody the share of patients: p (1 - p), p the share.

    Parameters
    ----------
    bins
        Rows of `reliability` with arm, kind, brier and ece.

    Returns
    -------
    One row an arm and kind, in order of appearance: arm, kind, n (probabilities), share, brier, brier_of_share, ece.
    """
    rows = []
    for (arm, kind), some in bins.groupby(["arm", "kind"], sort=False):
        n = int(some["n"].sum())
        share = float((some["n"] * some["observed"]).sum() / n)  # missing in an empty bin, which weighs nothing
        scored = {"brier": some["brier"].iloc[0], "brier_of_share": share * (1 - share), "ece": some["ece"].iloc[0]}
        rows.append({"arm": arm, "kind": kind, "n": n, "share": share, **scored})
    return pd.DataFrame(rows, columns=["arm", "kind", "n", "share", "brier", "brier_of_share", "ece"])


@dataclass(frozen=True)
class Calibration:
    """A straight line from logits to calibrated logits."""

    slope: float
    intercept: float

    def probability(self, logit: npt.ArrayLike) -> Float64Array:
        """Return sigmoid(slope * logit + intercept), the shape of `logit`."""
        return np.asarray(expit(self.slope * np.asarray(logit, dtype=np.float64) + self.intercept))


def calibrate(label: npt.ArrayLike, logit: npt.ArrayLike) -> Calibration:
    """Fit Platt's scaling on validation subjects, never on those it is then judged on.

    Minimises the cross-entropy of sigmoid(slope * logit + intercept) against the smoothed targets
    t+ = (N+ + 1) / (N+ + 2) for the N+ patients and t- = 1 / (N- + 2) for the N- controls, which keep the fit finite
    where logits separate the classes perfectly. Logits that are all equal give slope 0. Nothing forbids a negative
    slope: such logits point the wrong way.

    Parameters
    ----------
    label
        1 for patients, 0 for controls, (n,).
    logit
        The network's output before the sigmoid, (n,).

    Raises
    ------
    InputError
        If a class is missing, shapes differ, a logit is not finite, or the fit does not converge.

    Source: Platt 1999, §2.2.
    """
    truth, value = checked(label, logit)
    patients, controls = int(truth.sum()), int((1 - truth).sum())
    target = np.where(truth == 1, (patients + 1.0) / (patients + 2.0), 1.0 / (controls + 2.0))
    centre, spread = float(value.mean()), float(value.std())
    if spread <= 1e-12 * np.abs(value).max():  # equal but for rounding
        return Calibration(slope=0.0, intercept=float(logit_of(target.mean())))
    design = np.column_stack([(value - centre) / spread, np.ones(value.size)])

    def loss(weights: Float64Array) -> float:
        z = design @ weights
        return float((np.logaddexp(0.0, z) - target * z).mean())

    def gradient(weights: Float64Array) -> Float64Array:
        return np.asarray(design.T @ (expit(design @ weights) - target) / value.size)

    def hessian(weights: Float64Array) -> Float64Array:
        p = expit(design @ weights)
        return np.asarray((design * (p * (1.0 - p))[:, None]).T @ design / value.size)

    start = np.array([0.0, np.log((patients + 1.0) / (controls + 1.0))])
    fit = minimize(loss, start, jac=gradient, hess=hessian, method="trust-exact", options={"gtol": 1e-8})
    if np.abs(gradient(fit.x)).max() > 1e-5:
        raise InputError("calibration", "the fit does not converge", "Look at the logits for extreme outliers")
    slope = float(fit.x[0]) / spread
    return Calibration(slope=slope, intercept=float(fit.x[1]) - slope * centre)


def _checked_probability(label: npt.ArrayLike, probability: npt.ArrayLike) -> tuple[IntArray, Float64Array]:
    truth, value = paired_with_labels(label, probability, "probabilities")
    if not truth.size:
        raise InputError("predictions", "there are no participants", "Give the predictions of at least one participant")
    if not ((value >= 0) & (value <= 1)).all():
        raise InputError("predictions", "a probability is missing or not in 0-1", "Give sigmoid(logit), not the logit")
    return truth, value
