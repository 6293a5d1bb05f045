"""The look of the paper's charts: its type, frames, colours and ticks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
from matplotlib.axes import Axes

from pellucid.report.pictures.style import SERIF, styled

PATIENTS_AND_CONTROLS = ((0.12, 0.47, 0.71), (1.00, 0.50, 0.05))
"""Their colours in Figure 4."""

# The paper's sizes: 12 for ticks and legends, 14 for axes, 16 for titles.
_RC: Any = {
    "font.family": SERIF,
    "font.size": 12.0,
    "axes.titlesize": 16.0,
    "axes.titleweight": "normal",
    "axes.titlelocation": "center",
    "axes.labelsize": 14.0,
    "axes.spines.top": True,
    "axes.spines.right": True,
    "axes.grid": False,
    "axes.edgecolor": "black",
    "xtick.labelsize": 12.0,
    "ytick.labelsize": 12.0,
    "legend.fontsize": 12.0,
    "legend.frameon": True,
}

P = ParamSpec("P")
T = TypeVar("T")


def papered(draw: Callable[P, T]) -> Callable[P, T]:
    """Draw in the paper's type and frames, leaving matplotlib's own settings as they were."""
    inner: Callable[P, T] = mpl.rc_context(_RC)(draw)
    return styled(inner)


def paper_ticks(axes: Axes) -> None:
    """Keep tick labels in the paper's type also where matplotlib makes them later, when the figure is written."""
    axes.tick_params(labelfontfamily=SERIF)
    for axis in (axes.xaxis, axes.yaxis):
        axis.get_offset_text().set_fontfamily(SERIF)
