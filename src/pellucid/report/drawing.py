"""A part of a page that cannot be drawn costs no other: the reason stands in its place."""

from __future__ import annotations

from collections.abc import Callable

from pellucid.ground.errors import PellucidError
from pellucid.ground.files import disk_trouble
from pellucid.report.html.blocks import Note, Section


def drawn_or_why(
    anchor: str, title: str, draw: Callable[[], Section | None], note: Callable[[str], None]
) -> Section | None:
    """Draw a section, or one in its place that says why it could not be drawn; a full disk is an error all the same."""
    try:
        return draw()
    except Exception as error:  # whatever is wrong with one part, a study of days keeps its page
        if disk_trouble(error) is not None:
            raise
        known = isinstance(error, PellucidError)
        why = str(error) if known else f"{type(error).__name__}: {error}. Please report it."
        note(f"“{title}” could not be made: {why}")
        return Section(anchor, title, [Note(tone="error", text=f"This section could not be made. {why}")])
