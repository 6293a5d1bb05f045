"""Whether one arm is better than another, on the same held-out subjects."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from pellucid.ground.numbers import DASH, number, score, whole
from pellucid.report.html.blocks import Note, Picture, Section, Table, Text, missing, records, reference
from pellucid.report.pictures.comparisons import forest_figure, p_value
from pellucid.report.pictures.style import save
from pellucid.report.section_registry import page_section
from pellucid.report.sections.results import main_arm
from pellucid.rundir.run import Run

SOURCE = "tables/comparisons.tsv"
BY_TRIAL = "tables/trials_paired.tsv"
METRICS = {"auc": "AUC", "balanced_accuracy": "Balanced accuracy", "accuracy": "Accuracy"}


@page_section("comparisons", title="Arms compared", order=60)
def comparisons(run: Run, figures: Path) -> Section:
    """Return the differences from the main arm as a forest plot, and those of every two arms as a table."""
    section = Section("comparisons", "Arms compared")
    table = run.table("comparisons")
    if table is None:
        section.add(missing("Comparisons of the arms", SOURCE))
        return section
    if table.empty:
        text = "No two arms were evaluated on the same cohort: there is nothing to compare."
        section.add(Note(tone="remark", text=text))
        return section
    good = _compared(table)
    section.add(
        Text(paragraphs=[_words(good)]) if len(good) else Note(tone="missing", text="No two arms can be compared.")
    )
    section.add(*_left_undone(table))
    if good.empty:
        return section
    main = main_arm(run, [*good["arm_one"], *good["arm_two"]])
    pairs = against(good, main)
    save(forest_figure(pairs, METRICS), figures / "comparisons")
    others = ", ".join(dict.fromkeys(pairs["other"]))
    section.add(
        Picture(
            stem="comparisons",
            suffix=".svg",
            alt=f"Forest plot: differences of {main} from {others} in {', '.join(METRICS.values())}, with intervals.",
            caption=f"Difference, {main} minus the other model; right of 0 favours {main}. Hollow: no interval can "
            "be computed.",
            sources=[SOURCE],
        ),
        _all_pairs(good),
    )
    section.add(*_by_trial(run))
    return section


def against(table: pd.DataFrame, main: str) -> pd.DataFrame:
    """Return the pairs that an arm is one of, seen from it: other, metric, difference, low, high, p.

    >>> row = {"arm_one": "b", "arm_two": "a", "metric": "auc", "difference": 0.1, "low": 0.0, "high": 0.3, "p": 0.05}
    >>> against(pd.DataFrame([row]), "a").to_dict("records")
    [{'other': 'b', 'metric': 'auc', 'difference': -0.1, 'low': -0.3, 'high': -0.0, 'p': 0.05}]
    """
    rows = []
    for row in records(table[(table["arm_one"] == main) | (table["arm_two"] == main)]):
        turned = row["arm_two"] == main
        ends = (-row["high"], -row["low"]) if turned else (row["low"], row["high"])
        difference = -row["difference"] if turned else row["difference"]
        rows.append((row["arm_one"] if turned else row["arm_two"], row["metric"], difference, *ends, row["p"]))
    return pd.DataFrame(rows, columns=["other", "metric", "difference", "low", "high", "p"])


def _problem(row: dict[str, Any]) -> str:
    """Return why a pair was not compared; empty if it was."""
    said = row.get("problem")
    return said if isinstance(said, str) else ""


def _compared(table: pd.DataFrame) -> pd.DataFrame:
    return table[[not _problem(row) for row in records(table)]]


def _words(good: pd.DataFrame) -> str:
    number_of = len(good.drop_duplicates(["arm_one", "arm_two"]))
    scores = reference("scores", "tables/table2.tsv")
    said = (
        "Every pair of arms or baselines that were evaluated on the same cohort is compared, on the participants "
        f"that both evaluated. A score is the mean over an arm's trials, as in {scores}, and a participant counts "
        "once, with the mean logit over their scans. Tests: DeLong for AUCs; a permutation test for both accuracies, "
        "or the exact McNemar test for the plain accuracy if both arms have one trial. Intervals of differences are "
        "also valid with few participants; they are not tests, and near 0 they may disagree with p. "
    )
    if number_of == 1:
        return f"{said}There is one pair."
    return (
        f"{said}Each p is for its pair alone; q controls the false discovery rate over all tests of the table, "
        f"{number_of} pairs times {len(METRICS)} scores."
    )


def _left_undone(table: pd.DataFrame) -> list[Note]:
    """Say which pairs were not compared, those with one reason together."""
    reasons: dict[str, list[str]] = {}
    for row in records(table):
        if _problem(row):
            reasons.setdefault(_problem(row), []).append(f"{row['arm_one']} and {row['arm_two']}")
    return [
        Note(tone="warning", text=f"Not compared: {'; '.join(names)}. Why: {why.rstrip('.')}.")
        for why, names in reasons.items()
    ]


def _all_pairs(good: pd.DataFrame) -> Table:
    rows: list[list[str | Markup]] = []
    for (one, two), some in good.groupby(["arm_one", "arm_two"], sort=False):
        by_metric = {str(row["metric"]): row for row in records(some)}
        cells = [_difference(by_metric[metric]) if metric in by_metric else DASH for metric in METRICS]
        rows.append(
            [Markup('<span class="name">{}<br>less {}</span>').format(one, two), *cells, *_counts(records(some)[0])]
        )
    return Table(
        header=["Pair", *METRICS.values(), "Better by", "Participants"],
        rows=rows,
        caption=f"Every pair ({len(rows)}). From top to bottom in a cell: the difference (accuracies in percentage "
        "points) with its 95 % interval, the two scores, p, and q (false discovery rate over all tests of this "
        "table). Better by: participants classified correctly more often by the first / by the second model. "
        "Participants: those that both evaluated; second line: those that only one evaluated.",
        sources=[SOURCE],
        closed=True,
        words=1,
    )


def _by_trial(run: Run) -> list[Table]:
    """Show the networks that were trained several times on one division, compared trial by trial."""
    pairs = run.table("trials_paired")
    if pairs is None or pairs.empty:
        return []
    rows: list[list[str | Markup]] = [
        [
            Markup('<span class="name">{}<br>less {}</span>').format(row["arm_one"], row["arm_two"]),
            f"{difference(row['difference'], 'auc')} ± {row['sd']:.3f}",
            DASH if math.isnan(row["low"]) else f"[{difference(row['low'], 'auc')}, {difference(row['high'], 'auc')}]",
            DASH if math.isnan(row["p"]) else f"{p_value(row['p'])}, q = {number(row['q'], 2)}",
            whole(row["n_trials"]),
        ]
        for row in records(pairs)
    ]
    table = Table(
        header=["Pair", "AUC", "95 % interval", "p", "Trials"],
        rows=rows,
        caption="Networks compared trial by trial; trials with the same seed are paired: mean difference of the AUC "
        "± SD over trials, the interval and p of the paired t-test, and q (false discovery rate over the table's "
        "pairs). This table is about other seeds on these held-out participants; the table above is about other "
        "participants with these networks.",
        sources=["tables/trials.tsv", BY_TRIAL],
        closed=True,
        words=1,
    )
    return [table]


def _difference(row: dict[str, Any]) -> Markup:
    metric = str(row["metric"])
    both = [difference(row[end], metric) for end in ("low", "high")]
    ends = "no interval" if math.isnan(row["low"]) else f"[{both[0]}, {both[1]}]"
    scores = f"{score(row['one'], metric)}, {score(row['two'], metric)}"
    p = "no p" if math.isnan(row["p"]) else f"{p_value(row['p'])}, q = {number(row['q'], 2)}"
    return Markup("{}<br>{}<br>{}<br>{}").format(difference(row["difference"], metric), ends, scores, p)


def _counts(row: dict[str, Any]) -> list[str | Markup]:
    only = [whole(row[f"n_only_{side}"]) for side in ("one", "two")]
    both = whole(row["n_both"])
    apart = row["n_only_one"] or row["n_only_two"]
    people = Markup("{}<br>only one: {}, {}").format(both, *only) if apart else both
    return [f"{whole(row['better_one'])}, {whole(row['better_two'])}", people]


def difference(value: float, metric: str) -> str:
    """Write a difference with its sign: of AUCs as such, of other scores in percentage points.

    >>> difference(0.0512, "auc"), difference(-0.2, "accuracy"), difference(-0.0001, "auc")
    ('+0.051', '−20.0', '0.000')
    """
    digits, scale = (3, 1.0) if metric == "auc" else (1, 100.0)
    rounded = round(scale * value, digits)
    return f"{0:.{digits}f}" if rounded == 0 else f"{rounded:+.{digits}f}".replace("-", "−")
