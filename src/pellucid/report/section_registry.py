"""The sections of a run's page by their anchors, and how one is registered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pellucid.ground.registry import Registry
from pellucid.report.html.blocks import Section
from pellucid.rundir.run import Run

Draw = Callable[[Run, Path], Section | None]
"""Reads a run, draws pictures into a folder, and returns a section; None if the run has nothing for it."""

Read = Callable[[Run], Section | None]
"""Likewise, without a picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSection:
    """A section of the page.

    Parameters
    ----------
    title
        What stands in its place if it cannot be drawn.
    order
        Its place: sections follow each other from small to large. Pellucid's have 10, 20, ...
    draw
        What draws it.
    """

    title: str
    order: float
    draw: Draw


SECTIONS: Registry[PageSection] = Registry("report section")
"""Every section by its anchor."""


def page_section(anchor: str, *, title: str, order: float) -> Callable[[Draw], Draw]:
    """Register the function below as a section; parameters as in `PageSection`.

    It only reads, formats and draws: a number that it shows stands in a table of the run.

    Raises
    ------
    InputError
        If the anchor is taken or is none (`Registry.register`).
    """

    def register(draw: Draw) -> Draw:
        SECTIONS.register(anchor, PageSection(title=title, order=order, draw=draw))
        return draw

    return register


def text_section(anchor: str, *, title: str, order: float) -> Callable[[Read], Read]:
    """Register the function below as a section without a picture; the rest as in `page_section`."""

    def register(read: Read) -> Read:
        page_section(anchor, title=title, order=order)(lambda run, _: read(run))
        return read

    return register


def in_order() -> list[tuple[str, PageSection]]:
    """Return all sections as they stand on the page; those of one place as they were registered."""
    return sorted(SECTIONS.items(), key=lambda item: item[1].order)
