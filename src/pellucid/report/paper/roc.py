"""Figure S1: the ROC curves of the main arm's trials on the holdout."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from pellucid.analysis.roc import limits_at, mean_roc
from pellucid.ground.numbers import number
from pellucid.report.paper.charts import add_note, look, paper_ticks
from pellucid.report.paper.material import Drawing, Material, MissingError, Version
from pellucid.report.pictures.style import INK, MUTED, SERIES, styled

POINTS = 100
"""On how many points the paper averages."""

_LISTED = 12  # curves that a legend can name one by one


def figure_s1(material: Material, version: Version) -> Drawing:
    """Draw every trial thin, their mean thick, a band of one SD, and chance dashed (Eitel 2019, Figure S1)."""
    table = material.table("roc")
    curves = table[table["arm"] == material.main]
    if curves.empty:
        raise MissingError(f"tables/roc.tsv has no curve of arm {material.main}")
    spread = material.run.spread_of_trials([material.main])
    if version == "paper":
        data = paper_roc_data(curves)
        note = _paper_note(material.main, curves["trial"].nunique(), spread)
        return Drawing(draw_paper_roc(data, note), data, note, ("tables/roc.tsv",))
    data = roc_data(curves)
    scores = material.run.table("table2")
    score = None if scores is None else auc_interval(scores, material.main)
    note = _note(material.main, curves["trial"].nunique(), spread, score is not None)
    foot = f"For research only. Curves of held-out participants; the band is {spread}."
    sources = ("tables/roc.tsv", *(["tables/table2.tsv"] if score else []))
    return Drawing(draw_roc(data, score, foot), data, note, sources)


def paper_roc_data(curves: pd.DataFrame) -> pd.DataFrame:
    """Return each trial's curve, then their vertical mean on 100 points.

    Returns
    -------
    Columns curve (`trial` or `mean`), trial, fpr, tpr, sd (of tpr over trials; of the mean only), auc (of the trial,
    or of the mean curve), auc_sd (over trials; of the mean only).
    """
    trials = _trials(curves)
    mean = mean_roc(curves, points=POINTS)
    spread = trials.drop_duplicates("trial")["auc"].std(ddof=0)
    mean = mean.assign(curve="mean", auc=area(mean["fpr"], mean["tpr"]), auc_sd=spread)
    return _together(trials, mean)


def roc_data(curves: pd.DataFrame) -> pd.DataFrame:
    """Return each trial's curve by its own corners, then their exact mean, not read off a raster.

    Returns
    -------
    As `paper_roc_data`; the mean has two rows at each false-positive rate at which a curve steps, before and after.
    """
    trials = _trials(curves)
    corners = np.unique(curves["fpr"])
    ends = np.array([limits_at(corners, one["fpr"], one["tpr"]) for _, one in curves.groupby("trial")])  # (T, 2, n)
    mean = pd.DataFrame(
        {
            "curve": "mean",
            "fpr": np.repeat(corners, 2),
            "tpr": ends.mean(axis=0).T.ravel(),
            "sd": ends.std(axis=0, ddof=1).T.ravel() if len(ends) > 1 else np.nan,
        }
    )
    mean["auc"] = area(mean["fpr"], mean["tpr"])
    each = trials.drop_duplicates("trial")["auc"]
    mean["auc_sd"] = each.std(ddof=1) if len(each) > 1 else np.nan
    return _together(trials, mean)


def area(fpr: npt.ArrayLike, tpr: npt.ArrayLike) -> float:
    """Return the area under a curve of straight pieces."""
    return float(np.trapezoid(np.asarray(tpr, dtype=np.float64), np.asarray(fpr, dtype=np.float64)))


def auc_interval(scores: pd.DataFrame, arm: str) -> tuple[float, float, float] | None:
    """Return mean, low and high of an arm's AUC in tables/table2.tsv; None if it is not there."""
    rows = scores[(scores["arm"] == arm) & (scores["metric"] == "auc")]
    if rows.empty:
        return None
    row = rows.iloc[0]
    return float(row["mean"]), float(row["low"]), float(row["high"])


def _trials(curves: pd.DataFrame) -> pd.DataFrame:
    parts = [
        one[["trial", "fpr", "tpr"]].assign(curve="trial", sd=np.nan, auc=area(one["fpr"], one["tpr"]), auc_sd=np.nan)
        for _, one in curves.groupby("trial", sort=False)
    ]
    return pd.concat(parts, ignore_index=True)


def _together(trials: pd.DataFrame, mean: pd.DataFrame) -> pd.DataFrame:
    table = pd.concat([trials, mean], ignore_index=True).astype({"trial": "Int64"})  # the mean is of no trial
    return table[["curve", "trial", "fpr", "tpr", "sd", "auc", "auc_sd"]]


@styled
def draw_paper_roc(data: pd.DataFrame, note: str) -> Figure:
    """Draw the paper's curves, each trial with its AUC in the legend."""
    with look("paper"):
        figure = Figure(figsize=(8.0, 6.0), layout="constrained")
        axes = figure.subplots()
        trials = data[data["curve"] == "trial"].groupby("trial", sort=False)
        for n, (trial, one) in enumerate(trials):
            words = f"ROC trial {trial} (AUC = {one['auc'].iloc[0]:.2f})" if trials.ngroups <= _LISTED else None
            axes.plot(one["fpr"], one["tpr"], color=f"C{n % 10}", linewidth=1.0, alpha=0.3, label=words)
        axes.plot([0, 1], [0, 1], color="red", linewidth=2.0, linestyle="--", alpha=0.8, label="Chance")
        mean = data[data["curve"] == "mean"]
        words = f"Mean ROC (AUC = {mean['auc'].iloc[0]:.2f} ± {mean['auc_sd'].iloc[0]:.2f})"
        axes.plot(mean["fpr"], mean["tpr"], color="blue", linewidth=2.0, alpha=0.8, label=words)
        low, high = (mean["tpr"] - mean["sd"]).clip(0, 1), (mean["tpr"] + mean["sd"]).clip(0, 1)
        axes.fill_between(mean["fpr"], low, high, color="grey", alpha=0.2, label="± 1 SD")
        axes.set(xlim=(-0.05, 1.05), ylim=(-0.05, 1.05), xlabel="False Positive Rate", ylabel="True Positive Rate")
        axes.legend(loc="lower right", fontsize=9)
        paper_ticks(axes)
        add_note(figure, note)
    return figure


@styled
def draw_roc(data: pd.DataFrame, score: tuple[float, float, float] | None, note: str) -> Figure:
    """Draw the curves as the steps that they are; the legend says how sure the AUC is given so few subjects."""
    figure = Figure(figsize=(6.6, 6.6), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1.0, linestyle=(0, (4, 3)), label="chance")
    trials = data[data["curve"] == "trial"].groupby("trial", sort=False)
    for n, (_, one) in enumerate(trials):
        words = f"{trials.ngroups} trial{'' if trials.ngroups == 1 else 's'}" if n == 0 else None
        axes.plot(one["fpr"], one["tpr"], color=SERIES[0], linewidth=0.7, alpha=0.45, label=words)
    mean = data[data["curve"] == "mean"]
    if trials.ngroups > 1:
        low, high = (mean["tpr"] - mean["sd"]).clip(0, 1), (mean["tpr"] + mean["sd"]).clip(0, 1)
        words = f"± 1 SD of trials (AUC ± {number(mean['auc_sd'].iloc[0], 2)})"
        axes.fill_between(mean["fpr"], low, high, color=SERIES[0], alpha=0.15, linewidth=0, label=words)
    value = mean["auc"].iloc[0] if score is None else score[0]
    words = f"mean, AUC {value:.3f}"
    if score is not None and not any(math.isnan(bound) for bound in score):
        words += f"\n95 % interval over participants {score[1]:.2f} to {score[2]:.2f}"
    axes.plot(mean["fpr"], mean["tpr"], color=INK, linewidth=2.0, label=words)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    axes.set(xlabel="1 − specificity", ylabel="sensitivity")
    axes.legend(loc="lower right")
    add_note(figure, note)
    return figure


def _paper_note(arm: str, trials: int, spread: str) -> str:
    return (
        f"As in the paper: {trials} trial(s) of arm {arm} on held-out participants, thin; mean: vertical average on "
        f"{POINTS} points, which makes every step slanted; band: one SD over trials (of n), {spread}; it does not "
        "reflect the small number of participants. For research only."
    )


def _note(arm: str, trials: int, spread: str, scored: bool) -> str:
    interval = "the interval is over participants" if scored else "no tables/table2.tsv, so no interval"
    return (
        f"{trials} trial(s) of arm {arm} on held-out participants; each curve is drawn through its own corners, "
        f"slanted only where logits tie, and their mean is exact. The band (SD of n − 1) is {spread}; {interval}. "
        "For research only."
    )
