"""One look for all figures, and none of it left behind in matplotlib."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from pellucid.report.style import CONTROL, PATIENT, group_colours, save, styled


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


@pytest.mark.parametrize("name", ["A$\\foo{$", "$", "a $b$ c", "$x^{$"])
def test_names_of_groups_and_files_are_no_formulas(name: str, tmp_path: Path) -> None:
    @styled
    def draw() -> Figure:
        figure = Figure(figsize=(2, 2))
        axes = figure.subplots()
        axes.plot([0, 1], label=name)
        axes.set_title(name)
        axes.legend()
        axes.set_xticks([0], [name])
        return figure

    save(draw(), tmp_path / "figure")
    assert (tmp_path / "figure.svg").stat().st_size
