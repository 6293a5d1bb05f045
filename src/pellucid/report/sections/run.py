"""The page's opening: headline numbers, what went wrong, what was run on whom, with what."""

from __future__ import annotations

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
from pellucid.rundir.run import RECORD, Run, sidecar_sources
from pellucid.trust.lesion_measures import MEASURES
from pellucid.trust.lesion_summary import in_words

_BAD = {"failed": "failed", "blocked": "not run", "running": "not finished"}


@text_section("summary", title="In short", order=10)
def summary(run: Run) -> Section:
    """Return the headline numbers, each with its source; those that the run does not have are left out."""
    cards = [*_performance_cards(run), *_lesion_cards(run)]
    if run.field_of_view is not None:
        share = float(run.field_of_view["SeenShare"])
        detail = "of the voxels of its grid; nothing here speaks of the rest"
        source = sidecar_sources(run)[0]
        cards.append(Card(value=percent(share), label="The network sees", detail=detail, source=source))
    blocks: list[Block] = [Cards(cards=cards)] if cards else [missing("Headline numbers", "tables/table2.tsv")]
    if run.simulated:
        names = " and ".join(run.simulated)
        text = f"Simulated scans ({names}): the numbers say how the method does where the truth is known."
        blocks.append(Note(tone="warning", text=text))
    return Section("summary", "In short", blocks)


@text_section("problems", title="Problems", order=20)
def problems(run: Run) -> Section | None:
    """Return what failed, whom that cost, and what is to be known of the data, or None if there is nothing."""
    rows: list[list[str | Markup]] = []
    remarks: list[list[str | Markup]] = []
    for name, task in tasks(run).items():
        if task.get("state") in _BAD:
            rows.append([f"task {name}", _BAD[task["state"]] + _tried(task), str(task.get("error", DASH))])
        rows += [[name, problem["subject"], problem["message"]] for problem in task.get("problems", [])]
        remarks += [[name, remark["subject"], remark["message"]] for remark in task.get("remarks", [])]
    for path, what in run.damaged.items():
        cure = "It is shown nowhere on this page; `pellucid study run` makes it again."
        rows.append([path.relative_to(run.folder).as_posix(), "damaged", f"The file {what}. {cure}"])
    header, section = ["Where", "Who or what", "Message"], Section("problems", "Problems")
    if rows:
        said = (
            "Everything that went wrong. Subjects named at a store are in no number that is made from it, those "
            "named at a baseline in none of its own."
        )
        section.add(Table(header=header, rows=rows, caption=said, sources=[RECORD], words=3))
    if remarks:
        said = "Remarks on the data: what was mended in the tables, and which groups take no part in this study."
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
    if run.spec_text:
        section.add(Code(title="The specification, every default filled in", text=run.spec_text, source="study.toml"))
    else:
        section.add(missing("The specification", "study.toml"))
    return section


def tasks(run: Run) -> dict[str, dict[str, Any]]:
    """Return what the record says of each task, by name."""
    found = run.record.get("tasks", {})
    return found if isinstance(found, dict) else {}


def left_out(run: Run) -> list[Block]:
    """Count for each arm and baseline the participants of its cohort that none of its models was given, and say why."""
    if run.splits is None:
        return [missing("Who was left out of each arm", "splits.tsv")]
    rows, whole_arms = [], []
    for kind, folder in (("training", "models"), ("baselines", "baselines")):
        for name, settings in run.spec.get(kind, {}).items():
            given = _given(run.folder / folder / name)
            people = run.splits[run.splits["cohort"] == settings.get("cohort")]
            if settings.get("subjects"):  # who was not drawn to train on is not left out
                people = people[people["role"] != "train"]
            absent = people[~people["participant_id"].isin(given)].drop_duplicates("participant_id")
            if not given or people.empty:
                continue
            if absent.empty:
                whole_arms.append(name)
                continue
            counts = absent["group"].value_counts().sort_index()
            groups = ", ".join(f"{count} {group}" for group, count in counts.items())
            why = _reason(run.folder / folder / name, str(settings.get("images", "prepared")))
            number_of = f"{len(absent)} of {people['participant_id'].nunique()}"
            rows.append([name, why, twofold(number_of, groups)])
    if not rows:
        said = "No arm and no baseline had to leave out anybody of its cohort."
        return [Text(paragraphs=[said])] if whole_arms else []
    rest = f" Nobody was left out of {', '.join(whole_arms)}." if whole_arms else ""
    caption = f"Participants of its cohort that an arm or baseline had to do without.{rest}"
    sources = ["splits.tsv", "models", "baselines"]
    return [Table(header=["Arm", "Why", "Left out"], rows=rows, caption=caption, sources=sources, words=2)]


def _given(folder: Path) -> set[str]:
    """Return the participants in the predictions of all models in a folder."""
    found = [read_tsv(path)["participant_id"] for path in sorted(folder.glob("trial-*/predictions.tsv"))]
    return set(pd.concat(found)) if found else set()


def _reason(folder: Path, images: str) -> str:
    """Say why an arm or baseline left somebody out, as far as its files tell."""
    described = [read_json(path) for path in sorted(folder.glob("trial-*/model.json"))]
    said = sorted({str(one["reason"]) for model in described for one in model.get("excluded", [])})
    if said:
        return "; ".join(said)
    return f"no lesion mask, which {images} images need" if images.startswith("lesion") else "not said"


def _tried(task: dict[str, Any]) -> str:
    """Say how often a task was tried, if more than once."""
    return f", tried {task['attempts']} times" if task.get("attempts", 1) > 1 else ""


def _retried(run: Run) -> list[Note]:
    """Name the tasks that were done, but not at the first attempt."""
    again = [
        f"{name}{_tried(task)}"
        for name, task in tasks(run).items()
        if task.get("state") == "done" and task.get("attempts", 1) > 1
    ]
    text = f"Done, but not at the first attempt: {'; '.join(again)}."
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
            who = f"{row['n_subjects']:.0f} held-out subjects" if "n_subjects" in row else "held-out subjects"
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
    study = run.spec.get("study", {})
    name = str(study.get("name") or run.record.get("study") or run.folder.name)
    title = f" ({study['title']})" if study.get("title") else ""
    seed = run.record.get("seed", study.get("seed"))
    runs = run.record.get("runs") or [{}]
    times = [_time(part) for part in (runs[0].get("started"), runs[-1].get("finished")) if part]
    parts = [f"Study “{name}”{title}.", "" if seed is None else f"Seed {seed}."]
    if times:
        parts.append(f"Run from {' to '.join(times)} UTC" + (f", in {len(runs)} goes." if len(runs) > 1 else "."))
    arms = run.spec.get("training", {})
    if arms:
        parts.append(f"Arms: {'; '.join(_arm(run, arm, settings) for arm, settings in arms.items())}.")
    return [" ".join(part for part in parts if part)]


def _time(stamp: object) -> str:
    """Write `2026-11-23T07:10:00Z` as `23 November 2026, 07:10`, and what is no time as it stands in the record."""
    try:
        return datetime.fromisoformat(str(stamp)).strftime("%d %B %Y, %H:%M").lstrip("0")
    except ValueError:
        return brief(repr(stamp), 60)


def _arm(run: Run, name: str, settings: dict[str, Any]) -> str:
    cohort, start, trials = settings.get("cohort", "unknown"), settings.get("start_from"), settings.get("trials", 1)
    split = run.spec.get("splits", {}).get(cohort, {})
    crossed = split.get("scheme") == "cross-validation"
    said = [
        f"cohort {cohort}",
        f"{trials} trial{'s' if trials != 1 else ''}"
        + (f" in each of {int(split.get('folds', 5)) * int(split.get('repeats', 1))} folds" if crossed else ""),
        f"starting from {start}" if start else "from random weights",
        *([] if settings.get("fit", True) else ["not trained"]),
    ]
    return f"{name} ({', '.join(said)})"


def _participants(table: pd.DataFrame) -> Table:
    """Show who took part, as the paper's Table 1: one row a cohort, group and role."""
    caption = (
        "Participants of each cohort by group and role. Mean ± SD (range); EDSS: median (range); disease: its "
        "duration; below, of how many, where not all are known."
    )
    header = ["Cohort", "Group and role", "Subjects (scans)", "Age (years)", "EDSS", "Disease (months)", "Lesions (ml)"]
    order = {"all": 0, "train": 1, "validation": 2, "holdout": 3}
    table = table.assign(place=table["role"].map(order)).sort_values(["cohort", "group", "place"])
    rows = [
        [
            str(row["cohort"]),
            twofold(str(row["group"]), str(row["role"])),
            twofold(f"{plain(row.get('participants'))} ({plain(row.get('scans'))})", _women(row)),
            _spread(row, "age", "mean"),
            _spread(row, "edss", "median"),
            _spread(row, "disease_duration_months", "mean"),
            _spread(row, "lesion_volume_ml", "mean"),
        ]
        for row in records(table)
    ]
    return Table(header=header, rows=rows, caption=caption, sources=["tables/table1.tsv"], words=2)


def _women(row: dict[str, Any]) -> str:
    known, people = row.get("sex_known", row["participants"]), row["participants"]
    women = "woman" if row.get("female") == 1 else "women"
    return f"{plain(row.get('female'))} {women}" + (f" of {plain(known)}" if known < people else "")


def _spread(row: dict[str, Any], column: str, centre: str) -> str | Markup:
    if not row.get(f"{column}_n"):
        return DASH
    deviation = f" ± {number(row[f'{column}_sd'])}" if centre == "mean" and row[f"{column}_n"] > 1 else ""
    limits = f"{number(row[f'{column}_min'])}–{number(row[f'{column}_max'])}"
    cell = twofold(f"{number(row[f'{column}_{centre}'])}{deviation}", f"({limits})")
    return twofold(cell, f"of {plain(row[f'{column}_n'])}") if row[f"{column}_n"] < row["participants"] else cell


def _tasks(run: Run) -> Block:
    found = tasks(run)
    if not found:
        return missing("The log of tasks", f"{RECORD}: tasks")
    rows = [
        [name, str(task.get("state", DASH)) + _tried(task), duration(task.get("seconds"))]
        for name, task in found.items()
    ]
    total = sum(task.get("seconds", 0.0) for task in found.values())
    done = sum(task.get("state") == "done" for task in found.values())
    return Table(
        header=["Task", "Outcome", "Time"],
        rows=rows,
        caption=f"{done} of {len(found)} tasks done, {duration(total)} in all.",
        sources=[RECORD],
        closed=True,
        words=2,
    )


def _machine(run: Run) -> Block:
    runs = run.record.get("runs") or [{}]
    environment = runs[-1].get("environment", {})
    if not environment:
        return missing("Versions and hardware", f"{RECORD}: runs")
    packages = environment.get("packages", {})
    facts: dict[str, object] = {
        "Pellucid": environment.get("pellucid"),
        "Python": environment.get("python"),
        **packages,
        "Processor": environment.get("processor"),
        "Vector instructions": environment.get("vectors"),
        "Cores, threads used": f"{plain(environment.get('cores'))}, {plain(environment.get('threads'))}",
        "Memory (GB)": environment.get("memory_gb"),
        "GPU": ", ".join(environment.get("gpus", [])) or "none",
        "System": environment.get("platform"),
    }
    rows = [[name, plain(value)] for name, value in facts.items()]
    caption = "Software and hardware of the last go."
    return Table(header=["What", "Which"], rows=rows, caption=caption, sources=[RECORD], closed=True, words=2)
