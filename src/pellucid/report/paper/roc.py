"""Figure S1: the ROC curves of the main arm's trials on the holdout."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from pellucid.analysis.roc import raster_roc
from pellucid.report.paper.look import paper_ticks, papered
from pellucid.report.paper.material import Drawing, Material, MissingError
from pellucid.report.pictures.notes import add_note

POINTS = 100
"""On how many points the paper averages."""

_LISTED = 12  # curves that a legend can name one by one


def figure_s1(material: Material) -> Drawing:
    """Draw every trial thin, their mean thick, a band of one SD, and chance dashed (Eitel 2019, Figure S1)."""
    table = material.table("roc")
    curves = table[table["arm"] == material.main]
    if curves.empty:
        raise MissingError(f"tables/roc.tsv has no curve of arm {material.main}")
    data, spread = roc_data(curves), material.run.spread_of_trials([material.main])
    note = _note(material.main, curves["trial"].nunique(), spread)
    return Drawing(draw_roc(data, note), data, note, ("tables/roc.tsv",))


def roc_data(curves: pd.DataFrame) -> pd.DataFrame:
    """Return each trial's curve, then their vertical mean on 100 points.

    Returns
    -------
    Columns curve (`trial` or `mean`), trial, fpr, tpr, sd (of tpr over trials; of the mean only), auc (of the trial,
    or of the mean curve), auc_sd (over trials; of the mean only).
    """
    parts = [
        one[["trial", "fpr", "tpr"]].assign(curve="trial", sd=np.nan, auc=area(one["fpr"], one["tpr"]), auc_sd=np.nan)
        for _, one in curves.groupby("trial", sort=False)
    ]
    trials, mean = pd.concat(parts, ignore_index=True), raster_roc(curves, points=POINTS)
    spread = trials.drop_duplicates("trial")["auc"].std(ddof=0)
    mean = mean.assign(curve="mean", auc=area(mean["fpr"], mean["tpr"]), auc_sd=spread)
    together = pd.concat([trials, mean], ignore_index=True).astype({"trial": "Int64"})  # the mean is of no trial
    return together[["curve", "trial", "fpr", "tpr", "sd", "auc", "auc_sd"]]


def area(fpr: npt.ArrayLike, tpr: npt.ArrayLike) -> float:
    """Return the area under a curve of straight pieces."""
    return float(np.trapezoid(np.asarray(tpr, dtype=np.float64), np.asarray(fpr, dtype=np.float64)))


@papered
def draw_roc(data: pd.DataFrame, note: str) -> Figure:
    """Draw the paper's curves, each trial with its AUC in the legend."""
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


def _note(arm: str, trials: int, spread: str) -> str:
    return (
        f"As in the paper: {trials} trial(s) of arm {arm} on held-out participants, thin; mean: vertical average on "
        f"{POINTS} points, which makes every step slanted; band: one SD over trials (of n), {spread}; it does not "
        "reflect the small number of participants. For research only."
    )
