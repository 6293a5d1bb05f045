"""A note fits below a figure."""

from __future__ import annotations

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pellucid.report.pictures.notes import add_note, note_height, note_lines


@pytest.mark.parametrize("width", [6.0, 8.2, 13.0])
def test_a_note_fits_the_figure_and_takes_room_of_its_own(width: float) -> None:
    text = "For research only: mean LRP relevance of all held-out scans, right or wrong, over the mean FLAIR. " * 4
    figure = Figure(figsize=(width, 3.0), layout="constrained")
    axes = figure.subplots()
    add_note(figure, text)
    figure.draw_without_rendering()
    assert figure.get_figheight() == pytest.approx(3.0 + note_height(text, width))
    (note,) = figure.texts
    renderer = FigureCanvasAgg(figure).get_renderer()
    box = note.get_window_extent(renderer)
    assert box.x0 > 0
    assert box.x1 < figure.bbox.x1
    assert box.y1 < axes.get_tightbbox(renderer).y0
    assert " ".join(note_lines(text, width)) == text.strip()
