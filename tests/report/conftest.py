"""How tests look at sections, figures and pages."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from tests.conftest import MadeOnce
from tests.report.visits import make_visits

from pellucid.report.html.blocks import Note, Picture, Section, Table, Text


class Look:
    """What a section says."""

    @staticmethod
    def of(section: Section, kind: type) -> list[Any]:
        return [block for block in section.blocks if isinstance(block, kind)]

    def notes(self, section: Section) -> list[str]:
        return [str(block.text) for block in self.of(section, Note) if block.tone == "missing"]

    def words(self, section: Section) -> str:
        texts = [str(paragraph) for block in self.of(section, Text) for paragraph in block.paragraphs]
        return " ".join([*texts, *(str(block.text) for block in self.of(section, Note))])

    def nothing_was_made(self, section: Section, root: Path) -> None:
        assert not self.of(section, Picture)
        assert not self.of(section, Table)
        assert [path.name for path in root.iterdir()] == ["record.json"]


@pytest.fixture(scope="session")
def look() -> Look:
    """How to look at a section."""
    return Look()


@pytest.fixture(scope="session")
def dots() -> Callable[..., Any]:
    """All scattered points of a panel of a figure, (n, 2)."""

    def find(figure: Figure, panel: int = 0) -> Any:
        found = [c.get_offsets() for c in figure.axes[panel].collections if isinstance(c, PathCollection)]
        return np.concatenate([np.asarray(points) for points in found])

    return find


class Page(HTMLParser):
    """All tags of a page with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="session")
def parse() -> type[Page]:
    """What reads a page."""
    return Page


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium as the system has it."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )
    if found is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as session:
        opened = session.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def visits(made_once: MadeOnce) -> Path:
    """A preprocessed dataset, small; tests that change it must copy it first."""
    return made_once("visits", make_visits)
