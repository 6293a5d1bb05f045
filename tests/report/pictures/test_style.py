"""One look for all figures, and none of it left behind in matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from pellucid.image.grid import Grid
from pellucid.report.paper.filled import draw_filled
from pellucid.report.paper.lesion_regions import draw_lesions
from pellucid.report.paper.regions import draw_regions
from pellucid.report.pictures.comparisons import subgroup_figure
from pellucid.report.pictures.maps import ledger_figure, lesion_figure
from pellucid.report.pictures.overlay import map_figure
from pellucid.report.pictures.regions import filled_figure, lesion_share_figure, region_figure
from pellucid.report.pictures.style import CONTROL, PATIENT, drawn, group_colours, save, styled


def test_matplotlibs_own_settings_are_left_as_they_were() -> None:
    before = dict(mpl.rcParams)
    inside = styled(lambda: mpl.rcParams["axes.spines.top"])()
    assert inside is False
    assert dict(mpl.rcParams) == before


def test_equal_figures_are_equal_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        figure = Figure()
        figure.subplots().plot([0, 1], [0, 1])
        save(figure, tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "a.svg", "b.png", "b.svg"]
    for suffix in (".png", ".svg"):
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_patients_are_warm_and_no_two_groups_alike() -> None:
    colours = group_colours(["MS", "HC", "NMO"], "MS")
    assert colours["MS"] == PATIENT
    assert colours["HC"] == CONTROL
    assert len(set(colours.values())) == 3


AWKWARD = ["_MS", "A$\\foo{$ a $b$ c", "<i>R&D</i>", "línea\n二", "Пациенты ασθενείς", f"{'very ' * 20}long", "x" * 130]


def _regions() -> pd.DataFrame:
    rows = [(area, group, 1.0 + n) for n, area in enumerate(AWKWARD) for group in AWKWARD[:2]]
    table = pd.DataFrame(rows, columns=["area", "group", "sum"])
    whose = pd.Series([f"sub-{n}" for n in range(len(table))])
    table = table.assign(seen_share=0.5, q=0.5, participant_id=whose, session_id=pd.NA, networks="a/trial-00")
    table = table.assign(place=np.repeat(range(len(AWKWARD)), 2), value=table["sum"], lesion_voxels=table["sum"])
    return table.assign(share=table["sum"] / 10, mean=table["sum"], low=table["sum"] - 0.5, high=table["sum"] + 0.5)


def _filled() -> pd.DataFrame:
    rows = [(n, area, images) for n, area in enumerate(AWKWARD) for images in AWKWARD[:2]]
    table = pd.DataFrame(rows, columns=["place", "area", "images"])
    return table.assign(mean=1.0, low=0.5, high=1.5, seen_share=0.5, with_lesions=1.0, without_lesions=2.0)


def _title(name: str) -> Figure:
    grid, image = Grid.of((6, 6, 6), np.diag([20.0, 20.0, 20.0, 1.0])), np.ones((6, 6, 6))
    return map_figure(image, image, grid, image > 0, title=name, note=name, alarms=[name])


PAIR = (AWKWARD[0], AWKWARD[1])
CHARTS: dict[str, tuple[Callable[[], Figure], Sequence[str]]] = {
    "regions": (lambda: region_figure(_regions(), _regions(), dict.fromkeys(PAIR, "red")), AWKWARD),
    "regions, paper": (lambda: draw_regions(_regions(), PAIR, AWKWARD[2]), AWKWARD),
    "lesions": (lambda: lesion_share_figure(_regions(), dict.fromkeys(PAIR, "red")), AWKWARD),
    "lesions, paper": (lambda: draw_lesions(_regions(), PAIR, AWKWARD[2]), AWKWARD),
    "filled": (lambda: filled_figure(_filled()), AWKWARD),
    "filled, paper": (lambda: draw_filled(_filled(), AWKWARD[2]), AWKWARD),
    "nulls": (
        lambda: lesion_figure(pd.DataFrame({"map": AWKWARD, "lift": 1.0}), AWKWARD[0]),
        [f"{name} (map)" if name == AWKWARD[0] else name for name in AWKWARD],
    ),
    "subgroups": (
        lambda: subgroup_figure(
            pd.DataFrame({"factor": "f", "label": AWKWARD, "few": False, "auc": 0.8, "auc_low": 0.7, "auc_high": 0.9}),
            {"auc": "AUC"},
            {},
        ),
        AWKWARD,
    ),
    "ledgers": (
        lambda: ledger_figure(
            dict.fromkeys(
                PAIR,
                pd.DataFrame(
                    {"layer": ["fc"], "relevance_out": 2.0, "relevance_in": 1.0}
                    | {"absorbed_bias": 1.0, "absorbed_epsilon": 0.0}
                ),
            ),
            {},
        ),
        PAIR,
    ),
    **{f"title {n}": (partial(_title, name), [name]) for n, name in enumerate(AWKWARD)},
}


@pytest.mark.parametrize("chart", CHARTS)
def test_charts_show_every_name_whole_and_within_the_picture(chart: str, tmp_path: Path) -> None:
    draw, names = CHARTS[chart]
    figure = draw()
    save(figure, tmp_path / "figure")
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    shown = []
    for name in names:
        wanted = _bare(name.replace("\n", "\\n").replace("二", "\\u4e8c"))
        found = [text for text in texts if wanted in _bare(text.get_text())]
        assert found, name
        shown += found
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    for text in shown:
        box = text.get_window_extent(renderer)
        assert box.x0 >= -1, text
        assert box.x1 <= figure.bbox.x1 + 1, text
        assert box.y0 >= -1, text
        assert box.y1 <= figure.bbox.y1 + 1, text
    assert not any(text.get_parse_math() for text in texts)


def _bare(text: str) -> str:
    """Return a text without blanks, line ends and what only matplotlib needs."""
    return "".join(text.replace("\u200b", "").split())


def test_names_that_differ_are_drawn_apart() -> None:
    assert len({drawn(name) for name in ("中", "国", "\u202e", "\u200f", "a", "a\n", "\\n")}) == 7
    assert drawn("é") == drawn("e\u0301") == "é"
