"""How scores grow with the number of training subjects, for arms that differ in nothing else."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from pellucid.ground.numbers import number, score, score_interval, whole
from pellucid.report.html.blocks import Picture, Section, Table, records, twofold
from pellucid.report.pictures.models import WIDTH
from pellucid.report.pictures.style import MUTED, SERIES, STYLES, drawn, save, styled
from pellucid.report.section_registry import page_section
from pellucid.rundir.run import Run

SUMMARY = "tables/learning_summary.tsv"


@page_section("learning", title="Learning curves", order=50)
def learning(run: Run, figures: Path) -> Section | None:
    """Return the learning curves of a study whose arms learn from different numbers of subjects; None of any other."""
    curves = run.table("learning_summary")
    if curves is None or curves.empty:
        return None
    section = Section("learning", "Learning curves")
    save(learning_figure(curves), figures / "learning")
    section.add(
        Picture(
            stem="learning",
            suffix=".svg",
            alt="AUC against the number of training participants, one line for each family of arms.",
            caption="AUC on the held-out participants against the number of training participants. Arms on one line "
            "differ in nothing else. Dots: mean over trials (each trial draws its own participants, if not all are "
            "used); bars: 95 % interval over held-out participants of this mean.",
            sources=[SUMMARY],
        ),
        Table(
            header=["Arms", "Training participants", "AUC", "Trials"],
            rows=[
                [
                    str(row["family"]),
                    whole(row["subjects"]),
                    twofold(
                        f"{score(row['auc'], 'auc')} ± {number(row['sd'], 2)}",
                        score_interval(row["low"], row["high"], "auc"),
                    ),
                    whole(row["n_trials"]),
                ]
                for row in records(curves)
            ],
            caption="Mean over trials ± SD over trials [95 % interval over participants].",
            sources=[SUMMARY],
            closed=True,
        ),
    )
    return section


@styled
def learning_figure(curves: pd.DataFrame) -> Figure:
    """Draw a line a family: AUC with its interval against the number of training subjects.

    Parameters
    ----------
    curves
        What `analysis.learning.learning_curves` gives.
    """
    figure = Figure(figsize=(WIDTH, 3.9), layout="constrained")
    axes = figure.subplots()
    axes.axhline(0.5, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)))
    families = list(dict.fromkeys(curves["family"]))
    most = curves["subjects"].max()
    for place, family in enumerate(families):
        one = curves[curves["family"] == family]
        colour, style = SERIES[place % len(SERIES)], STYLES[place % len(STYLES)]
        x = one["subjects"] + (place - (len(families) - 1) / 2) * 0.008 * most  # so that bars stand side by side
        axes.plot(x, one["auc"], color=colour, linestyle=style, marker="o", markersize=4.5, label=drawn(family, 60))
        axes.vlines(x, one["low"], one["high"], color=colour, linewidth=1.2)
    axes.set(xlim=(0, most * 1.06), xlabel="training participants", ylabel="AUC, mean over trials")
    axes.set_ylim(min(0.4, curves["low"].min() - 0.02), 1.01)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    axes.set_xticks(sorted(set(curves["subjects"])))
    axes.legend(loc="lower right")
    return figure
