"""Whom the models serve well and whom not: scores by sex, age, disability and lesion volume."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from pellucid.analysis.proportions import FEW
from pellucid.ground.numbers import DASH, number, score_interval, whole
from pellucid.report.html.blocks import Note, Picture, Section, Table, Text, missing, records, reference, twofold
from pellucid.report.pictures.comparisons import p_value, subgroup_figure
from pellucid.report.pictures.style import save
from pellucid.report.section_registry import page_section
from pellucid.report.sections.results import METRICS, main_arm
from pellucid.rundir.run import Run

SOURCE = "tables/subgroups.tsv"
_DRAWN = {"auc": "AUC", "balanced_accuracy": "Balanced accuracy"}
_FACTORS = {"sex": "Sex", "age": "Age", "edss": "EDSS", "lesion_volume": "Lesions"}
_UNITS = {"age": " years", "lesion_volume": " ml"}
_LEVELS = {"F": "women", "M": "men", "<= 2": "≤ 2", "2.5-4": "2.5–4"}


@page_section("subgroups", title="Subgroups", order=70)
def subgroups(run: Run, figures: Path) -> Section:
    """Return the main arm's scores by group of subjects as a picture, and every arm's as a table."""
    section = Section("subgroups", "Performance by subgroup")
    table = run.table("subgroups")
    if table is None:
        section.add(missing("Scores by group of participants", SOURCE))
        return section
    if table.empty:
        text = "Sex, age, EDSS and lesion volume of all held-out participants are unknown."
        section.add(Note(tone="missing", text=text))
        return section
    main = main_arm(run, list(table["arm"]))
    groups = table[table["arm"] == main].reset_index(drop=True)
    groups = groups.assign(label=[_label(row) for row in records(groups)])
    section.add(Text(paragraphs=[_words(set(groups["factor"]))]), *_too_few(groups, main))
    save(subgroup_figure(groups, _DRAWN, _overall(run, main)), figures / "subgroups")
    section.add(
        Picture(
            stem="subgroups",
            suffix=".svg",
            alt=f"AUC and balanced accuracy of {main} with intervals in {len(groups)} groups of held-out participants.",
            caption=f"{main}: mean over trials with its 95 % interval over participants, by group; in brackets the "
            "numbers of patients and controls. Dashed: all participants; dotted: chance level. Hollow: fewer than "
            f"{FEW} of either.",
            sources=[SOURCE, "tables/table2.tsv"],
        ),
        _all_arms(table),
    )
    return section


def _words(factors: set[str]) -> str:
    said = "Held-out participants are scored by group. "
    if "age" in factors:
        said += "Ages are divided into thirds of all participants. "
    lone = [words for key, words in (("edss", "EDSS"), ("lesion_volume", "lesion volume")) if key in factors]
    if lone:
        said += f"Groups by {' and '.join(lone)} contain only patients and are compared with all controls. "
    return (
        f"{said}Groups are small and many: look at the test of interaction in {reference('subgroups', SOURCE)}, and "
        "for patterns that several arms share, not for single rows."
    )


def _too_few(groups: pd.DataFrame, arm: str) -> list[Note]:
    """Name the groups that are small, and those that have no score."""
    said = []
    few = [row["label"] for row in records(groups) if row["few"] and not math.isnan(row["auc"])]
    if few:
        who = f"(patients + controls, fewer than {FEW} of either)"
        text = f"Too few participants for a conclusion by {who}, arm {arm}: {'; '.join(few)}."
        said.append(Note(tone="warning", text=text))
    reasons = groups["reason"].fillna("")
    none = [f"{label}: {why}" for label, why in zip(groups["label"], reasons, strict=True) if why]
    if none:
        said.append(Note(tone="warning", text=f"No score or no interval, arm {arm}: {'; '.join(none)}."))
    return said


def _group(row: dict[str, Any]) -> str:
    """Name a group: `Age, lower third`; a level that was written n/a is read as missing."""
    level = "not known" if not isinstance(row["level"], str) else _LEVELS.get(row["level"], row["level"])
    factor = str(row["factor"])
    name = _FACTORS.get(factor, factor)
    return f"{name} {level}" if factor == "edss" and level != "not known" else f"{name}: {level}"


def _range(row: dict[str, Any]) -> str:
    """Write the smallest and largest value of a group; empty if it has none."""
    if math.isnan(row["value_min"]):
        return ""
    return f"{number(row['value_min'])}–{number(row['value_max'])}{_UNITS.get(str(row['factor']), '')}"


def _label(row: dict[str, Any]) -> str:
    ends = _range(row) if row["factor"] in _UNITS else ""
    span = f", {ends}" if ends else ""
    return f"{_group(row)}{span} ({whole(row['n_patients'])} + {whole(row['n_controls'])})"


def _overall(run: Run, arm: str) -> dict[str, float]:
    """Return the arm's scores on all held-out subjects, by metric."""
    table = run.table("table2")
    if table is None:
        return {}
    rows = records(table[(table["arm"] == arm) & table["metric"].isin(list(_DRAWN))])
    return {str(row["metric"]): float(row["mean"]) for row in rows}


def _all_arms(table: pd.DataFrame) -> Table:
    rows: list[list[str | Markup]] = []
    for row in records(table):
        counted = f"{whole(row['n_patients'])} + {whole(row['n_controls'])}"
        cells = [_score(row, metric) for metric in METRICS] + [_interaction(row)]
        who = Markup('<span class="name">{}<br>{}</span>').format(row["arm"], _group(row))
        name = twofold(who, _range(row)) if _range(row) else who
        rows.append([name, twofold(counted, "few") if row["few"] else counted, *cells])
    return Table(
        header=["Arm and group", "Patients + controls", *METRICS.values(), "Interaction"],
        rows=rows,
        caption="Every arm by group of participants: mean over trials (all scores except the AUC in %) with its 95 % "
        "interval over participants. If one class is missing, only the score of the other is given. Few: fewer than "
        f"{FEW} of either, with the interval for few participants. Interaction: permutation test of whether the AUC "
        "differs between the groups of a factor (groups shuffled over participants within patients and controls); p, "
        "and q (false discovery rate over all factors and arms of this table). A difference between two rows alone "
        "is not evidence.",
        sources=[SOURCE],
        closed=True,
        words=1,
        key="subgroups",
    )


def _score(row: dict[str, Any], metric: str) -> str | Markup:
    if math.isnan(row[metric]):
        return DASH
    value = f"{row[metric]:.3f}" if metric == "auc" else f"{100 * row[metric]:.1f}"
    return twofold(value, score_interval(row[f"{metric}_low"], row[f"{metric}_high"], metric))


def _interaction(row: dict[str, Any]) -> str | Markup:
    if math.isnan(row["interaction_p"]):
        return DASH
    return twofold(p_value(row["interaction_p"]), f"q = {number(row['interaction_q'], 2)}")
