"""The files at the door say the same as the Makefile and pyproject.toml, and the README leads to every page."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _yaml(name: str) -> Any:
    return yaml.safe_load(_text(name))


def test_what_is_checked_before_a_commit_is_what_make_test_checks() -> None:
    (recipe,) = re.findall(r"^test: \$\(VENV\)/\.test\n((?:\t.*\n)+)", _text("Makefile"), re.MULTILINE)
    commands = [line.strip().replace("$(BIN)", ".venv/bin") for line in recipe.splitlines()]
    hooks = [hook["entry"] for repo in _yaml(".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]
    assert hooks == commands[:-1]
    assert commands[-1].startswith(".venv/bin/pytest ")


def test_the_workflow_runs_make_test_on_every_python_that_is_promised() -> None:
    (job,) = _yaml(".github/workflows/tests.yml")["jobs"].values()
    assert job["steps"][-1] == {"run": "make test"}
    versions = job["strategy"]["matrix"]["python"]
    project = tomllib.loads(_text("pyproject.toml"))["project"]
    assert project["requires-python"] == f">={versions[0]}"
    promised = {one.rpartition(" ")[2] for one in project["classifiers"] if "Python :: 3." in one}
    assert promised <= set(versions)


def test_every_field_of_a_form_has_a_name_and_a_label() -> None:
    forms = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
    assert len(forms) == 3
    for form in forms:
        asked = [one for one in yaml.safe_load(form.read_text(encoding="utf-8"))["body"] if one["type"] != "markdown"]
        assert len({one["id"] for one in asked}) == len(asked) > 2
        assert all(one["attributes"]["label"] for one in asked)


def test_the_readme_leads_to_every_page() -> None:
    links = set(re.findall(r"\]\(([\w./-]+\.md)[)#]", _text("README.md")))
    pages = {page.relative_to(ROOT).as_posix() for page in [*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md")]}
    assert pages - links == {"README.md"}
