"""All visits on one page: none is lost, the worst comes first, and a human's word is shown."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pellucid.ground.errors import InputError
from pellucid.ground.files import read_json, write_json, write_tsv
from pellucid.preprocess.outliers import outliers
from pellucid.report.quality.group import measured, worst_first, write_group_page
from pellucid.report.quality.visit import write_visit_page


@pytest.fixture(scope="module")
def root(visits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset with twelve visits more, one unlike the others, a quality.tsv, one page, and the page of all."""
    root = Path(shutil.copytree(visits, tmp_path_factory.mktemp("group") / "out"))
    write_visit_page(root, read_json(root / "logs/sub-02_ses-1.json"))
    pattern = read_json(root / "logs/sub-02_ses-1.json") | {"session_id": None, "files": {}}
    for n in range(11, 23):
        name = f"sub-{n}"
        values = {"brain_dice": 0.94 + n / 1000, "t1w_snr": 90.0 if n == 15 else 20.0 + n / 10}
        bad = {"verdict": "fail", "findings": [{"measure": "brain_dice", "verdict": "fail", "text": "far off"}]}
        record = pattern | {"visit": name, "participant_id": name, "measures": values} | (bad if n == 18 else {})
        write_json(root / f"logs/{name}.json", record)
    rows = [("sub-02", "ses-1", None), ("sub-18", None, "use")]
    table = pd.DataFrame(rows, columns=["participant_id", "session_id", "override"])
    write_tsv(root / "quality.tsv", table.assign(state="done", verdict="fail"))
    assert write_group_page(root) == root / "group.html"
    return root


@pytest.fixture(scope="module")
def page(root: Path, parse: Callable[[str], Any]) -> Any:
    return parse((root / "group.html").read_text(encoding="utf-8"))


def test_the_worst_come_first(root: Path) -> None:
    records = [read_json(path) for path in sorted((root / "logs").iterdir())]
    values = measured(records)
    order = [record["visit"] for record in worst_first(records, outliers(values, list(values)))]
    assert order[:5] == ["sub-03", "sub-04", "sub-18", "sub-01", "sub-15"]
    assert len(order) == len(records) == 17


def test_every_visit_is_in_the_table_with_its_verdict_and_override(root: Path) -> None:
    text = (root / "group.html").read_text(encoding="utf-8")
    rows = re.findall(r"<tr>.*?</tr>", text[text.index('id="visits"') : text.index('id="measures"')])[1:]
    assert len(rows) == 17
    assert "sub-18" in rows[2]
    assert ">fail<" in rows[2]
    assert '<td class="word">use</td>' in rows[2]
    assert "t1w_snr" in rows[4]
    assert "deviations above" in rows[4]
    assert sum("data:image/webp" in row for row in rows) == 1  # the one visit that has pictures


def test_errors_are_told_in_full_and_as_text(page: Any, root: Path) -> None:
    text = (root / "group.html").read_text(encoding="utf-8")
    assert [s["id"] for s in page.of("section")] == ["summary", "errors", "visits", "measures"]
    assert text.count("has 2 T1w images (&lt;script&gt;alert(1)&lt;/script&gt;). Keep one.") == 2
    assert not page.of("script")
    assert "started at 2026-01-02" in text


def test_links_lead_to_pages_that_exist_and_nothing_is_asked_for(page: Any, root: Path) -> None:
    text = (root / "group.html").read_text(encoding="utf-8")
    anchors = {attributes.get("id") for _, attributes in page.tags}
    targets = {str(link["href"]) for link in page.of("a")}
    assert "sub-02_ses-1.html" in targets
    assert "sub-11.html" not in targets  # it has none
    for target in targets:
        assert target[1:] in anchors if target.startswith("#") else (root / target).is_file(), target
    assert not re.search(r'(?:src|href|url|@import)\s*[=(]\s*["\']?\s*(?:https?:)?//', text)
    assert all((image["src"] or "").startswith("data:image/") for image in page.of("img"))
    assert (root / "figures/group_desc-measures.png").is_file()


def test_without_measures_there_is_still_a_page(visits: Path, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    for name in ("sub-03", "sub-04"):
        shutil.copy(visits / f"logs/{name}.json", tmp_path / "logs")
    text = write_group_page(tmp_path).read_text(encoding="utf-8")
    assert "No visit was measured." in text


def test_a_folder_without_records_gets_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no processed visit"):
        write_group_page(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.browser
@pytest.mark.parametrize("width", [1500, 390])
def test_a_browser_shows_the_page_whole(browser: Any, root: Path, width: int, tmp_path: Path) -> None:
    tab = browser.new_page(viewport={"width": width, "height": 900})
    complaints: list[str] = []
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.goto((root / "group.html").as_uri())
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 100)")
    tab.screenshot(path=tmp_path / "group.png", full_page=True)
    assert (tmp_path / "group.png").stat().st_size > 20_000
    tab.locator("#visits a", has_text="sub-02_ses-1").click()
    assert tab.url.endswith("/sub-02_ses-1.html")
    assert complaints == []
    tab.close()
