"""The quality control of all visits on one page, the worst first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from pellucid.ground.errors import InputError
from pellucid.ground.files import write_text
from pellucid.ground.numbers import DASH, duration
from pellucid.preprocess.outliers import FAR, FEWEST, describe, outliers
from pellucid.preprocess.quality import MEASURES
from pellucid.preprocess.records import read_records
from pellucid.preprocess.verdicts import QUALITY, overrides
from pellucid.report.html.blocks import Card, Cards, Note, Section, Table, Text, link
from pellucid.report.html.render import render
from pellucid.report.quality.gallery import Gallery, shrunk
from pellucid.report.quality.strips import COLOURS, strips
from pellucid.report.quality.tables import capital, standing, verdict_mark, with_unit
from pellucid.report.quality.views import key

PAGE = "group.html"

_KEY = ("brain_dice", "t1w_nmi", "flair_nmi", "flair_dice", "scale", "lesion_ml", "bright_after")
_SHORT = {
    "brain_dice": "Brain Dice",
    "t1w_nmi": "T1w NMI",
    "flair_nmi": "FLAIR NMI",
    "flair_dice": "FLAIR Dice",
    "scale": "Scale",
    "lesion_ml": "Lesions",
    "bright_after": "Bright after filling",
}
_MOST = 3  # outliers in a row of the table of visits
_ORDER = ("failed", "unfinished", "fail", "check", "pass")

Record = Mapping[str, Any]


def write_group_page(out: Path) -> Path:
    """Write OUT/group.html from OUT/logs/*.json: what became of every visit, the worst first; and OUT/figures.

    A human's word is read from the column `override` of OUT/quality.tsv where that exists. The page embeds its
    pictures and asks no network; it links to the pages of the visits.

    Returns
    -------
    The path of the page.

    Raises
    ------
    InputError
        `out` holds no record, a record is damaged, or an override is no word that counts.
    """
    records = read_records(out)
    if not records:
        raise InputError(out, "contains no processed visit", "Run the participant level first")
    values = measured(records)
    deviations = outliers(values, list(values.columns))
    ranked = worst_first(records, deviations)
    gallery = Gallery(out, Path("figures"), "group")
    gallery.clear()
    sections = [
        _summary(ranked),
        _errors(out, ranked),
        _visits(out, ranked, deviations),
        _measures(ranked, values, deviations, gallery),
    ]
    page = render(
        [section for section in sections if section is not None],
        kind="quality control",
        title="All visits",
        about=f"Preprocessing of {len(records)} visit{'s' if len(records) != 1 else ''}",
        embed=gallery.embed,
        wide=True,
    )
    write_text(out / PAGE, page)
    return out / PAGE


def measured(records: Sequence[Record]) -> pd.DataFrame:
    """Return one row a visit, by its name, and one column for each of `MEASURES`; missing where there is no value."""
    rows = {str(record["visit"]): [record.get("measures", {}).get(name) for name in MEASURES] for record in records}
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(MEASURES)).astype("float64")


def worst_first(records: Sequence[Record], deviations: pd.DataFrame) -> list[Record]:
    """Sort visits: failed, unfinished, fail, check, pass; within each by their furthest deviation, then by name."""
    furthest = deviations.abs().max(axis=1).fillna(0.0)

    def rank(record: Record) -> tuple[int, float, str]:
        name = str(record["visit"])
        return _ORDER.index(standing(record)), -float(furthest[name]), name

    return sorted(records, key=rank)


def _summary(records: Sequence[Record]) -> Section:
    count = {word: sum(standing(record) == word for record in records) for word in _ORDER}
    done = count["pass"] + count["check"] + count["fail"]
    cards = [
        ("Visits", len(records), "begun"),
        ("Done", done, "processed to the end"),
        ("Failed", count["failed"], "an error stopped them"),
        ("Unfinished", count["unfinished"], "begun and not ended"),
        ("To check", count["check"], "a measure is unusual"),
        ("Fail quality control", count["fail"], "not used unless overridden"),
    ]
    shown = [Card(value=str(n), label=label, detail=detail) for label, n, detail in cards]
    return Section("summary", "In numbers", [Cards(cards=shown)])


def _errors(out: Path, records: Sequence[Record]) -> Section | None:
    section = Section("errors", "Failed and unfinished")
    for record in records:
        stands = standing(record)
        if stands == "failed":
            text = Markup("{} {}: {}").format(
                verdict_mark(stands), _page(out, record), record.get("error") or "no error named"
            )
            section.add(Note(tone="error", text=text))
        elif stands == "unfinished":
            said = (
                f"started at {record.get('started', 'an unknown time')}; if no process is working on it, run the "
                "command again."
            )
            section.add(
                Note(tone="warning", text=Markup("{} {}: {}").format(verdict_mark(stands), _page(out, record), said))
            )
    return section if section.blocks else None


def _visits(out: Path, records: Sequence[Record], deviations: pd.DataFrame) -> Section:
    overruled = overrides(out)
    strange = describe(deviations, most=_MOST)
    rows = []
    for record in records:
        name, values = str(record["visit"]), record.get("measures", {})
        word = overruled.get((str(record["participant_id"]), record.get("session_id")))
        seen = [_title(finding["measure"]) for finding in record.get("findings", [])]
        remarks = "; ".join(text for text in (*seen, strange[name]) if text)
        if standing(record) == "failed":
            remarks = record.get("error") or "no error named"
        rows.append(
            [
                _thumbnail(out, record),
                _page(out, record),
                verdict_mark(standing(record)),
                word or DASH,
                remarks or DASH,
                *(with_unit(values.get(measure), MEASURES[measure]) for measure in _KEY),
                duration(record.get("seconds")),
            ]
        )
    header = ["", "Visit", "Verdict", "Override", "What stands out", *(_SHORT[name] for name in _KEY), "Time"]
    caption = Markup(
        "All visits, the worst first. The picture is an axial slice of the FLAIR (or of the T1w if there is none) "
        "with the template's outlines. To override a verdict, write <code>use</code> or <code>exclude</code> into "
        "the column <code>override</code> of {}."
    ).format(link(QUALITY) if (out / QUALITY).is_file() else Markup("<code>{}</code>").format(QUALITY))
    return Section("visits", "Visits", [Table(header=header, rows=rows, caption=caption, words=5)])


def _measures(records: Sequence[Record], values: pd.DataFrame, deviations: pd.DataFrame, gallery: Gallery) -> Section:
    section = Section("measures", "Measures over all visits")
    if not np.isfinite(values.to_numpy()).any():
        section.add(Note(tone="missing", text="No visit was measured."))
        return section
    verdicts = {str(record["visit"]): standing(record) for record in records}
    colours = [key(COLOURS[word], word) for word in ("pass", "check", "fail")]
    section.add(
        gallery.chart(
            "measures",
            strips(values, deviations, verdicts),
            alt="For each measure a strip with one point for every visit, and the measure's bounds.",
            caption=Markup(
                "Each point is a visit, in the colour of its verdict: {}. The height has no meaning. Dashed line: "
                "bound for “check”; solid coloured line: bound for “fail” (not drawn if it is far away); grey line: "
                "median."
            ).format(Markup(", ").join(colours)),
        ),
        Text(
            paragraphs=[
                f"An outlier, named in the strips, lies more than {FAR:g} robust deviations from the median: |x − "
                "median| / (1.4826 MAD), with MAD the median of |x − median|. Outliers are reported if there are at "
                f"least {FEWEST} visits and most values are not equal. Compare visits of different scanners only "
                "with visits of the same scanner."
            ]
        ),
    )
    strange = describe(deviations)
    rows = [[Markup('<span class="name">{}</span>').format(name), text] for name, text in strange.items() if text]
    if rows:
        section.add(Table(header=["Visit", "Outlier in"], rows=rows, caption="Outliers.", words=2))
    return section


def _page(out: Path, record: Record) -> Markup:
    """Link to a visit's page; only its name where there is none."""
    name = str(record["visit"])
    target = f"{name}.html"
    linked = link(target, name) if (out / target).is_file() else name
    return Markup('<span class="name">{}</span>').format(linked)


def _thumbnail(out: Path, record: Record) -> str | Markup:
    name = str(record["visit"])
    path = out / str(record["participant_id"]) / "figures" / f"{name}_desc-thumbnail.png"
    if not path.is_file():
        return DASH
    return Markup('<img src="{}" alt="Axial slice of {}">').format(shrunk(path), name)


def _title(measure: str) -> str:
    return capital(MEASURES[measure].title) if measure in MEASURES else measure
