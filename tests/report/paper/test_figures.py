"""Every figure is written in both versions with its data, the same each time, or its reason is given."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from PIL import Image

from pellucid.ground.files import read_tsv, write_json, write_tsv
from pellucid.report.paper import figures
from pellucid.report.paper.figures import FIGURES, SUFFIXES, write_figures
from pellucid.report.pictures import style
from pellucid.rundir.run import open_run

NAMES = ["figure2", "figure3", "figure4a", "figure4b", "figure5", "figure6", "figureS1", "figureS2", "figureS3"]


@pytest.fixture(autouse=True)
def quickly_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer pixels: what stands where is the same."""
    monkeypatch.setattr(style, "DPI", 40)


@pytest.mark.slow
def test_every_figure_is_written_as_svg_png_and_tsv(copy: Path) -> None:
    drawn = write_figures(open_run(copy), copy / "figures")
    assert [(one.name, one.version) for one in drawn] == [(n, v) for n in NAMES for v in ("paper", "revised")]
    for one in drawn:
        assert one.reason == ""
        assert one.stem == f"{one.version}/{one.name}"
        assert "For research only." in one.caption
        assert all((copy / source).exists() for source in one.sources)
        stem = copy / "figures" / one.stem
        with Image.open(stem.with_suffix(".png")) as picture:
            picture.verify()
        assert ET.parse(stem.with_suffix(".svg")).getroot().tag.endswith("svg")
        assert len(read_tsv(stem.with_suffix(".tsv"))) > 0


def _only(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    monkeypatch.setattr(figures, "FIGURES", tuple(one for one in FIGURES if one[0] in names))


def test_equal_runs_give_equal_files(copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _only(monkeypatch, "figure6", "figureS3")
    for folder in ("one", "two"):
        write_figures(open_run(copy), tmp_path / folder)
    for path in sorted((tmp_path / "one").rglob("*.*")):
        assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()


def test_an_empty_run_has_reasons_and_no_files(tmp_path: Path) -> None:
    write_json(tmp_path / "record.json", {})
    drawn = write_figures(open_run(tmp_path), tmp_path / "figures")
    assert len(drawn) == 18
    assert {one.stem for one in drawn} == {None}
    assert all(one.reason for one in drawn)
    assert not (tmp_path / "figures").exists()


def test_what_can_no_longer_be_drawn_is_removed(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _only(monkeypatch, "figureS2")
    figures = copy / "figures"
    write_figures(open_run(copy), figures)
    assert (figures / "paper" / "figureS2.png").exists()
    path = copy / "tables" / "lesion_regions.tsv"
    table = read_tsv(path)
    write_tsv(path, table[table["atlas"] == "neuromorphometrics"])
    drawn = write_figures(open_run(copy), figures)
    assert {one.reason for one in drawn} == {"tables/lesion_regions.tsv has no row of a white-matter atlas (jhu)"}
    assert not [path for path in figures.rglob("*") if path.suffix in SUFFIXES]
