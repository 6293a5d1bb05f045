"""Every figure of the paper is written with its data and shown on a page of its own, or its reason is given."""

from __future__ import annotations

import shutil
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pellucid.ground.files import read_tsv, write_tsv
from pellucid.report.paper import page
from pellucid.report.paper.page import FIGURES, SUFFIXES, write_paper
from pellucid.report.pictures import style
from pellucid.rundir.run import open_run


@pytest.fixture(autouse=True)
def quickly_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer pixels: what stands where is the same."""
    monkeypatch.setattr(style, "DPI", 40)


def _write(root: Path, figures: Path | None = None) -> tuple[str, list[str]]:
    """Write the page; return its text, and what could not be drawn."""
    said: list[str] = []
    path = write_paper(open_run(root), figures or root / "figures", "report.html", said.append)
    assert path == root / "paper.html"
    return path.read_text(encoding="utf-8"), said


def _only(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    monkeypatch.setattr(page, "FIGURES", tuple(one for one in FIGURES if one[0] in names))


@pytest.mark.slow
def test_every_figure_is_written_as_svg_png_and_tsv_and_shown(copy: Path, parse: Any) -> None:
    text, said = _write(copy)
    assert said == []
    for name, title, _ in FIGURES:
        stem = copy / "figures" / "paper" / name
        with Image.open(stem.with_suffix(".png")) as picture:
            picture.verify()
        assert ET.parse(stem.with_suffix(".svg")).getroot().tag.endswith("svg")
        assert len(read_tsv(stem.with_suffix(".tsv"))) > 0
        assert f"<strong>{title.split(':')[0]}.</strong>" in text
    shown = parse(text)
    assert len(shown.of("img")) == len(FIGURES) == 9
    assert all(image["src"].startswith("data:image/") for image in shown.of("img"))
    (copy / "report.html").touch()
    links = [link["href"] for link in shown.of("a") if not link["href"].startswith("#")]
    assert len(links) > 30
    assert all((copy / link).exists() for link in links)


def test_equal_runs_give_equal_files(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _only(monkeypatch, "figure6", "figureS3")
    for folder in ("one", "two"):
        _write(copy, copy / folder)
    files = sorted((copy / "one").rglob("*.*"))
    assert len(files) == 6
    for path in files:
        assert path.read_bytes() == (copy / "two" / path.relative_to(copy / "one")).read_bytes()


def test_an_empty_run_has_reasons_and_no_files(empty_run: Path) -> None:
    text, said = _write(empty_run)
    assert said == []
    assert text.count("It cannot be drawn from this run: ") == 9
    assert not (empty_run / "figures").exists()


def test_what_can_no_longer_be_drawn_is_removed_with_a_reason(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _only(monkeypatch, "figureS2")
    _write(copy)
    assert (copy / "figures" / "paper" / "figureS2.png").exists()
    path = copy / "tables" / "lesion_regions.tsv"
    table = read_tsv(path)
    write_tsv(path, table[table["atlas"] == "neuromorphometrics"])
    text, said = _write(copy)
    assert "drawn from this run: tables/lesion_regions.tsv has no row of a white-matter atlas (jhu)." in text
    assert said == []
    assert not [path for path in (copy / "figures").rglob("*") if path.suffix in SUFFIXES]


def test_a_figure_whose_data_are_damaged_costs_no_other(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _only(monkeypatch, "figureS1", "figureS2")
    (copy / "tables" / "roc.tsv").write_bytes(b"\xff\xfe")
    shutil.rmtree(copy / "figures", ignore_errors=True)
    text, said = _write(copy)
    assert len(said) == 1
    assert said[0].startswith("“Figure S1: ROC curves” could not be made: ")
    assert text.count("This section could not be made.") == 1
    assert (copy / "figures" / "paper" / "figureS2.svg").exists()
