"""Notes at the foot of a figure, in lines that fit its width."""

from __future__ import annotations

import textwrap
from typing import Any

from matplotlib.figure import Figure

from pellucid.report.pictures.style import MUTED, SANS, drawn

_SIZE = 7.5
_LINE, _EDGE = 0.145, 0.12  # inches: a line of the note, and the margin around it
_CHARACTER = 0.0575  # inches: what a character of the note takes on average


def note_lines(text: str, width: float) -> list[str]:
    """Break a note into lines for a figure `width` inches wide."""
    return textwrap.wrap(drawn(text), int((width - 2 * _EDGE) / _CHARACTER))


def note_height(text: str, width: float) -> float:
    """Return the height in inches that a note takes below a figure."""
    return _LINE * len(note_lines(text, width)) + 2 * _EDGE


def write_note(figure: Figure, text: str) -> None:
    """Write a note at the foot of a figure, where `note_height` inches are free."""
    width, height = figure.get_size_inches()
    figure.text(
        _EDGE / width,
        _EDGE / height,
        "\n".join(note_lines(text, width)),
        fontsize=_SIZE,
        family=SANS,
        color=MUTED,
        va="bottom",
        linespacing=1.25,
    )


def add_note(figure: Figure, text: str) -> None:
    """Make a figure of constrained layout taller, and write a note below it."""
    width, height = figure.get_size_inches()
    extra = note_height(text, width)
    total = height + extra
    figure.set_size_inches(width, total)
    engine: Any = figure.get_layout_engine()
    engine.set(rect=(0.0, extra / total, 1.0, height / total))
    write_note(figure, text)
