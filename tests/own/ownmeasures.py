"""A plugin as a user may have written it; tests put this folder on the path of imports."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from pellucid.ground.arrays import Float32Array
from pellucid.ground.files import read_tsv
from pellucid.ground.progress import Progress
from pellucid.report.html.blocks import Section, Text
from pellucid.report.section_registry import page_section
from pellucid.rundir.run import Run
from pellucid.rundir.tables import numbers, texts
from pellucid.study.plan import Plan
from pellucid.study.steps.table_registry import after, study_table
from pellucid.trust.lesion_measures import SeenBrain, lesion_measure
from pellucid.trust.nulls import Known, null_map


@null_map("left-half", meaning="the left half of the grid", rival="the left side")
def left_half(known: Known) -> Float32Array:
    """Return 1 in the first half of the first axis, else 0."""
    half = np.zeros(known.brain.shape, dtype=np.float32)
    half[: half.shape[0] // 2] = 1.0
    return half


@lesion_measure(
    "above_mean", title="lesion above the mean", meaning="Lesion above the mean is the share of its voxels there."
)
def above_mean(of: SeenBrain) -> float:
    """Return the share of voxels of L whose R is above the mean of R over B."""
    return float((of.relevance[of.lesion] > of.relevance.mean()).mean())


@study_table("best_nulls", needs=after("lesions_compared"), columns=(texts("arm best_null"), numbers("times")))
def best_nulls(plan: Plan, progress: Progress) -> pd.DataFrame:
    """Count how often each null is the best by a measure."""
    compared = read_tsv(plan.folder.table("lesions_compared"))
    return compared.groupby(["arm", "best_null"]).size().rename("times").reset_index()


@page_section("best-nulls", title="Which null is best", order=155)
def best_null_section(run: Run, figures: Path) -> Section | None:
    """Name the null that is best most often."""
    table = run.table("best_nulls")
    if table is None or table.empty:
        return None
    first = table.sort_values("times", ascending=False).iloc[0]
    return Section("best-nulls", "Which null is best", [Text(paragraphs=[f"Most often: {first['best_null']}."])])
