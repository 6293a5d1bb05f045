"""The scripts of experiments/: what they import is there, and none hides a module of another's."""

from __future__ import annotations

import ast
import sys
from importlib import import_module
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).resolve().parents[1] / "experiments").glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_what_a_script_imports_of_the_package_is_there(script: Path) -> None:
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("pellucid"):
            for alias in node.names:
                assert hasattr(import_module(str(node.module)), alias.name), f"{node.module} has no {alias.name}"


def test_no_script_hides_a_module_that_another_may_import() -> None:
    """Python looks into a script's own folder first: numba once took a script called coverage for the package."""
    others = {*sys.stdlib_module_names, *packages_distributions(), "coverage"}
    assert not {path.stem for path in SCRIPTS} & others
