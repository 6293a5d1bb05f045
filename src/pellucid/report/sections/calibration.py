"""Whether probabilities can be taken at their word."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pellucid.ground.numbers import DASH, number, percent, whole
from pellucid.report.html.blocks import Note, Picture, Section, Table, Text, missing, records
from pellucid.report.pictures.comparisons import KINDS, reliability_figure
from pellucid.report.pictures.style import save
from pellucid.report.section_registry import page_section
from pellucid.rundir.run import Run

SOURCE, SUMMARY = "tables/calibration.tsv", "tables/calibration_summary.tsv"


@page_section("calibration", title="Calibration", order=80)
def calibration(run: Run, figures: Path) -> Section:
    """Return a reliability diagram an arm, the table of Brier scores and calibration errors, and that of the bins."""
    section = Section("calibration", "Calibration: can the probabilities be trusted?")
    table, summary = run.table("calibration"), run.table("calibration_summary")
    for found, path in ((table, SOURCE), (summary, SUMMARY)):
        if found is None:
            section.add(missing("Calibration", path))
    if table is None or summary is None:
        return section
    without = table[table["kind"] == "none"]
    table = table[table["kind"] != "none"]
    notes = [
        Note(tone="remark", text=f"No calibration of {', '.join(map(str, some['arm']))}: {reason}.")
        for reason, some in without.groupby("reason", sort=False)
    ]
    if table.empty:
        section.add(*notes)
        return section
    save(reliability_figure(table), figures / "calibration")
    section.add(
        Text(paragraphs=[_words(run, table)]),
        Picture(
            stem="calibration",
            suffix=".svg",
            alt=f"Reliability diagrams of {', '.join(dict.fromkeys(table['arm']))}: observed share of patients against "
            "predicted probability, and counts.",
            caption="Top: share of patients among the held-out participants in each bin of predicted probability, "
            "with its 95 % interval; on the dashed line the two are equal. Bottom: number of predictions in the bin. "
            "The trials of an arm are combined: shares and counts include a participant once per trial, intervals "
            "once.",
            sources=[SOURCE],
        ),
        *notes,
        _scores(summary),
        _bins(table),
    )
    return section


def _words(run: Run, table: pd.DataFrame) -> str:
    said = (
        "Of a hundred participants with a probability of 80 %, about eighty should be patients. The uncalibrated "
        "probability is the sigmoid of the logit."
    )
    if "calibrated" in set(table["kind"]):
        said += (
            " For the calibrated probability, the logit is first transformed by a straight line fitted to each "
            "trial's validation participants (Platt scaling); with few validation participants this fit is poor."
        )
    if set(table["arm"]) & set(run.baselines.keys()):
        said += " Baselines are shown uncalibrated."
    return said


def _scores(summary: pd.DataFrame) -> Table:
    rows = []
    for arm, some in summary.groupby("arm", sort=False):
        kinds = {str(row["kind"]): row for row in records(some)}
        first = next(iter(kinds.values()))
        cells = [number(kinds[kind][score]) if kind in kinds else DASH for score in ("brier", "ece") for kind in KINDS]
        rows.append([str(arm), whole(first["n"]), *cells[:2], number(first["brier_of_share"]), *cells[2:]])
    header = ["Arm", "Predictions", "Brier score", "Brier, calibrated", "Brier of the share alone"]
    return Table(
        header=[*header, "ECE", "ECE, calibrated"],
        rows=rows,
        caption="Brier score: mean squared difference of probability and outcome, 0 at best. Next column: Brier "
        "score if every participant gets the held-out share of patients. ECE: expected calibration error, the mean "
        "distance of the dots from the dashed line, weighted by their counts.",
        sources=[SUMMARY, SOURCE],
        words=1,
    )


def _bins(table: pd.DataFrame) -> Table:
    rows = [
        [
            str(row["arm"]),
            KINDS[row["kind"]][0] if row["kind"] in KINDS else str(row["kind"]),
            f"{percent(row['low'], 0)} to {percent(row['high'], 0)}",
            whole(row["n"]),
            percent(row["mean_probability"]),
            f"{percent(row['observed'])} [{100 * row['observed_low']:.1f}, {100 * row['observed_high']:.1f}]",
        ]
        for row in records(table[table["n"] > 0])
    ]
    return Table(
        header=["Arm", "Probability", "Bin", "Predictions", "Mean predicted", "Observed [95 % interval]"],
        rows=rows,
        caption="Bins with at least one prediction.",
        sources=[SOURCE],
        closed=True,
        words=2,
    )
