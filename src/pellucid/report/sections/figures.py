"""The way to the page of the paper's figures."""

from __future__ import annotations

from markupsafe import Markup

from pellucid.report.html.blocks import Section, Text, link
from pellucid.report.paper.page import PAGE
from pellucid.report.section_registry import text_section
from pellucid.rundir.run import Run


@text_section("paper-figures", title="The paper's figures", order=180)
def paper_figures(_: Run) -> Section:
    """Say what the page of the paper's figures shows, and link to it."""
    words = Markup(
        "{} shows the figures of Eitel et al. 2019, drawn from this run as the paper's code drew them, each with its "
        "data, or why it cannot be drawn. The figures of this page show the same quantities with true sums, signs, "
        "intervals, limits from the data, and what the network cannot see marked."
    )
    return Section("paper-figures", "The paper's figures", [Text(paragraphs=[words.format(link(PAGE))])])
