"""docs/own-study.md: its specification is one, and its tables name every key with its default."""

from __future__ import annotations

import re
import tomllib
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest

from pellucid.engine.cluster import ClusterSettings
from pellucid.ground.checked import describe, keys_of
from pellucid.simulate.settings import SETTINGS
from pellucid.spec.arms import Arm, Baseline
from pellucid.spec.reading import parse_spec
from pellucid.spec.sections import Analysis, Cohort, Explain, Preparation, Split, Study

PAGE = Path(__file__).resolve().parents[2] / "docs" / "own-study.md"

SECTIONS: dict[str, tuple[type[Any], ...]] = {
    "study": (Study,),
    "cohorts.NAME": (Cohort,),
    "preparation": (Preparation,),
    "splits.NAME": (Split,),
    "training.NAME": (Arm,),
    "baselines.NAME": (Baseline,),
    "explain": (Explain,),
    "analysis": (Analysis,),
    "cluster": (ClusterSettings,),
}


def documented(column: int) -> dict[str, dict[str, str]]:
    """Return each section's keys and what a column of the page says of them: 1 their defaults, 2 what is accepted."""
    found: dict[str, dict[str, str]] = {}
    for part in PAGE.read_text(encoding="utf-8").split("\n### ")[1:]:
        name = re.match(r"`\[(.+?)\]`", part)
        assert name
        rows = [line.strip("| ").split(" | ") for line in part.splitlines() if line.startswith("| `")]
        found[name[1]] = {key: row[column] for row in rows for key in re.findall(r"`(\w+)`", row[0])}
    return found


def defaults(kinds: tuple[type[Any], ...]) -> dict[str, Any]:
    """Return the fields that a file may give and their defaults; `needed` where there is none."""
    given = {}
    for kind in kinds:
        for item in fields(kind):
            if not item.init or item.name in given:
                continue
            value = item.default if item.default_factory is MISSING else item.default_factory()
            given[item.name] = "needed" if value is MISSING else list(value) if isinstance(value, tuple) else value
    return given


@pytest.mark.parametrize("section", SECTIONS)
def test_every_key_stands_there_with_its_default(section: str) -> None:
    page = documented(1)[section]
    there = {
        key: said if said == "needed" else None if said == "–" else tomllib.loads(f"x = {said.strip('`')}")["x"]
        for key, said in page.items()
    }
    assert there == defaults(SECTIONS[section])


@pytest.mark.parametrize("section", SECTIONS)
def test_every_limit_stands_there(section: str) -> None:
    (kind,) = SECTIONS[section]
    assert documented(2)[section] == {name: describe(hint) for name, hint in keys_of(kind).items()}


def test_there_is_no_other_section() -> None:
    assert set(documented(1)) == set(SECTIONS)


def test_every_key_of_a_simulation_stands_on_its_page() -> None:
    text = PAGE.with_name("simulation.md").read_text(encoding="utf-8").split("\n### Every key\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \|", text, re.MULTILINE)
    for place, (kind, settings) in enumerate(SETTINGS.items(), start=1):
        said = {row[0]: tomllib.loads(f"x = {row[place].strip('`')}")["x"] for row in rows if row[place] != "–"}
        assert said == {item.name: item.default for item in fields(settings) if item.name != "kind"}, kind


def test_its_specification_is_one() -> None:
    blocks = re.findall(r"^```toml\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    spec = parse_spec(blocks[0], file=Path("mystudy.toml"))
    assert spec.trial_count("network") == 10
    assert set(spec.baselines) == {"bright-voxels", "confounds", "lesion-load"}
