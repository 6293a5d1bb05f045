"""The page stands alone, says where its numbers come from, and shows itself in a real browser."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.runs import copy_run

from pellucid.ground.errors import InputError
from pellucid.ground.files import read_json, read_tsv, write_json, write_tsv
from pellucid.report.page import write_report
from pellucid.report.section_registry import SECTIONS, in_order
from pellucid.report.sections.ledger import ledger
from pellucid.report.sections.lesions import lesions
from pellucid.report.sections.regions import regions
from pellucid.rundir.outputs import Stamp
from pellucid.rundir.run import open_run


@pytest.fixture(scope="module")
def reported(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory with its report."""
    root = copy_run(finished_run, tmp_path_factory.mktemp("reported") / "run")
    assert write_report(root) == root / "report.html"
    return root


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page without what takes long to draw."""
    slow = ("heatmaps", "averages", "lesion-places", "limits")
    quick = [one for one in in_order() if one[0] not in slow]
    monkeypatch.setattr("pellucid.report.page.in_order", lambda: quick)
    monkeypatch.setattr("pellucid.report.page.write_paper", lambda *_: None)


@pytest.fixture(scope="module")
def page(reported: Path, parse: Callable[[str], Any]) -> Any:
    return parse((reported / "report.html").read_text(encoding="utf-8"))


def test_the_page_needs_nothing_but_itself(reported: Path, page: Any) -> None:
    text = (reported / "report.html").read_text(encoding="utf-8")
    assert (reported / "report.html").stat().st_size < 10e6
    assert not re.search(r'(?:src|href|url|@import)\s*[=(]\s*["\']?\s*(?:https?:)?//', text)
    assert not page.of("script")
    assert all((image["src"] or "").startswith("data:image/") for image in page.of("img"))


def test_every_link_leads_somewhere(reported: Path, page: Any) -> None:
    anchors = {attributes.get("id") for _, attributes in page.tags}
    links = [str(link["href"]) for link in page.of("a")]
    assert len(links) > 40
    for target in links:
        if target.startswith("#"):
            assert target[1:] in anchors
        else:
            assert (reported / target).exists(), target


def test_every_picture_has_words_and_a_file_in_both_formats(reported: Path, page: Any) -> None:
    images = page.of("img")
    assert len(images) >= 10
    assert all(len(image.get("alt") or "") > 20 for image in images)
    assert len(page.of("figcaption")) == len(images)
    figures = reported / "figures"
    shown = [path for path in figures.rglob("*.png") if path.parent.name != "paper"]  # which the page links to
    stems = {path.relative_to(figures).with_suffix("").as_posix() for path in shown}
    assert len(stems) == len(images)
    for stem in stems:
        assert (reported / "figures" / f"{stem}.png").exists()
        assert (reported / "figures" / f"{stem}.svg").exists()


def test_all_sections_are_there_in_order_with_problems_early(page: Any) -> None:
    sections = [attributes["id"] for attributes in page.of("section")]
    assert sections[:3] == ["summary", "problems", "run"]
    judged = ["results", "comparisons", "subgroups", "calibration", "training", "brightness"]
    explained = ["heatmaps", "averages", "regions", "lesion-places", "lesions", "ledger", "limits"]
    assert [name for name in sections[3:] if name in {*judged, *explained}] == [*judged, *explained]
    assert sections[-2:] == ["method", "files"]
    assert "For research only" in " ".join(page.words)
    assert not [attributes for attributes in page.of("p") if "missing" in (attributes.get("class") or "")]


def test_drawn_again_the_charts_are_the_same_files(reported: Path, tmp_path: Path) -> None:
    tables = {path: path.read_bytes() for path in (reported / "tables").iterdir()}
    for make in (regions, lesions, ledger):
        make(open_run(reported), tmp_path)
    assert len(list(tmp_path.iterdir())) == 14
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (reported / "figures" / path.name).read_bytes()
    assert {path: path.read_bytes() for path in tables} == tables


def test_a_run_with_nothing_but_a_record_still_gets_a_page(tmp_path: Path, parse: Callable[[str], Any]) -> None:
    (tmp_path / "record.json").write_text('{"study": "<b>bold</b>"}', encoding="utf-8")
    text = write_report(tmp_path).read_text(encoding="utf-8")
    assert text.count('class="note missing"') >= 15
    assert "<b>bold</b>" not in text
    assert "&lt;b&gt;bold&lt;/b&gt;" in text
    assert not parse(text).of("img")


def test_a_folder_that_is_no_run_gets_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a run directory"):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("quickly")
def test_a_section_that_cannot_be_drawn_costs_no_other(copy: Path, parse: Callable[[str], Any]) -> None:
    table = read_tsv(copy / "tables" / "comparisons.tsv")
    write_tsv(copy / "tables" / "comparisons.tsv", table[["arm_one"]])
    (copy / "tables" / "regions_summary.tsv").write_bytes(b"\xff\xfe")
    said: list[str] = []
    text = write_report(copy, note=said.append).read_text(encoding="utf-8")
    lacking = "comparisons.tsv: the table lacks the column arm_two, metric, test, "
    assert any(words.startswith("“Arms compared” could not be made: ") and lacking in words for words in said)
    assert any("“Relevance by region” could not be made" in words and "regions_summary.tsv" in words for words in said)
    left_out = 4 + 2  # what is slow; learning curves and methods compared, of which there are none
    assert len(parse(text).of("section")) == len(SECTIONS) - left_out
    assert text.count("This section could not be made.") == sum("“CITATION" not in words for words in said)


@pytest.mark.usefixtures("quickly")
def test_what_is_not_as_the_run_left_it_is_named_and_not_shown(copy: Path) -> None:
    path = copy / "tables" / "calibration.tsv"
    record = read_json(copy / "record.json")
    record.setdefault("tasks", {})["table/calibration"] = {
        "state": "done",
        "outputs": {"tables/calibration.tsv": Stamp.of(path).to_json()},
    }
    write_json(copy / "record.json", record)
    assert open_run(copy).damaged == {}
    said: list[str] = []
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))
    text = write_report(copy, note=said.append).read_text(encoding="utf-8")
    assert said[0].startswith("changed since the run wrote it: tables/calibration.tsv has ")
    assert any("“Calibration” could not be made" in words for words in said)
    assert "It is not shown on this page; `pellucid study run` makes it again." in text


@pytest.mark.usefixtures("quickly")
def test_a_page_without_its_specification_says_so(copy: Path) -> None:
    (copy / "study.toml").write_text("[study]\nnmae = 'tiny'\n")
    said: list[str] = []
    text = write_report(copy, note=said.append).read_text(encoding="utf-8")
    assert said[0].startswith("without its specification: ")
    assert "unknown key `study.nmae`" in said[0]
    assert "Missing: the specification; sections that need it are not shown." in text
    assert "could not be made" not in text


@pytest.mark.usefixtures("quickly")
def test_a_full_disk_is_an_error_of_the_report(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pellucid.report.page.citation", fail)
    with pytest.raises(OSError, match="No space left"):
        write_report(copy)


@pytest.mark.browser
@pytest.mark.parametrize("width", [1200, 390])
def test_a_browser_shows_the_page_whole(browser: Any, reported: Path, width: int) -> None:
    tab = browser.new_page(viewport={"width": width, "height": 900}, reduced_motion="reduce")
    asked, complaints = [], []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.goto((reported / "report.html").as_uri())
    assert all(url.startswith(("file:", "data:")) for url in asked)
    assert complaints == []
    assert tab.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 300)")
    # Wide tables and figures scroll within their frames; the page itself never does.
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.evaluate("[...document.images].filter(i => i.getBoundingClientRect().width < 300).length") == 0
    size = tab.evaluate("parseFloat(getComputedStyle(document.querySelector('main p')).fontSize)")
    assert size >= 16
    tab.click("nav a[href='#lesions']")
    top = tab.evaluate("document.querySelector('#lesions').getBoundingClientRect().top")
    assert -5 <= top <= 120
    tab.close()


@pytest.mark.browser
@pytest.mark.parametrize("width", [1100, 400])
def test_no_table_of_many_columns_scrolls_sideways(browser: Any, reported: Path, width: int) -> None:
    tab = browser.new_page(viewport={"width": width, "height": 900})
    tab.goto((reported / "report.html").as_uri())
    tab.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    frames = tab.locator(".scroll:has(table.many)")
    assert frames.count() >= 8
    wide = "all => all.filter(one => one.scrollWidth > one.clientWidth).map(one => one.innerText.slice(0, 80))"
    assert frames.evaluate_all(wide) == []
    tab.close()


@pytest.mark.browser
def test_on_a_phone_each_cell_says_its_column(browser: Any, reported: Path) -> None:
    told = "getComputedStyle(document.querySelector('#run .many td:nth-child(4)'), '::before').content"
    for width, said in ((1100, "none"), (400, '"Age (years)"')):
        tab = browser.new_page(viewport={"width": width, "height": 900})
        tab.goto((reported / "report.html").as_uri())
        assert tab.evaluate(told) == said
        tab.close()


@pytest.mark.browser
def test_a_folded_table_opens_and_holds_its_rows(browser: Any, reported: Path) -> None:
    tab = browser.new_page(viewport={"width": 1200, "height": 900})
    tab.goto((reported / "report.html").as_uri())
    table = tab.locator("#regions details").first
    assert not table.locator("tbody").is_visible()
    table.locator("summary strong").click()
    assert table.locator("tbody tr").count() == 68
    assert table.locator("tbody").is_visible()
    tab.close()


@pytest.mark.browser
def test_the_page_prints(browser: Any, reported: Path) -> None:
    tab = browser.new_page()
    tab.goto((reported / "report.html").as_uri())
    content = tab.pdf(format="A4")
    assert content.startswith(b"%PDF")
    assert 5 <= content.count(b"/Type /Page\n") <= 40
    tab.close()
