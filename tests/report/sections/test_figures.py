"""The report shows revised figures, links to the paper's, and lists what is missing."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from pellucid.report.html.blocks import Items, Picture, Section, Text
from pellucid.report.html.render import embedded, render
from pellucid.report.paper import figures as module
from pellucid.report.paper.figures import FIGURES
from pellucid.report.sections.figures import paper_figures
from pellucid.rundir.run import open_run


@pytest.fixture
def copy(copy: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    some = tuple(one for one in FIGURES if one[0] in ("figure5", "figureS1", "figureS2", "figureS3"))
    monkeypatch.setattr(module, "FIGURES", some)
    (copy / "tables" / "lesion_regions.tsv").unlink()
    shutil.rmtree(copy / "maps" / "untrained")
    return copy


def _items(section: Section) -> list[str]:
    return [str(item) for block in section.blocks if isinstance(block, Items) for item in block.items]


def test_the_page_embeds_what_was_drawn_and_its_links_lead_somewhere(copy: Path, parse: Any) -> None:
    figures = copy / "figures"
    section = paper_figures(open_run(copy), figures)
    pictures = [block for block in section.blocks if isinstance(block, Picture)]
    assert [(one.stem, one.suffix) for one in pictures] == [
        ("revised/figure5", ".png"),
        ("revised/figureS1", ".svg"),
        ("revised/figureS3", ".png"),
    ]
    html = render([section], kind="report", title="x", about="y", embed=lambda name: embedded(figures / name))
    page = parse(html)
    assert [image["src"].split(",")[0] for image in page.of("img")] == [
        "data:image/png;base64",
        "data:image/svg+xml;base64",
        "data:image/png;base64",
    ]
    links = [link["href"] for link in page.of("a") if not link["href"].startswith("#")]
    assert "figures/paper/figureS1.tsv" in links
    assert "figures/revised/figureS1.svg" in links
    assert all((copy / link).exists() for link in links)
    assert "the interval is over participants" in html


def test_what_is_missing_is_listed_once_or_by_version(copy: Path) -> None:
    items = _items(paper_figures(open_run(copy), copy / "figures"))
    assert items == [
        "Eitel 2019, Figure 5: average heatmaps of four ways to learn, the paper’s version: the paper's colours end at "
        "the minimum of the untrained model, which has no maps.",
        "Eitel 2019, Figure S2: lesions over white-matter areas: the run has no tables/lesion_regions.tsv.",
    ]


def test_an_empty_run_says_only_what_is_missing(empty_run: Path, look: Any) -> None:
    section = paper_figures(open_run(empty_run), empty_run / "figures")
    assert len(_items(section)) == 9
    assert not any(isinstance(block, Text) for block in section.blocks)
    look.nothing_was_made(section, empty_run)
