"""How tests open a run for the paper's figures, and look at what was drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from pellucid.report.paper.material import Material
from pellucid.rundir.run import open_run


def material(root: Path) -> Material:
    """Open a run for the figures."""
    return Material(open_run(root))


def pixels(figure: Figure, path: Path) -> Any:
    """Write a figure small, open it, and return its pixels (rows from the top, columns, RGB) in 0-255."""
    figure.savefig(path, dpi=50)
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def words(figure: Figure) -> list[str]:
    """Return all text of a figure, wherever it stands."""
    figure.draw_without_rendering()
    return [str(text.get_text()) for text in figure.findobj(Text) if text.get_text()]
