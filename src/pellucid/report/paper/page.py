"""The figures of Eitel et al. 2019 from a run, as the paper drew them: a page of their own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from markupsafe import Markup

from pellucid.ground.files import write_text, write_tsv
from pellucid.report.drawing import drawn_or_why
from pellucid.report.html.blocks import Note, Picture, Section, Text, link
from pellucid.report.html.render import embedded, render
from pellucid.report.paper.filled import figure6
from pellucid.report.paper.groups import figure3
from pellucid.report.paper.lesion_maps import figure_s3
from pellucid.report.paper.lesion_regions import figure_s2
from pellucid.report.paper.material import Drawing, Material, MissingError
from pellucid.report.paper.models import figure5
from pellucid.report.paper.regions import figure4a, figure4b
from pellucid.report.paper.roc import figure_s1
from pellucid.report.paper.subjects import figure2
from pellucid.report.pictures.style import save
from pellucid.rundir.run import Run

PAGE = "paper.html"

FIGURES: tuple[tuple[str, str, Callable[[Material], Drawing]], ...] = (
    ("figure2", "Figure 2: individual heatmaps of four patients", figure2),
    ("figure3", "Figure 3: average heatmaps of patients and controls", figure3),
    ("figure4a", "Figure 4a: relevance over grey-matter areas", figure4a),
    ("figure4b", "Figure 4b: relevance over white-matter areas", figure4b),
    ("figure5", "Figure 5: average heatmaps of four ways to learn", figure5),
    ("figure6", "Figure 6: relevance with and without lesions", figure6),
    ("figureS1", "Figure S1: ROC curves", figure_s1),
    ("figureS2", "Figure S2: lesions over white-matter areas", figure_s2),
    ("figureS3", "Figure S3: lesion maps of patients and controls", figure_s3),
)
"""Name, title and maker of each; the paper's Figure 1 is a drawing, not a result."""

SUFFIXES = (".svg", ".png", ".tsv")

_ABOUT = (
    "These are the figures of Eitel et al. 2019, drawn from this run as the paper's code drew them, with the same "
    "selection, order, colours, metric and limits. A note in each figure says where it can mislead. The report shows "
    "the results as they are: true sums, both signs, intervals, and a mark on what the network cannot see. Each figure "
    "is saved as SVG and PNG, and its data as TSV."
)
_PICTURES = ("figure2", "figure3", "figure5", "figureS3")  # of brains; the others are charts


def write_paper(run: Run, figures: Path, report: str, note: Callable[[str], None]) -> Path:
    """Write RUN/paper.html, and its figures to `figures`/paper/NAME.svg, .png and, with the data drawn, .tsv.

    A figure whose data the run lacks is left out, with the reason; its files of an earlier call are removed, for they
    would show another state of the run.

    Parameters
    ----------
    run
        The run.
    figures
        The folder of the report's pictures.
    report
        The page of the report, to link to.
    note
        Called with each figure that could not be drawn though its data are there, in words.
    """
    material = Material(run)
    about = Text(paragraphs=[_ABOUT, Markup("See the {}.").format(link(report, "report"))])
    sections = [Section("about", "About these figures", [about])]
    for name, title, make in FIGURES:
        section = drawn_or_why(name, title, partial(_figure, material, figures, name, title, make), note)
        sections += [section] if section else []
    text = render(
        sections,
        kind="paper's figures",
        title="The figures of Eitel et al. 2019",
        about=f"Study “{run.name}”",
        embed=lambda picture: embedded(figures / picture),
    )
    path = run.folder.root / PAGE
    write_text(path, text)
    return path


def _figure(material: Material, figures: Path, name: str, title: str, make: Callable[[Material], Drawing]) -> Section:
    """Draw a figure and write its files, or say what it lacks."""
    section, stem = Section(name, title), f"paper/{name}"
    try:
        drawing = make(material)
    except MissingError as reason:
        for suffix in SUFFIXES:
            (figures / (stem + suffix)).unlink(missing_ok=True)
        section.add(Note(tone="missing", text=f"It cannot be drawn from this run: {reason}."))
        return section
    save(drawing.figure, figures / stem)
    write_tsv(figures / f"{stem}.tsv", drawing.data)
    place = material.run.relative(figures)
    files = Markup(", ").join(link(f"{place}/{stem}{suffix}", suffix[1:].upper()) for suffix in SUFFIXES)
    section.add(
        Picture(
            stem=stem,
            suffix=".png" if name in _PICTURES else ".svg",
            alt=f"{title}, as the paper drew it.",
            caption=Markup("{} {}.").format(drawing.caption, files),
            sources=drawing.sources,
            called=title.split(":")[0],
        )
    )
    return section
