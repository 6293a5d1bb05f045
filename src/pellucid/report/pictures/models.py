"""Charts of models: ROC curves, training curves, and what brightness alone would do."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from pellucid.analysis.roc import mean_roc
from pellucid.report.pictures.style import INK, MUTED, SERIES, drawn, styled

WIDTH = 7.4
ACROSS = 3  # panels side by side
TITLE_LETTERS = 26
"""Of a line of the title of one of these panels."""
LABEL_LETTERS = 34
"""Of a line of a row's label."""


@styled
def roc_figure(curves: pd.DataFrame, auc: Mapping[str, str]) -> Figure:
    """Draw one panel an arm: each trial's curve thin, their exact vertical mean thick with a band of one SD.

    Parameters
    ----------
    curves
        Columns arm, trial, fpr, tpr.
    auc
        For each arm the text under its name.
    """
    arms = list(dict.fromkeys(curves["arm"]))
    across, down = min(len(arms), ACROSS), math.ceil(len(arms) / ACROSS)
    panel = min(WIDTH / across, 3.4)
    figure = Figure(figsize=(panel * across, (panel + 0.35) * down), layout="constrained")
    grid = figure.subplots(down, across, squeeze=False, sharey=True)
    panels = list(grid.flat)
    for spare in panels[len(arms) :]:
        spare.remove()
    before = 0
    for place, (axes, arm, colour) in enumerate(zip(panels, arms, _cycle(len(arms)), strict=False)):
        of_arm = curves[curves["arm"] == arm]
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)), label="chance")
        trials = of_arm["trial"].nunique()
        for _, curve in of_arm.groupby("trial"):
            axes.plot(curve["fpr"], curve["tpr"], color=colour, linewidth=0.8, alpha=0.55, label="one trial")
        if trials > 1:
            mean = mean_roc(of_arm)
            low, high = (mean["tpr"] - mean["sd"]).clip(0, 1), (mean["tpr"] + mean["sd"]).clip(0, 1)
            axes.fill_between(mean["fpr"], low, high, color=colour, alpha=0.15, linewidth=0, label="± 1 SD")
            axes.plot(mean["fpr"], mean["tpr"], color=colour, linewidth=2.2, label=f"mean of {trials} trials")
        if place == 0 or trials != before:
            _legend(axes)
        before = trials
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal", xlabel="1 − specificity")
        axes.set_title(f"{drawn(arm, TITLE_LETTERS)}\n{auc.get(arm, '')}".rstrip(), fontsize=9)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    for row in grid:
        row[0].set_ylabel("sensitivity")
    return figure


@styled
def training_figure(histories: Sequence[tuple[str, str, pd.DataFrame]]) -> Figure:
    """Draw one column an arm: loss above, validation accuracy below; a dot marks the epoch that was kept.

    Parameters
    ----------
    histories
        Arm, trial and history (epoch, train_loss, val_loss, val_accuracy, best) of every trial.
    """
    arms = list(dict.fromkeys(arm for arm, _, _ in histories))
    across, down = min(len(arms), ACROSS), math.ceil(len(arms) / ACROSS)
    panel = min(WIDTH / across, 3.6)
    figure = Figure(figsize=(max(panel * across, 3.6), 4.2 * down), layout="constrained")
    panels = figure.subplots(2 * down, across, squeeze=False, sharey="row")
    for spare in range(len(arms), across * down):
        for row in (0, 1):
            panels[2 * (spare // ACROSS) + row][spare % ACROSS].remove()
    for place, (arm, colour) in enumerate(zip(arms, _cycle(len(arms)), strict=True)):
        first, column = 2 * (place // ACROSS), place % ACROSS
        top, bottom = panels[first][column], panels[first + 1][column]
        top.sharex(bottom)
        top.tick_params(labelbottom=False)
        for name, _, history in histories:
            if name != arm:
                continue
            epoch = history["epoch"]
            top.plot(epoch, history["train_loss"], color=MUTED, linewidth=1, linestyle=(0, (3, 2)), label="training")
            top.plot(epoch, history["val_loss"], color=colour, label="validation")
            bottom.plot(epoch, history["val_accuracy"], color=colour)
            kept = history[history["best"].astype(bool)]
            for axes, values in ((top, kept["val_loss"]), (bottom, kept["val_accuracy"])):
                axes.scatter(kept["epoch"], values, color=colour, edgecolor="white", s=34, zorder=3, label="kept")
        top.set_title(drawn(arm, TITLE_LETTERS), fontsize=9)
        bottom.set_xlabel("epoch")
        bottom.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        bottom.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
        bottom.set_ylim(0, 1.04)
        _legend(top)
    for row, words in enumerate(["loss (cross-entropy + L2)", "validation accuracy"] * down):
        panels[row][0].set_ylabel(words)
    return figure


@styled
def brightness_figure(table: pd.DataFrame, used: Collection[str]) -> Figure:
    """Draw the AUC of mean brightness alone under each scaling with its interval; the scalings in use are filled.

    Parameters
    ----------
    table
        Columns scaling, auc, low, high.
    used
        The scalings of the images that networks were given.
    """
    figure = Figure(figsize=(WIDTH, 0.75 + 0.36 * len(table)), layout="constrained")
    axes = figure.subplots()
    axes.axvline(0.5, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)))
    for row, entry in enumerate(table.to_dict("records")):
        mine = entry["scaling"] in used
        axes.plot([entry["low"], entry["high"]], [row, row], color=INK, linewidth=1.4, solid_capstyle="butt")
        axes.scatter(entry["auc"], row, s=52, color=SERIES[0] if mine else "white", edgecolor=INK, zorder=3)
    names = [f"{name} (used)" if name in used else str(name) for name in table["scaling"]]
    axes.set_yticks(range(len(table)), names)
    axes.invert_yaxis()
    axes.set(
        xlim=(0, 1), ylim=(len(table) - 0.5, -0.5), xlabel="AUC of mean brightness (brighter = patient), 95 % interval"
    )
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    axes.text(0.495, -0.42, "patients darker  ", ha="right", va="center", fontsize=8, color=MUTED)
    axes.text(0.505, -0.42, "  patients brighter", ha="left", va="center", fontsize=8, color=MUTED)
    return figure


def _cycle(n: int) -> list[str]:
    return [SERIES[k % len(SERIES)] for k in range(n)]


def _legend(axes: Axes) -> None:
    """Draw a legend with each label once."""
    handles, labels = axes.get_legend_handles_labels()
    last = dict(zip(labels, handles, strict=True))
    axes.legend(list(last.values()), list(last), fontsize=7.5, handlelength=1.6)
