"""What a person reads avoids phrases that a reader whose third language is English does not get at once."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
SHOWN = [path for part in ("cli", "report") for path in sorted((ROOT / "src" / "pellucid" / part).rglob("*.py"))]
STUDIES = sorted((ROOT / "src" / "pellucid" / "studies").glob("*.toml"))

BETTER = {
    r"subjects?(?!-)|people|persons|everybody|everyone": "participant",
    r"(?:is|are|was|were) said": "is reported",
    r"unsaid": "not reported",
    r"speaks? for": "is evidence for",
    r"comes? of|came of": "results from",
    r"what came out": "results",
    r"knows? nothing": "does not use",
    r"left out": "excluded",
    r"vanish(?:es|ed)?": "is lost, is excluded",
    r"mend(?:s|ed)?": "fix, correct",
    r"anew": "again",
    r"in silence": "without a message",
    r"goes on": "continues, resumes",
    r"but for": "except",
    r"told? .{1,40} apart|tells? .{1,40} apart": "separates, distinguishes",
    r"less (?:that|those) of": "minus",
    r"beside (?:maps|nulls?|plain|its (?:strongest )?rivals?|the strongest)": "compared with",
    r"whom it serves": "by subgroup",
    r"done right": "corrected, revised",
    r"(?:scans?|seconds|ns|numbers?|values?|one|scale|models?|networks?|trials?|tables?) an? "
    r"(?:voxel|fold|trial|slice|scan|batch|step|row|volume|participant|scaling|arm|visit|group|job)": "one per ...",
}
"""Phrases, as patterns of whole words, each with a better form."""


def prose(text: str) -> str:
    """Return a page without its blocks and pieces of code, and without the targets of its links."""
    text = re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`|\]\([^)]*\)", "", text)


def riddles(text: str) -> Iterator[str]:
    """Yield each phrase of a text that has a better form, with the words around it and that form."""
    words = " ".join(text.split())
    for pattern, better in BETTER.items():
        for found in re.finditer(rf"\b(?:{pattern})\b", words, re.IGNORECASE):
            start, end = max(found.start() - 30, 0), found.end() + 30
            yield f"...{words[start:end]}... -> {better}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_avoid_them(page: Path) -> None:
    assert list(riddles(prose(page.read_text(encoding="utf-8")))) == []


def strings(source: str) -> Iterator[str]:
    """Yield the strings of several words in a module, but for those that stand alone as docstrings do."""
    tree = ast.parse(source)
    alone = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in alone and " " in node.value:
            yield node.value


def test_texts_of_the_command_line_and_of_the_report_avoid_them() -> None:
    found = {
        path.relative_to(ROOT).as_posix(): bad
        for path in SHOWN
        if (bad := [one for text in strings(path.read_text(encoding="utf-8")) for one in riddles(text)])
    }
    assert len(SHOWN) > 60
    assert found == {}


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_comments_of_the_shipped_studies_avoid_them(study: Path) -> None:
    comments = re.findall(r"#.*", study.read_text(encoding="utf-8"))
    assert list(riddles("\n".join(comments))) == []


@pytest.mark.parametrize(
    ("text", "better"),
    [
        ("three models a\nfold", "one per ..."),
        ("How good a map is is said here.", "is reported"),
        ("of 12 subjects", "participant"),
        ("Everybody is judged", "participant"),
        ("compared beside maps that know the scan", "compared with"),
    ],
)
def test_a_phrase_is_found(text: str, better: str) -> None:
    (found,) = riddles(text)
    assert found.endswith(f"-> {better}")


@pytest.mark.parametrize(
    "text",
    [
        "`subjects = 12`",
        "[a](#people)",
        "```toml\n# of 12 subjects\n```",
        "the file sub-01",
        "subject-level",
        "12 per voxel",
    ],
)
def test_code_links_and_good_words_are_not(text: str) -> None:
    assert list(riddles(prose(text))) == []
