"""Sections to one HTML page that needs nothing but itself."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import jinja2

import pellucid
from pellucid.report.html.blocks import Section, Table, resolved

# Control characters but tab and line break, and those that turn a line around: a page is read in terminals too.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

TYPES = {".png": "image/png", ".svg": "image/svg+xml", ".webp": "image/webp"}


def render(
    sections: Sequence[Section], *, kind: str, title: str, about: str, embed: Callable[[str], str], wide: bool = False
) -> str:
    """Return the page.

    Parameters
    ----------
    sections
        What it holds, in order.
    kind
        What sort of page it is, beside the name Pellucid.
    title
        Its heading.
    about
        What it is about, under the heading.
    embed
        Returns the data URI of a picture by its file's name.
    wide
        Whether the page takes more of a wide screen, for pictures of many slices.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pellucid.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("report.html.j2").render(
        kind=kind,
        title=title,
        about=about,
        version=pellucid.__version__,
        written=datetime.now(UTC).strftime("%d %B %Y, %H:%M UTC"),
        sections=sections,
        embed=embed,
        wide=wide,
    )
    page = _UNSEEN.sub(lambda found: found.group().encode("unicode_escape").decode("ascii"), page)
    return resolved(page, [block.key for section in sections for block in section.blocks if isinstance(block, Table)])


def data_uri(content: bytes, suffix: str) -> str:
    """Return a picture's bytes as a data URI."""
    return f"data:{TYPES[suffix]};base64,{base64.b64encode(content).decode('ascii')}"


def embedded(path: Path) -> str:
    """Return a picture's file as a data URI."""
    return data_uri(path.read_bytes(), path.suffix)
