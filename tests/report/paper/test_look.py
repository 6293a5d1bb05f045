"""The paper's type stays where ticks are made later, and matplotlib's own settings are left as they were."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from pellucid.report.paper.look import paper_ticks, papered
from pellucid.report.pictures.style import SERIF


@papered
def _axes() -> Any:
    axes = Figure().subplots()
    axes.plot([0, 1e-7])
    paper_ticks(axes)
    return axes


def test_the_papers_type_stays_where_ticks_are_made_later() -> None:
    before = dict(mpl.rcParams)
    axes = _axes()
    axes.figure.draw_without_rendering()
    assert {label.get_fontfamily()[0] for label in axes.get_yticklabels()} == {SERIF}
    assert axes.yaxis.get_offset_text().get_fontfamily()[0] == SERIF
    assert axes.spines["top"].get_visible()
    assert dict(mpl.rcParams) == before
