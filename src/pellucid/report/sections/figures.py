"""The figures of Eitel et al. 2019 in the report: the revised version shown, the paper's a link away."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from pellucid.report.html.blocks import Items, Note, Picture, Section, Text, link
from pellucid.report.paper.figures import SUFFIXES, Drawn, write_figures
from pellucid.report.section_registry import page_section
from pellucid.rundir.run import Run

_VECTOR = ("figure4a", "figure4b", "figure6", "figureS1", "figureS2")  # charts; the others hold pictures of brains


@page_section("paper-figures", title="The paper's figures", order=180)
def paper_figures(run: Run, figures: Path) -> Section:
    """Draw the paper's figures into `figures`, in both versions, and show the revised ones; say which are missing."""
    section = Section("paper-figures", "The paper's figures")
    drawn = write_figures(run, figures)
    if any(one.stem for one in drawn):
        section.add(
            Text(
                paragraphs=[
                    "The figures of Eitel et al. 2019, made from this run. The page shows the revised version: true "
                    "sums with signs, intervals over participants, limits from the data, and the unseen part marked. "
                    "The link leads to the paper's version, with the paper's selection, order, colours, metric and "
                    "limits; its note explains their problems. Each figure is saved as SVG, PNG and TSV (the plotted "
                    "data)."
                ]
            )
        )
    place = run.relative(figures)
    missing: list[str | Markup] = []
    for name in dict.fromkeys(one.name for one in drawn):
        paper, revised = (_one(drawn, name, version) for version in ("paper", "revised"))
        links = Markup(" ").join(_links(one, place) for one in (revised, paper) if one.stem)
        if revised.stem:
            section.add(
                Picture(
                    stem=revised.stem,
                    suffix=".svg" if name in _VECTOR else ".png",
                    alt=f"{revised.title}, revised.",
                    caption=Markup("<strong>{}.</strong> {} {}").format(revised.title, revised.caption, links),
                    sources=revised.sources,
                )
            )
        elif paper.stem:
            section.add(Text(paragraphs=[Markup("<strong>{}.</strong> {}").format(paper.title, links)]))
        missing += _reasons(paper, revised)
    if missing:
        section.add(
            Note(tone="remark", text="Figures that cannot be drawn from this run, and why:"), Items(items=missing)
        )
    return section


def _one(drawn: Sequence[Drawn], name: str, version: str) -> Drawn:
    return next(one for one in drawn if (one.name, one.version) == (name, version))


def _links(one: Drawn, place: str) -> Markup:
    """Link to the picture and the data of a figure."""
    files = Markup(", ").join(link(f"{place}/{one.stem}{suffix}", suffix[1:].upper()) for suffix in SUFFIXES)
    words = Markup("Revised version: {}.") if one.version == "revised" else Markup("The paper’s version: {}.")
    return words.format(files)


def _reasons(paper: Drawn, revised: Drawn) -> list[str]:
    if paper.reason == revised.reason:
        return [f"{paper.title}: {paper.reason}."] if paper.reason else []
    words = {"paper": "the paper’s version", "revised": "revised"}
    return [f"{one.title}, {words[one.version]}: {one.reason}." for one in (paper, revised) if one.reason]
