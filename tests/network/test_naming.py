from __future__ import annotations

import datetime
from typing import Any

import pytest

from pellucid.ground.errors import InputError
from pellucid.network.naming import check_network, check_options, is_import_path


@pytest.mark.parametrize("path", ["a:B", "a.b.c:Name", "_a.b1:_f"])
def test_an_import_path_names_module_and_class(path: str) -> None:
    assert is_import_path(path)
    check_network(path)


@pytest.mark.parametrize("word", ["paper", "whole-brain"])
def test_pellucid_s_networks_are_known_by_a_word(word: str) -> None:
    assert not is_import_path(word)
    check_network(word)


@pytest.mark.parametrize(
    "wrong", ["", "Paper", "a.b", "a:", ":B", "a:B.c", "a/b:C", "a:B:C", "a b:C", "1a:B", "a..b:C"]
)
def test_other_words_are_refused_with_what_is_accepted(wrong: str) -> None:
    assert not is_import_path(wrong)
    with pytest.raises(InputError, match=r'Give "paper", "whole-brain", or .*"package.module:Name"') as caught:
        check_network(wrong)
    assert caught.value.where == "network"


def test_options_are_what_toml_and_json_share() -> None:
    check_options({"a": 1, "b": 1.5, "c": "x", "d": True, "e": [1, [2.0, "y"]], "f": {"g": [{"h": False}]}})


@pytest.mark.parametrize(
    "value",
    [None, (1, 2), datetime.date(2020, 1, 1), float("inf"), float("nan"), [1, (2,)], {"a": None}, {1: 2}, print],
)
def test_other_options_are_refused(value: Any) -> None:
    with pytest.raises(InputError, match=r"width is .*Give text, finite numbers") as caught:
        check_options({"fine": 1, "width": value})
    assert caught.value.where == "options"
