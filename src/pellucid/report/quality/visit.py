"""The quality control of one visit on one page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pellucid.ground.files import write_text
from pellucid.report.html.render import render
from pellucid.report.quality.gallery import Gallery
from pellucid.report.quality.lesions import lesions
from pellucid.report.quality.registration import alignment, brains, registration, thumbnail
from pellucid.report.quality.source import Source
from pellucid.report.quality.tables import headline, how, measures, provenance, verdict
from pellucid.report.quality.tissue import network, tissue


def write_visit_page(out: Path, record: Mapping[str, Any]) -> Path:
    """Write OUT/VISIT.html for a visit of the derivative dataset `out`, and its pictures to OUT/sub-X/figures as PNG.

    Only `record`, the content of OUT/logs/VISIT.json, and the files that it names are read. What is missing, or cannot
    be read, is said to be so with its reason; a visit that failed has a page as well. The page embeds its pictures and
    asks no network.

    Returns
    -------
    The path of the page.
    """
    source = Source(out, record)
    gallery = Gallery(out, Path(str(record["participant_id"]), "figures"), source.name)
    gallery.clear()
    sections = [verdict(source), headline(source)]
    if record.get("files"):
        sections += [
            registration(source, gallery),
            alignment(source, gallery),
            brains(source, gallery),
            tissue(source, gallery),
            lesions(source, gallery),
            network(source, gallery),
        ]
        thumbnail(source, gallery)
    sections += [measures(source), how(source), provenance(source)]
    page = render(
        [section for section in sections if section is not None],
        kind="quality control",
        title=source.name,
        about=_about(record),
        embed=gallery.embed,
        wide=True,
    )
    path = out / f"{source.name}.html"
    write_text(path, page)
    return path


def _about(record: Mapping[str, Any]) -> str:
    session = f", session {record['session_id'].removeprefix('ses-')}" if record.get("session_id") else ""
    return f"Preprocessing of participant {str(record['participant_id']).removeprefix('sub-')}{session}"
