"""A run directory to one HTML file that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from pellucid.ground.files import write_text
from pellucid.report.all_sections import in_order
from pellucid.report.drawing import drawn_or_why
from pellucid.report.html.render import embedded, render
from pellucid.report.paper.page import write_paper
from pellucid.report.sections.method import citation
from pellucid.rundir.run import open_run

REPORT = "report.html"
CITATION = "CITATION.md"


def write_report(run: Path, *, note: Callable[[str], None] = lambda _: None) -> Path:
    """Read a run directory and write RUN/report.html, RUN/paper.html, RUN/CITATION.md and, as PNG and SVG, RUN/figures.

    Only files of the directory are read. What is missing is said to be missing. The page embeds its pictures and asks
    no network; every number stands in a file of the directory, which it names, and none is computed here.

    A section that cannot be drawn, for a table of it is damaged or holds what nobody thought of, costs no other: the
    page has its title and the reason in its place.

    Parameters
    ----------
    run
        The run directory.
    note
        Called with each section that could not be drawn and each file that is not as the run left it, in words.

    Returns
    -------
    The path of the page.

    Raises
    ------
    InputError
        If the folder is no run directory, or its record is damaged.
    """
    opened = open_run(run)
    page, figures = opened.folder.root / REPORT, opened.folder.figures
    for path, what in opened.damaged.items():
        note(f"changed since the run wrote it: {opened.relative(path)} {what}")
    if opened.spec is None:
        note(f"without its specification: {opened.spec_problem}")
    drawn = [drawn_or_why(anchor, one.title, partial(one.draw, opened, figures), note) for anchor, one in in_order()]
    drawn_or_why("citation", CITATION, lambda: write_text(opened.folder.root / CITATION, citation(opened)), note)
    write_paper(opened, figures, REPORT, note)
    text = render(
        [section for section in drawn if section is not None],
        kind="report",
        title=opened.title or opened.name,
        about=f"Study “{opened.name}”",
        embed=lambda picture: embedded(figures / picture),
    )
    write_text(page, text)
    return page
