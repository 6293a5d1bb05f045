from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pellucid.ground.errors import InputError
from pellucid.ground.plugins import load_plugins


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A module of the given text, of which nothing is left after the test."""
    name = "plugged_for_a_test"
    (tmp_path / f"{name}.py").write_text(request.param, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(sys.modules, name, None)  # restores what was there
    del sys.modules[name]
    return name


@pytest.mark.parametrize("module", ["HERE = True"], indirect=True)
def test_a_module_is_imported_once(module: str) -> None:
    load_plugins([module], where="study.plugins")
    there = sys.modules[module]
    load_plugins([module, module], where="study.plugins")
    assert sys.modules[module] is there


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("import not_there_at_all", "there is no module not_there_at_all"),
        ("1 / 0", "cannot be imported: ZeroDivisionError"),
        (
            "from pellucid.trust.nulls import null_map\nnull_map('edge', meaning='', rival='')(None)",
            "is refused: null map: 'edge' is registered already",
        ),
    ],
    indirect=["module"],
)
def test_what_is_wrong_with_a_module_is_said_where_it_was_named(module: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as told:
        load_plugins([module], where="study.plugins")
    assert told.value.where == "study.plugins"


def test_a_module_that_is_not_there_is_named() -> None:
    with pytest.raises(InputError, match=r"names nowhere\.at\.all, but there is no module nowhere"):
        load_plugins(["nowhere.at.all"], where="--plugin")
