"""A visit's page says all that is known of it, and what is not there; it stands alone, in a real browser too."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pellucid.ground.files import read_json
from pellucid.report.quality.visit import write_visit_page

ORDER = ["verdict", "numbers", "registration", "alignment", "brain", "tissue", "lesions", "network", "measures"]


@pytest.fixture(scope="module")
def root(visits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset with a page for each visit."""
    root = Path(shutil.copytree(visits, tmp_path_factory.mktemp("pages") / "out"))
    for log in sorted((root / "logs").iterdir()):
        assert write_visit_page(root, read_json(log)) == root / f"{log.stem}.html"
    return root


def _text(root: Path, name: str) -> str:
    return (root / f"{name}.html").read_text(encoding="utf-8")


def test_a_whole_visit_has_every_section_in_order(root: Path, parse: Callable[[str], Any]) -> None:
    page = parse(_text(root, "sub-01"))
    assert [s["id"] for s in page.of("section")] == [*ORDER, "steps", "provenance"]
    words = " ".join(page.words)
    for said in (
        "For research only",
        "participant 01",
        "participant's left (L)",
        "FLAIR: came without a skull.",
        64 * "a",
    ):
        assert said in words
    assert "Not shown" not in words
    assert len(page.of("img")) == 13
    assert "Registration, T1w to MNI" in words


def test_pages_need_nothing_but_themselves(root: Path, parse: Callable[[str], Any]) -> None:
    for path in root.glob("*.html"):
        text = path.read_text(encoding="utf-8")
        page = parse(text)
        assert path.stat().st_size < 3e6
        assert not re.search(r'(?:src|href|url|@import)\s*[=(]\s*["\']?\s*(?:https?:)?//', text)
        assert not page.of("script")
        assert all((image["src"] or "").startswith("data:image/") for image in page.of("img"))
        assert all(len(image["alt"] or "") > 20 for image in page.of("img"))
        anchors = {attributes.get("id") for _, attributes in page.tags}
        for link in page.of("a"):
            target = str(link["href"])
            assert target[1:] in anchors if target.startswith("#") else (root / target).is_file(), target


def test_text_of_others_is_text(root: Path) -> None:
    assert "T1w &lt;i&gt;shares&lt;/i&gt; too little" in _text(root, "sub-01")
    assert "There is &lt;b&gt;no&lt;/b&gt; B." in _text(root, "sub-01")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in _text(root, "sub-03")


def test_what_is_missing_is_said_with_its_reason(root: Path) -> None:
    text = _text(root, "sub-02_ses-1")
    for said in ("the visit has no T1w", "the visit has no lesion mask", "tissue was skipped", "session 1"):
        assert said in text
    assert "FLAIR in MNI space" in text
    spoilt = _text(root, "sub-05")
    assert "sub-05_t1w_mni.nii.gz no longer exists" in spoilt
    assert "its file cannot be read: the file is not NIfTI" in spoilt


def test_a_failed_visit_has_a_page(root: Path, parse: Callable[[str], Any]) -> None:
    page = parse(_text(root, "sub-03"))
    assert [s["id"] for s in page.of("section")] == ["verdict", "measures", "steps", "provenance"]
    words = " ".join(page.words)
    assert "Keep one." in words
    assert "run the same command again" in words
    assert "Traceback <here>" in words
    assert "No file was written." in words
    assert "is not finished" in _text(root, "sub-04")


def test_pictures_are_files_too_and_those_of_an_earlier_page_go(root: Path) -> None:
    figures = root / "sub-01" / "figures"
    names = {path.name for path in figures.glob("*.png")}
    assert len(names) == 13  # the template once; a thumbnail; the histogram, which the page has as SVG
    assert "sub-01_desc-registration_T1w.png" in names
    assert (root / "sub-02/figures/sub-02_ses-1_desc-thumbnail.png").is_file()
    left = figures / "sub-01_desc-earlier.png"
    left.touch()
    write_visit_page(root, read_json(root / "logs/sub-01.json") | {"files": {}})
    assert not list(figures.glob("*.png"))
    write_visit_page(root, read_json(root / "logs/sub-01.json"))
    assert {path.name for path in figures.glob("*.png")} == names


@pytest.mark.browser
@pytest.mark.parametrize("width", [1500, 390])
def test_a_browser_shows_the_page_whole(browser: Any, root: Path, width: int, tmp_path: Path) -> None:
    tab = browser.new_page(viewport={"width": width, "height": 900})
    asked, complaints = [], []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    for name in ("sub-01", "sub-03"):
        tab.goto((root / f"{name}.html").as_uri())
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        assert tab.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 300)")
        tab.screenshot(path=tmp_path / f"{name}.png", full_page=True)
        assert (tmp_path / f"{name}.png").stat().st_size > 20_000
    assert all(url.startswith(("file:", "data:")) for url in asked)
    assert complaints == []
    tab.close()


@pytest.mark.browser
def test_the_flicker_runs_and_stops(browser: Any, root: Path) -> None:
    look = """() => { const s = getComputedStyle(document.querySelector('#registration .over'));
        return [s.animationName, s.animationPlayState, s.opacity]; }"""
    tab = browser.new_page(viewport={"width": 1500, "height": 900}, reduced_motion="no-preference")
    tab.goto((root / "sub-01.html").as_uri())
    assert tab.evaluate(look)[:2] == ["flicker", "running"]
    tab.locator("#registration .stack").first.hover()
    assert tab.evaluate(look)[1] == "paused"
    figure = tab.locator("#registration .flicker").first
    figure.get_by_label("Template").check()
    assert tab.evaluate(look) == ["none", "running", "1"]
    figure.get_by_label("T1w", exact=True).check()
    assert tab.evaluate(look) == ["none", "running", "0"]
    tab.close()
    calm = browser.new_page(viewport={"width": 1500, "height": 900}, reduced_motion="reduce")
    calm.goto((root / "sub-01.html").as_uri())
    assert calm.evaluate(look) == ["none", "running", "0.5"]
    calm.close()
