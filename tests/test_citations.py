"""Every document that a file of the repository cites is in the repository, and so is the place in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("src", "tests", "experiments", "docs", ".github", ".ci")
KINDS = {".py", ".md", ".toml", ".yaml", ".yml", ".j2", ".css", ""}
MADE = "CITATION.md"
"""What Pellucid itself writes beside results."""

_PAGE = re.compile(r"(?<![\w./<{*-])((?:[\w.-]+/)*[\w-]+\.md)\b(?:#([a-z0-9-]+)|,\s+(\d+(?:\.\d+)?)\b)?")
_INTERNAL = re.compile(r"\b(?:FACT[S]|DESIG[N]|STYL[E]|ANCHOR[S]\d?|ENGIN[E])\b")  # so that this line is none itself


def _headings(page: Path) -> list[str]:
    return re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)


def _anchor(heading: str) -> str:
    """Return the name that hosts give a heading: lower case, spaces to hyphens, other marks dropped."""
    return re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-")


def dangling(text: str, file: Path) -> Iterator[str]:
    """Yield what a text of a file cites and the repository does not hold: a page, its anchor or its section."""
    yield from _INTERNAL.findall(text)
    for name, anchor, section in _PAGE.findall(text):
        pages = [page for page in (file.parent / name, ROOT / name, ROOT / "docs" / name) if page.is_file()]
        if not pages:
            if Path(name).name != MADE:
                yield name
        elif anchor and anchor not in map(_anchor, _headings(pages[0])):
            yield f"{name}#{anchor}"
        elif section and not any(re.match(rf"{re.escape(section)}\.?\s", line) for line in _headings(pages[0])):
            yield f"{name}, {section}"


def _files() -> list[Path]:
    there = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in KINDS]
    ours = [path for path in (*ROOT.iterdir(), *there) if path.is_file() and path.suffix in KINDS]
    return [path for path in ours if "__pycache__" not in path.parts and path.name != ".git"]


def test_every_document_that_is_cited_is_here() -> None:
    files = _files()
    assert len(files) > 400
    found = {
        path.relative_to(ROOT).as_posix(): missing
        for path in files
        if path != Path(__file__) and (missing := list(dangling(path.read_text(encoding="utf-8"), path)))
    }
    assert found == {}


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("(docs/original.md, 2.3)", []),
        ("(docs/original.md, 6), and 3 more", []),
        ("(docs/original.md, 9.9)", ["docs/original.md, 9.9"]),
        ("see docs/nowhere.md", ["docs/nowhere.md"]),
        ("[a](weaknesses.md#intervals-over-participants)", []),
        ("[a](weaknesses.md#intervals-over-cats)", ["weaknesses.md#intervals-over-cats"]),
        ("as FACT" + "S 2.3 says", ["FACT" + "S"]),
        ("as DESIG" + "N lays it out", ["DESIG" + "N"]),
    ],
)
def test_what_is_not_here_is_found(text: str, missing: list[str]) -> None:
    assert list(dangling(text, ROOT / "docs" / "deviations.md")) == missing
