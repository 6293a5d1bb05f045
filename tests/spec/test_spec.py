"""Specifications as values: written out whole, and compared key by key."""

from __future__ import annotations

from pathlib import Path

from pellucid.spec.reading import parse_spec
from pellucid.spec.spec import Spec

FILE = Path("/folder/study.toml")


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
        "explain.method: 'absent' here, 'lrp-epsilon' there",
        "explain.trials: 'absent' here, 'selected' there",
        "explain.choose: 'absent' here, 'validation-loss' there",
        "explain.averages: 'absent' here, 'all' there",
        "explain.deletion: 'absent' here, ['finetuned'] there",
        "explain.deletion_voxels: 'absent' here, [50, 500] there",
    ]
