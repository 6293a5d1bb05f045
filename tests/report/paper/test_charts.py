"""What charts share is right: places, scales, violins, and a note that fits below."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from tests.report.figures import words

from pellucid.report.paper.charts import (
    SignedLog,
    add_note,
    by_place,
    look,
    note_height,
    note_lines,
    paper_ticks,
    placed,
    power_below,
    violins,
    write_shares,
)
from pellucid.report.pictures.style import SERIF, styled


def test_areas_are_sorted_by_place_then_group() -> None:
    rows = [("a", "HC"), ("b", "HC"), ("a", "MS"), ("b", "MS"), ("c", "MS"), ("b", "XX")]
    table = pd.DataFrame(rows, columns=["area", "group"])
    found = placed(table, ["b", "a"], ["MS", "HC"])
    assert found[["place", "area", "group"]].to_numpy().tolist() == [
        [0, "b", "MS"],
        [0, "b", "HC"],
        [1, "a", "MS"],
        [1, "a", "HC"],
    ]
    assert found["session_id"].isna().all()


def test_values_stand_at_their_places() -> None:
    table = pd.DataFrame({"place": [1, 0, 1], "value": [5.0, 6.0, 7.0]})
    found = by_place(table, "value", 0.25)
    assert {place: values.tolist() for place, values in found.items()} == {0.25: [6.0], 1.25: [5.0, 7.0]}


def test_the_scale_is_odd_about_linear_at_0_and_logarithmic_far_out() -> None:
    scale = SignedLog(0.01)
    np.testing.assert_allclose(scale([0.0, 0.09, -0.99]), [0.0, 1.0, -2.0])
    assert scale(1e-4) / scale(5e-5) == pytest.approx(2, rel=0.01)


def test_ticks_are_powers_of_ten_within_the_data() -> None:
    assert SignedLog(0.1).ticks(-1.2, 3.0) == pytest.approx([-1.0, -0.1, 0.0, 0.1, 1.0])
    assert SignedLog(0.1).ticks(0.2, 3.0) == pytest.approx([0.0, 0.1, 1.0])
    assert SignedLog(0.1).ticks(-50.0, 50.0) == pytest.approx([-10.0, -1.0, 0.0, 1.0, 10.0])


def test_what_is_missing_makes_no_power() -> None:
    assert power_below(3.0) == 1.0
    assert power_below(0.1) == pytest.approx(0.1)
    assert power_below(float("nan")) == 1.0


def test_violins_leave_missing_values_and_empty_places_out() -> None:
    axes = Figure().subplots()
    values = {0.0: np.array([1.0, np.nan, 3.0]), 1.0: np.array([np.nan]), 2.0: np.array([2.0]), 3.0: np.zeros(5)}
    violins(axes, values, "red", label="some")
    bodies = [c for c in axes.collections if len(c.get_paths()) == 1 and c.get_alpha() == 0.5]
    middles = sorted(float(np.mean(body.get_paths()[0].get_extents().intervalx)) for body in bodies[:3])
    np.testing.assert_allclose(middles, [0.0, 2.0, 3.0], atol=1e-6)
    assert axes.get_legend_handles_labels()[1] == ["some"]
    before = len(axes.collections)
    violins(axes, {0.0: np.array([np.nan])}, "red", label="none")
    assert len(axes.collections) == before


def test_only_areas_that_are_not_seen_whole_are_flagged() -> None:
    figure = Figure()
    axes = figure.subplots()
    axes.set_ylim(-1, 3)
    write_shares(axes, pd.DataFrame({"place": [0, 1, 2], "seen_share": [1.0, 0.504, 0.999]}))
    said = {word for word in words(figure) if word.endswith("seen")}
    assert said == {"50 % seen", "99 % seen"}


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


@styled
def _paper_axes() -> Any:
    with look("paper"):
        axes = Figure().subplots()
        axes.plot([0, 1e-7])
        paper_ticks(axes)
    return axes


def test_the_papers_type_stays_where_ticks_are_made_later() -> None:
    axes = _paper_axes()
    axes.figure.draw_without_rendering()
    assert {label.get_fontfamily()[0] for label in axes.get_yticklabels()} == {SERIF}
    assert axes.yaxis.get_offset_text().get_fontfamily()[0] == SERIF
