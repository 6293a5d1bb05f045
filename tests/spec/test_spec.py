"""Specifications as values: written out whole, and compared key by key."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pellucid.spec.reading import parse_spec
from pellucid.spec.spec import Spec, flatten

FILE = Path("/folder/study.toml")
TEXT = st.characters(exclude_categories=["Cs"])

TINY = (Path(__file__).parents[1] / "study" / "tiny.toml").read_text(encoding="utf-8")


def parse(text: str) -> Spec:
    return parse_spec(text, file=FILE)


def test_what_is_written_reads_back_equal_and_states_every_default() -> None:
    spec = parse(TINY)
    assert parse(spec.to_toml()) == spec
    assert "patience = 15" in spec.to_toml()


def test_a_part_of_a_study_has_fewer_trials_and_nothing_else_is_changed() -> None:
    whole = parse(TINY)
    assert whole.at_most(1).differences(whole) == ["training.finetuned.trials: 1 here, 2 there"]
    assert whole.at_most(2) == whole


EXPLAIN = '[explain]\narms = ["finetuned"]\ndeletion = ["finetuned"]\ndeletion_voxels = [50, 500]\n'


def test_differences_are_named_with_both_values() -> None:
    first = parse(TINY)
    second = parse(TINY.replace("trials = 2", "trials = 3").replace(EXPLAIN, ""))
    assert first.differences(first) == []
    assert second.differences(first) == [
        "training.finetuned.trials: 3 here, 2 there",
        "explain.arms: 'absent' here, ['finetuned'] there",
        "explain.methods: 'absent' here, ['lrp-epsilon'] there",
        "explain.trials: 'absent' here, 'selected' there",
        "explain.choose: 'absent' here, 'validation-loss' there",
        "explain.averages: 'absent' here, 'all' there",
        "explain.deletion: 'absent' here, ['finetuned'] there",
        "explain.deletion_voxels: 'absent' here, [50, 500] there",
    ]


def test_flatten_joins_keys_with_dots() -> None:
    assert flatten({"a": {"b": 1, "c": {"d": [2]}}, "e": 3}) == {"a.b": 1, "a.c.d": [2], "e": 3}


PLAIN = st.recursive(
    st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(TEXT),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(TEXT), inner, max_size=3),
    max_leaves=8,
)


@given(options=st.dictionaries(st.text(TEXT), PLAIN, min_size=1, max_size=3))
def test_whatever_a_network_is_given_is_written_and_read_back_equal(options: dict[str, Any]) -> None:
    spec = parse(TINY)
    arm = replace(spec.training["scratch"], network="nets.own:Net", channels=64, options=options)
    changed = replace(spec, training=spec.training | {"scratch": arm})
    assert parse(changed.to_toml()) == changed


def test_an_arm_says_of_its_network_only_what_that_takes_and_no_seed() -> None:
    spec = parse(TINY.replace("channels = 2\nmax_epochs = 2\n\n[explain", 'network = "nets.own:Net"\n\n[explain'))
    tables = tomllib.loads(spec.to_toml())["training"]
    assert "channels" not in tables["scratch"]
    assert tables["finetuned"]["channels"] == 2
    assert not any({"options", "seed", "settings"} & set(table) for table in tables.values())
    assert list(tables["finetuned"])[:3] == ["cohort", "images", "fit"]
