"""The words and tables of a visit's page: verdict, measures, steps, files, where it came from."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from pellucid.ground.numbers import DASH, duration, number
from pellucid.preprocess.quality import MEASURES, Measure
from pellucid.report.html.blocks import Card, Cards, Code, Items, Note, Section, Table, Text, link
from pellucid.report.quality.source import WORDS, Source

_CARDS = ("brain_dice", "t1w_nmi", "flair_nmi", "flair_dice", "lesion_ml", "bright_after")
_ROLES = {"t1w": "T1w", "flair": "FLAIR", "lesions": "lesion mask"}
_AGAIN = "Correct the problems and run the same command again: finished visits are not processed again."


def verdict_mark(verdict: str) -> Markup:
    """Write a verdict or a state in its colour."""
    return Markup('<span class="verdict {0}">{0}</span>').format(verdict)


def standing(record: Mapping[str, Any]) -> str:
    """Return where a visit stands in one word: pass, check, fail, failed or unfinished."""
    state = record.get("state")
    return (
        "unfinished"
        if state == "running"
        else "failed"
        if state == "failed"
        else str(record.get("verdict") or "unfinished")
    )


def verdict(source: Source) -> Section:
    """Say whether the visit can be used, and what speaks against it."""
    record, stands = source.record, standing(source.record)
    section = Section("verdict", "Verdict")
    mark = verdict_mark(stands)
    if stands == "pass":
        text = "Every measure is within its bounds. Check the pictures as well: no measure detects every problem."
        section.add(Note(tone="pass", text=Markup("{} {}").format(mark, text)))
    elif stands == "check":
        text = "Check the pictures and decide: the values below are unusual, but not certainly wrong."
        section.add(Note(tone="warning", text=Markup("{} {}").format(mark, text)))
    elif stands == "fail":
        text = "Do not use this visit unless the pictures show that the measure is mistaken."
        section.add(Note(tone="error", text=Markup("{} {}").format(mark, text)))
    elif stands == "failed":
        section.add(
            Note(tone="error", text=Markup("{} {}").format(mark, record.get("error") or "The record names no error."))
        )
        section.add(Text(paragraphs=[_AGAIN]))
        if trace := record.get("traceback"):
            section.add(Code(title="Traceback", text=trace, source=source.log))
    else:
        text = (
            f"It was started at {record.get('started', 'an unknown time')} and is not finished. If no process is "
            "working on it, its process was stopped from outside: run the same command again."
        )
        section.add(Note(tone="warning", text=Markup("{} {}").format(mark, text)))
    for finding in record.get("findings", []):
        tone: Any = "error" if finding["verdict"] == "fail" else "warning"
        section.add(
            Note(tone=tone, text=Markup("{} {}").format(verdict_mark(finding["verdict"]), sentence(finding["text"])))
        )
    if remarks := record.get("warnings", []):
        section.add(Text(paragraphs=["Remarked on the way:"]), Items(items=[sentence(remark) for remark in remarks]))
    return section


def headline(source: Source) -> Section | None:
    """Return the numbers that are looked at first; None if nothing was measured."""
    values = source.record.get("measures", {})
    cards = [
        Card(
            value=with_unit(values[name], MEASURES[name]),
            label=capital(MEASURES[name].title),
            detail=bounds(MEASURES[name].check, "expected"),
            source=source.log,
        )
        for name in _CARDS
        if values.get(name) is not None
    ]
    if not values:
        return None
    return Section("numbers", "In numbers", [Cards(cards=cards)])


def measures(source: Source) -> Section:
    """List every measure with its bounds."""
    section = Section("measures", "All measures")
    values = source.record.get("measures", {})
    if not values:
        section.add(Note(tone="missing", text="Nothing was measured: the visit stopped before that step."))
        return section
    verdicts = {finding["measure"]: finding["verdict"] for finding in source.record.get("findings", [])}
    rows = []
    for name, measure in MEASURES.items():
        value = values.get(name)
        judged = verdicts.get(name, "pass") if _bounded(measure) else None
        mark = verdict_mark(judged) if judged and value is not None else DASH if value is not None else "not measured"
        title = Markup("{}<br><code>{}</code>").format(capital(measure.title), name)
        better = {"high": "higher", "low": "lower", None: DASH}[measure.better]
        rows.append([title, with_unit(value, measure), bounds(measure.check), bounds(measure.fail), better, mark])
    rows += [
        [Markup("<code>{}</code>").format(name), number(value), DASH, DASH, DASH, DASH]
        for name, value in values.items()
        if name not in MEASURES
    ]
    section.add(
        Table(
            header=["Measure", "Value", "Expected", "Fails outside of", "Better", "Verdict"],
            rows=rows,
            caption="Check values that are not as expected. Use measures without bounds for comparison with other "
            "visits of the same scanner.",
            sources=[source.log],
        )
    )
    return section


def how(source: Source) -> Section:
    """List the steps with what did them and how long they took."""
    section = Section("steps", "Steps")
    steps = source.record.get("steps", [])
    if not steps:
        section.add(Note(tone="missing", text="The record lists no steps: the visit was not finished."))
        return section
    rows = [
        [
            capital(", ".join(word for word in (step["step"], _named(step["of"]).replace("_", " ")) if word)),
            _named(step["how"]),
            duration(step["seconds"]),
        ]
        for step in steps
    ]
    caption = f"Steps in their order; {duration(source.record.get('seconds'))} in total."
    section.add(Table(header=["Step", "How", "Time"], rows=rows, caption=caption, sources=[source.log], words=2))
    return section


def provenance(source: Source) -> Section:
    """List the files written and read, the versions and the settings."""
    record = source.record
    section = Section("provenance", "Files, versions, settings")
    written = [
        [
            capital(WORDS.get(key, key)),
            link(path) if source.file(key) else Markup("<code>{}</code> (gone)").format(path),
        ]
        for key, path in record.get("files", {}).items()
    ]
    if written:
        section.add(
            Table(header=["What", "File"], rows=written, caption="Files written.", sources=[source.log], words=2)
        )
    else:
        section.add(Note(tone="missing", text="No file was written."))
    given = [
        [
            _ROLES.get(each["role"], WORDS.get(each["role"], each["role"])),
            Markup("<code>{}</code>").format(each["path"]),
            Markup("<code>{}</code>").format(each["sha256"]),
        ]
        for each in record.get("inputs", [])
    ]
    if given:
        section.add(
            Table(header=["What", "File", "SHA-256"], rows=given, caption="Files read.", sources=[source.log], words=3)
        )
    else:
        section.add(Note(tone="missing", text="The record lists no input files: the visit stopped before that step."))
    versions = [
        [name, Markup("<code>{}</code>").format(version)] for name, version in record.get("versions", {}).items()
    ]
    if versions:
        section.add(
            Table(header=["Package", "Version"], rows=versions, caption="Versions.", sources=[source.log], words=2)
        )
    if settings := record.get("settings"):
        section.add(Code(title="Settings", text=json.dumps(settings, indent=2, ensure_ascii=False), source=source.log))
    return section


def with_unit(value: float | None, measure: Measure) -> str:
    """Write a value with its unit; a share is a number from 0 to 1."""
    if value is None or math.isnan(value):
        return DASH
    text = number(value, 4 if abs(value) >= 1 else 3)  # mutual information is judged by its third decimal
    return f"{text} {measure.unit}" if measure.unit and measure.unit != "share" else text


def bounds(span: tuple[float, float], word: str = "") -> str:
    """Write bounds: `0.93 to 1`, `at least 3`, `at most 3`, or a dash."""
    low, high = span
    if math.isinf(low) and math.isinf(high):
        return "" if word else DASH
    text = (
        f"at least {low:g}" if math.isinf(high) else f"at most {high:g}" if math.isinf(low) else f"{low:g} to {high:g}"
    )
    return f"{word} {text}".strip()


def capital(text: str) -> str:
    """Begin with a capital letter, unless the first word is a name as it is."""
    first = text.split(" ", 1)[0]
    return text if any(c in first for c in "._/-") or not first.islower() else text[0].upper() + text[1:]


def sentence(text: str) -> str:
    """Make a sentence of a remark: roles as they are called, a capital letter, a full stop."""
    text = capital(_named(text))
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _bounded(measure: Measure) -> bool:
    return any(math.isfinite(bound) for bound in (*measure.check, *measure.fail))


def _named(text: str) -> str:
    """Call images as they are called, where a word or a part between underscores is a role."""
    for role, word in (("t1w", "T1w"), ("flair", "FLAIR"), ("mni", "MNI")):
        text = re.sub(rf"(?<![a-z/.-]){role}(?![a-z/.-])", word, text)
    return text
