"""The page's opening: headline numbers, what went wrong, what was run on whom, with what."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from pellucid.ground.errors import brief
from pellucid.ground.files import read_json, read_tsv
from pellucid.ground.numbers import DASH, duration, number, percent, score, score_interval
from pellucid.report.html.blocks import (
    Block,
    Card,
    Cards,
    Code,
    Note,
    Section,
    Table,
    Text,
    link,
    missing,
    plain,
    records,
    twofold,
)
from pellucid.report.section_registry import text_section
from pellucid.report.sections.lesions import COMPARED, compared_with_nulls, paired
from pellucid.report.sections.results import main_arm
from pellucid.rundir.folder import RECORD, SPEC
from pellucid.rundir.run import Run, sidecar_sources
from pellucid.spec.arms import Arm, Baseline
from pellucid.spec.sections import Split
from pellucid.trust.lesion_measures import MEASURES
from pellucid.trust.lesion_summary import in_words

_BAD = {"failed": "failed", "blocked": "not run", "running": "not finished"}


@text_section("summary", title="In short", order=10)
def summary(run: Run) -> Section:
    """Return the headline numbers, each with its source; those that the run does not have are left out."""
    cards = [*_performance_cards(run), *_lesion_cards(run)]
    if run.field_of_view is not None:
        share = float(run.field_of_view["SeenShare"])
        detail = "of the voxels of its grid; no result is about the rest"
        source = sidecar_sources(run)[0]
        cards.append(Card(value=percent(share), label="The network sees", detail=detail, source=source))
    blocks: list[Block] = [Cards(cards=cards)] if cards else [missing("Headline numbers", "tables/table2.tsv")]
    if run.simulated:
        names = " and ".join(run.simulated)
        text = f"Simulated scans ({names}): the numbers show how well the method works where the truth is known."
        blocks.append(Note(tone="warning", text=text))
    return Section("summary", "In short", blocks)


@text_section("problems", title="Problems", order=20)
def problems(run: Run) -> Section | None:
    """Return what failed, whom that cost, and what is to be known of the data, or None if there is nothing."""
    rows: list[list[str | Markup]] = []
    remarks: list[list[str | Markup]] = []
    for name, task in run.log.tasks.items():
        if task.state in _BAD:
            rows.append([f"task {name}", _BAD[task.state] + task.tried, task.error or DASH])
        for one in task.messages:
            (rows if one.left_out else remarks).append([name, one.subject, one.message])
    for path, what in run.damaged.items():
        cure = "It is not shown on this page; `pellucid study run` makes it again."
        rows.append([run.relative(path), "damaged", f"The file {what}. {cure}"])
    header, section = ["Where", "Who or what", "Message"], Section("problems", "Problems")
    if rows:
        said = (
            "All problems. Participants named at a store are excluded from everything made from it; those named at a "
            "baseline are excluded from this baseline."
        )
        section.add(Table(header=header, rows=rows, caption=said, sources=[RECORD], words=3))
    if remarks:
        said = "Remarks on the data: corrections in the tables, and groups that this study does not use."
        section.add(Table(header=header, rows=remarks, caption=said, sources=[RECORD], words=3))
    return section if rows or remarks else None


@text_section("run", title="What was run", order=30)
def what_ran(run: Run) -> Section:
    """Return the study, its participants, its guard's verdict, its tasks and its machine."""
    section = Section("run", "What was run", [Text(paragraphs=_opening(run))])
    table1 = run.table("table1")
    section.add(missing("Participants", "tables/table1.tsv") if table1 is None else _participants(table1))
    if run.verdict is None:
        section.add(missing("The leakage guard's verdict", "splits.json"))
    else:
        verdict = Markup("<strong>Leakage guard:</strong> {} ({})").format(run.verdict, link("splits.tsv"))
        section.add(Text(paragraphs=[verdict]))
    section.add(*left_out(run), *_retried(run), _tasks(run), _machine(run))
    if run.spec is None:
        text = f"Missing: the specification; sections that need it are not shown. {run.spec_problem}"
        section.add(Note(tone="missing", text=text))
    if run.spec_text:
        section.add(Code(title="The specification, every default filled in", text=run.spec_text, source=SPEC))
    return section


def left_out(run: Run) -> list[Block]:
    """Count for each arm and baseline the participants of its cohort that none of its models was given, and say why."""
    if run.splits is None:
        return [missing("Participants excluded from each arm", "splits.tsv")]
    rows, whole_arms = [], []
    users: dict[str, Arm | Baseline] = {**run.arms, **run.baselines}
    for name, user in users.items():
        fits = [trial.folder for trial in run.trials if trial.arm == name] or run.folder.finished_fits(name)
        given = {who for fit in fits for who in read_tsv(fit / "predictions.tsv")["participant_id"]}
        people = run.splits[run.splits["cohort"] == user.cohort]
        if isinstance(user, Arm) and user.subjects:  # who was not drawn to train on is not left out
            people = people[people["role"] != "train"]
        absent = people[~people["participant_id"].isin(given)].drop_duplicates("participant_id")
        if not given or people.empty:
            continue
        if absent.empty:
            whole_arms.append(name)
            continue
        counts = absent["group"].value_counts().sort_index()
        groups = ", ".join(f"{count} {group}" for group, count in counts.items())
        number_of = f"{len(absent)} of {people['participant_id'].nunique()}"
        rows.append([name, _reason(fits, user.images), twofold(number_of, groups)])
    if not rows:
        said = "No arm and no baseline had to exclude a participant of its cohort."
        return [Text(paragraphs=[said])] if whole_arms else []
    rest = f" No participant was excluded from {', '.join(whole_arms)}." if whole_arms else ""
    caption = f"Participants of its cohort that an arm or baseline had to exclude.{rest}"
    sources = ["splits.tsv", "models", "baselines"]
    return [Table(header=["Arm", "Why", "Excluded"], rows=rows, caption=caption, sources=sources, words=2)]


def _reason(fits: Sequence[Path], images: str) -> str:
    """Say why an arm or baseline left somebody out, as far as the files of its fits tell."""
    described = [read_json(fit / "model.json", {"excluded?": [{"reason": str}]}) for fit in fits]
    said = sorted({one["reason"] for model in described for one in model.get("excluded") or ()})
    if said:
        return "; ".join(said)
    return f"no lesion mask, which {images} images need" if images.startswith("lesion") else "not said"


def _retried(run: Run) -> list[Note]:
    """Name the tasks that were done, but not at the first attempt."""
    again = [
        f"{name}{task.tried}" for name, task in run.log.tasks.items() if task.state == "done" and task.attempts > 1
    ]
    text = f"Done, but not in the first attempt: {'; '.join(again)}."
    return [Note(tone="remark", text=text)] if again else []


def _performance_cards(run: Run) -> list[Card]:
    table = run.table("table2")
    if table is None:
        return []
    arm = main_arm(run, list(table["arm"]))
    cards = []
    for metric, label in (("auc", "AUC"), ("balanced_accuracy", "Balanced accuracy")):
        for row in records(table[(table["arm"] == arm) & (table["metric"] == metric)]):
            detail = f"95 % interval {score_interval(row['low'], row['high'], metric)}"
            who = f"{row['n_subjects']:.0f} held-out participants"
            value = score(row["mean"], metric)
            cards.append(
                Card(value=value, label=f"{label}, {arm}", detail=f"{detail}, {who}", source="tables/table2.tsv")
            )
    return cards


def _lesion_cards(run: Run) -> list[Card]:
    """Say by ranks and by lift how the map finds lesions, each beside the best null, paired."""
    found = compared_with_nulls(run)
    cards = []
    for measure, unit in (("average_precision", ""), ("lift", "×")):
        if measure in found:
            row = found[measure]
            null = f"best null {row['best_null']} {number(row['null_value'])}{unit}"
            detail = f"median of {row['people']:.0f} patients; {null}; paired difference {paired(row)}: {in_words(row)}"
            label = f"Relevance in lesions: {MEASURES[measure].title} of the map"
            value = f"{number(row['map_value'])}{unit}"
            cards.append(Card(value=value, label=label, detail=detail, source=COMPARED))
    return cards


def _opening(run: Run) -> list[str | Markup]:
    title, seed, starts = f" ({run.title})" if run.title else "", run.log.seed, run.log.starts
    times = [_time(part) for part in (starts[0].started, starts[-1].finished) if part] if starts else []
    parts = [f"Study “{run.name}”{title}.", "" if seed is None else f"Seed {seed}."]
    if times:
        parts.append(f"Run from {' to '.join(times)} UTC" + (f", in {len(starts)} goes." if len(starts) > 1 else "."))
    if run.spec is not None:
        said = [_arm(name, arm, run.spec.splits[arm.cohort]) for name, arm in run.spec.training.items()]
        parts.append(f"Arms: {'; '.join(said)}.")
    return [" ".join(part for part in parts if part)]


def _time(stamp: object) -> str:
    """Write `2026-11-23T07:10:00Z` as `23 November 2026, 07:10`, and what is no time as it stands in the record."""
    try:
        return datetime.fromisoformat(str(stamp)).strftime("%d %B %Y, %H:%M").lstrip("0")
    except ValueError:
        return brief(repr(stamp), 60)


def _arm(name: str, arm: Arm, split: Split) -> str:
    folds = f" in each of {split.numbers} folds" if split.scheme == "cross-validation" else ""
    said = [
        f"cohort {arm.cohort}",
        f"{arm.trials} trial{'s' if arm.trials != 1 else ''}{folds}",
        f"starting from {arm.start_from}" if arm.start_from else "from random weights",
        *([] if arm.fit else ["not trained"]),
    ]
    return f"{name} ({', '.join(said)})"


def _participants(table: pd.DataFrame) -> Table:
    """Show who took part, as the paper's Table 1: one row a cohort, group and role."""
    caption = (
        "Participants of each cohort by group and role. Mean ± SD (range); EDSS: median (range); disease: its "
        "duration. Second line: number of participants with a known value, if fewer than all."
    )
    header = [
        "Cohort",
        "Group and role",
        "Participants (scans)",
        "Age (years)",
        "EDSS",
        "Disease (months)",
        "Lesions (ml)",
    ]
    order = {"all": 0, "train": 1, "validation": 2, "holdout": 3}
    table = table.assign(place=table["role"].map(order)).sort_values(["cohort", "group", "place"])
    rows = [
        [
            str(row["cohort"]),
            twofold(str(row["group"]), str(row["role"])),
            twofold(f"{plain(row['participants'])} ({plain(row['scans'])})", _women(row)),
            _spread(row, "age", "mean"),
            _spread(row, "edss", "median"),
            _spread(row, "disease_duration_months", "mean"),
            _spread(row, "lesion_volume_ml", "mean"),
        ]
        for row in records(table)
    ]
    return Table(header=header, rows=rows, caption=caption, sources=["tables/table1.tsv"], words=2)


def _women(row: dict[str, Any]) -> str:
    women = "woman" if row["female"] == 1 else "women"
    known = f" of {plain(row['sex_known'])}" if row["sex_known"] < row["participants"] else ""
    return f"{plain(row['female'])} {women}{known}"


def _spread(row: dict[str, Any], column: str, centre: str) -> str | Markup:
    if not row[f"{column}_n"]:
        return DASH
    deviation = f" ± {number(row[f'{column}_sd'])}" if centre == "mean" and row[f"{column}_n"] > 1 else ""
    limits = f"{number(row[f'{column}_min'])}–{number(row[f'{column}_max'])}"
    cell = twofold(f"{number(row[f'{column}_{centre}'])}{deviation}", f"({limits})")
    return twofold(cell, f"of {plain(row[f'{column}_n'])}") if row[f"{column}_n"] < row["participants"] else cell


def _tasks(run: Run) -> Block:
    found = run.log.tasks
    if not found:
        return missing("The log of tasks", f"{RECORD}: tasks")
    rows = [[name, task.state + task.tried, duration(task.seconds)] for name, task in found.items()]
    total = sum(task.seconds or 0.0 for task in found.values())
    done = sum(task.state == "done" for task in found.values())
    return Table(
        header=["Task", "Outcome", "Time"],
        rows=rows,
        caption=f"{done} of {len(found)} tasks done, {duration(total)} in total.",
        sources=[RECORD],
        closed=True,
        words=2,
    )


def _machine(run: Run) -> Block:
    environment = run.log.environment
    if not environment:
        return missing("Versions and hardware", f"{RECORD}: runs")
    facts: dict[str, object] = {
        "Pellucid": environment.get("pellucid"),
        "Python": environment.get("python"),
        **(environment.get("packages") or {}),
        "Processor": environment.get("processor"),
        "Vector instructions": environment.get("vectors"),
        "Cores, threads used": f"{plain(environment.get('cores'))}, {plain(environment.get('threads'))}",
        "Memory (GB)": environment.get("memory_gb"),
        "GPU": ", ".join(environment.get("gpus") or ()) or "none",
        "System": environment.get("platform"),
    }
    rows = [[name, plain(value)] for name, value in facts.items()]
    caption = "Software and hardware of the last call."
    return Table(header=["What", "Which"], rows=rows, caption=caption, sources=[RECORD], closed=True, words=2)
