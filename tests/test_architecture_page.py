"""docs/architecture.md shows the floors of the import contract in its order, and names files that are there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "pellucid"
PAGE = ROOT / "docs" / "architecture.md"


def packages() -> set[str]:
    return {path.parent.name for path in SOURCE.glob("*/__init__.py")}


def contract() -> list[set[str]]:
    """Return the packages of each floor, the highest first; modules that stand alone are no package."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (layers,) = (one["layers"] for one in table["tool"]["importlinter"]["contracts"] if one["type"] == "layers")
    floors = [{name.strip().removeprefix("pellucid.") for name in re.split(r"[|:]", layer)} for layer in layers]
    return [floor & packages() for floor in floors if floor & packages()]


def shown() -> list[set[str]]:
    """Return the packages of each row of the page's first table."""
    rows = re.findall(r"^\| ((?:`\w+/`[^|]*)+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return [names for row in rows if (names := set(re.findall(r"`(\w+)/`", row)) & packages())]


def test_the_page_shows_every_package_in_the_order_of_the_contract() -> None:
    assert set().union(*contract()) == {name for name in packages() if name != "studies"}
    assert shown() == contract()


def test_the_files_that_the_page_names_are_there() -> None:
    text = PAGE.read_text(encoding="utf-8")
    named = [SOURCE / path for path in re.findall(r"`(\w+/[\w/]+\.py)`", text)]
    assert len(named) > 10
    assert [path.relative_to(SOURCE).as_posix() for path in named if not path.is_file()] == []
