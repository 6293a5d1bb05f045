"""The report leads to the page of the paper's figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pellucid.report.paper.page import PAGE
from pellucid.report.sections.figures import paper_figures
from pellucid.rundir.run import open_run


def test_the_section_links_to_the_page(empty_run: Path, look: Any) -> None:
    assert f'<a href="{PAGE}">' in look.words(paper_figures(open_run(empty_run)))
