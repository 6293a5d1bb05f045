"""How well the models do: scores, ROC and training curves, and what brightness alone would do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from pellucid.analysis.proportions import FEW
from pellucid.ground.numbers import DASH, number, percent, score, score_interval
from pellucid.report.html.blocks import Note, Picture, Section, Table, Text, missing, records, twofold
from pellucid.report.pictures.models import brightness_figure, roc_figure, training_figure
from pellucid.report.pictures.style import save
from pellucid.report.section_registry import page_section
from pellucid.rundir.run import Run

METRICS = {
    "balanced_accuracy": "Balanced accuracy",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "auc": "AUC",
}


def main_arm(run: Run, arms: Sequence[str]) -> str:
    """Return the arm that the page is about: of `arms`, the first to be explained, or the first of all if none was."""
    named = [*run.explained_arms, *([run.maps.arm] if run.maps else [])]
    return next((arm for arm in named if arm in arms), arms[0])


@page_section("results", title="Results on the held-out participants", order=40)
def results(run: Run, figures: Path) -> Section:
    """Return the table of scores and the ROC curves."""
    section = Section("results", "Results on the held-out participants")
    table = run.table("table2")
    if table is None:
        section.add(missing("Scores", "tables/table2.tsv"))
    else:
        section.add(_scores(table, crossed=run.is_cross_validated()))
    section.add(*(Note(tone="remark", text=f"{one[0].upper()}{one[1:]}.") for one in run.log.remarks))
    curves = run.table("roc")
    if curves is None:
        section.add(missing("ROC curves", "tables/roc.tsv"))
        return section
    save(roc_figure(curves, _auc(table)), figures / "roc")
    section.add(
        Picture(
            stem="roc",
            suffix=".svg",
            alt=f"ROC curves of the arms {', '.join(dict.fromkeys(curves['arm']))}, sensitivity against 1 − "
            "specificity.",
            caption="ROC curve of each trial and their vertical mean. The band is the SD across trials, "
            f"{run.spread_of_trials(list(curves['arm'].unique()))}; the interval under each name is over "
            "participants.",
            sources=["tables/roc.tsv"],
        )
    )
    return section


@page_section("training", title="Training", order=90)
def training(run: Run, figures: Path) -> Section:
    """Return the training curves of every trial."""
    section = Section("training", "Training")
    histories = [(trial.arm, trial.name, trial.history) for trial in run.trials]
    found = [(arm, name, history) for arm, name, history in histories if history is not None]
    if not found:
        section.add(missing("Training curves", "models/ARM/trial-00/history.tsv"))
        return section
    save(training_figure(found), figures / "training")
    rows = [
        [
            trial.arm,
            trial.name + (" (selected)" if run.selected(trial.arm) == trial else ""),
            f"{trial.trained['epoch']} of {trial.trained['epochs']}",
            number(trial.trained["val_loss"]),
            percent(trial.trained["val_accuracy"]),
            score(trial.trained["val_auc"], "auc"),
        ]
        for trial in run.trials
    ]
    sources = [run.relative(trial.folder / "history.tsv") for trial in run.trials]
    section.add(
        Picture(
            stem="training",
            suffix=".svg",
            alt="Training and validation loss, and validation accuracy, against the epoch, one column per arm.",
            caption="Each line is a trial; the dot marks the epoch whose weights were kept. The training loss is "
            "measured with dropout and while the weights change, so it may be higher than the validation loss.",
            sources=sources,
        ),
        Table(
            header=["Arm", "Trial", "Kept epoch", "Validation loss", "Validation accuracy", "Validation AUC"],
            rows=rows,
            caption="The kept epoch of each trial. The selected one has the arm's lowest validation loss.",
            sources=[source.replace("history.tsv", "model.json") for source in sources],
            closed=True,
            words=2,
        ),
    )
    return section


@page_section("brightness", title="Brightness alone", order=100)
def brightness(run: Run, figures: Path) -> Section:
    """Return how well mean brightness alone classifies under each scaling."""
    section = Section("brightness", "Classification by brightness alone")
    table = run.table("brightness")
    if table is None:
        section.add(missing("Brightness", "tables/brightness.tsv"))
        return section
    section.add(
        Text(
            paragraphs=[
                "A scaling can reveal the group even without a network: if one bright lesion sets the scale, a brain "
                "without lesions becomes brighter as a whole. So the mean brightness of the brain is used here as "
                "the only score. An AUC below 0.5 means that patients are darker; separability is the AUC that a "
                "classifier could reach with it."
            ]
        )
    )
    for name, one in table.groupby("cohort", sort=False):
        stem, used = f"brightness-{name}", _scalings(run, str(name))
        save(brightness_figure(one.reset_index(drop=True), used), figures / stem)
        section.add(
            Picture(
                stem=stem,
                suffix=".svg",
                alt="AUC of mean brain brightness alone with its interval under each intensity scaling.",
                caption=f"AUC of mean brain brightness alone, cohort {name}. Filled: the scalings of the scans that "
                "its networks used.",
                sources=["tables/brightness.tsv"],
            )
        )
    rows = [
        [
            str(row["cohort"]),
            str(row["scaling"]),
            _auc_cell(row, "auc"),
            score(row["separability"], "auc"),
        ]
        for row in records(table)
    ]
    header = ["Cohort", "Scaling", "AUC of “brighter = patient” [95 % interval]", "Separability"]
    caption = "Brightness alone with each scaling."
    section.add(Table(header=header, rows=rows, caption=caption, sources=["tables/brightness.tsv"], words=2))
    return section


def _scalings(run: Run, cohort: str) -> set[str]:
    """Return the scalings of the images of a cohort's arms."""
    arms = {name for name, arm in run.arms.items() if arm.cohort == cohort}
    return {trial.description["scaling"] for trial in run.trials if trial.arm in arms}


def _scores(table: pd.DataFrame, *, crossed: bool) -> Table:
    """Show the scores as the paper's Table 2 does: one row an arm, one column a metric."""
    rows = []
    for arm, one in table.groupby("arm", sort=False):
        by_metric = {row["metric"]: row for row in records(one)}
        first = one.iloc[0]
        start = first["pretraining"]
        cells = [_score(by_metric[metric]) if metric in by_metric else DASH for metric in METRICS]
        counts = [f"{first[key]:.0f}" for key in ("n_trials", "n_subjects")]
        few = ", few" if first["few"] else ""
        rows.append([str(arm), "none" if pd.isna(start) else str(start), *cells, ", ".join(counts) + few])
    return Table(
        header=["Arm", "Pre-training", *METRICS.values(), "Trials, participants"],
        rows=rows,
        caption="Mean over trials ± SD over trials [95 % interval over participants]. A participant counts once, "
        "with the mean logit of their scans. Intervals: Wilson's for sensitivity and specificity, combined from both "
        "for balanced accuracy, and Newcombe's for the AUC. They depend on the number of participants, are not "
        "narrowed by several trials, and do not cover the choice of the training participants."
        + (
            f" Few: fewer than {FEW} patients or controls; the interval has a special form for few participants, and "
            "no conclusion is possible." * bool(table["few"].any())
        )
        + (
            " p: permutation test (share of label shuffles with an AUC at least this high). q: false discovery rate "
            "over all tests of AUC and balanced accuracy in this table."
        )
        + (
            " In a cross-validation a trial is a repeat; its AUC compares patients with controls of the same fold, "
            "because logits of two models have no common scale. Every participant is also a training participant of "
            "the other folds: intervals and p of scores, of differences between arms and of relevance over areas are "
            "corrected for this (Nadeau and Bengio 2003). Such a p is not a share of shuffles: small values come "
            "from the tail of a normal distribution. Intervals of medians (of lift, and in planted places) and of "
            "probabilities in bins are not corrected." * crossed
        ),
        sources=["tables/table2.tsv"],
        words=2,
        key="scores",
    )


def _score(row: dict[str, Any]) -> Markup:
    metric = str(row["metric"])
    spread = "" if pd.isna(row["sd"]) else f" ± {row['sd']:.3f}" if metric == "auc" else f" ± {100 * row['sd']:.1f}"
    value = DASH if pd.isna(row["mean"]) else f"{row['mean']:.3f}" if metric == "auc" else f"{100 * row['mean']:.1f}"
    unit = "" if metric == "auc" or value == DASH else " %"
    why = "" if pd.isna(row["reason"]) else row["reason"]
    shown = twofold(f"{value}{spread}{unit}", f"n/a: {why}" if why else score_interval(row["low"], row["high"], metric))
    if metric != "auc" or pd.isna(row["p_chance"]):
        return shown
    return Markup("{}<br>p {}, q {}").format(shown, _chance(row["p_chance"]), _chance(row["q_chance"]))


def _chance(p: float) -> str:
    return f"= {p:.2g}" if p >= 0.001 else "< 0.001"


def _auc_cell(row: dict[str, Any], key: str) -> str:
    return f"{score(row[key], 'auc')} {score_interval(row['low'], row['high'], 'auc')}"


def _auc(table: pd.DataFrame | None) -> dict[str, str]:
    """Return for each arm `AUC 0.931 [0.850, 0.982]`."""
    if table is None:
        return {}
    rows = records(table[table["metric"] == "auc"])
    return {str(row["arm"]): f"AUC {_auc_cell(row, 'mean')}" for row in rows}
