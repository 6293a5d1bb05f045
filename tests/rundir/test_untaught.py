"""Which arms' networks never learned from the people of another."""

from __future__ import annotations

from pathlib import Path

import pytest

from pellucid.rundir.untaught import untaught_arms
from pellucid.spec.reading import parse_spec

SPEC = """
[study]
name = "arms"

[cohorts.ms.simulate]
kind = "ms"

[cohorts.old.simulate]
kind = "pretraining"

[splits.ms]
holdout = 10
validation = 5

[training.old]
cohort = "old"
max_epochs = 1

[training.main]
cohort = "ms"
start_from = "old"

[training.scratch]
cohort = "ms"

[training.untrained]
cohort = "ms"
fit = false

[training.pretrained]
cohort = "ms"
start_from = "old"
fit = false

[training.heir]
cohort = "ms"
start_from = "scratch"
fit = false

[training.filled]
cohort = "ms"
images = "lesion-filled"
fit = false

[training.scaled]
cohort = "ms"
scaling = "max"
fit = false

[explain]
arms = ["main", "scratch", "untrained", "pretrained", "heir", "filled", "scaled"]
"""


@pytest.mark.parametrize("arm", ["main", "scratch"])
def test_only_networks_that_see_the_same_scans_and_learned_elsewhere_count(arm: str) -> None:
    spec = parse_spec(SPEC, file=Path("/nowhere/study.toml"))
    assert untaught_arms(spec, arm) == ["untrained", "pretrained"]


def test_no_arm_stands_beside_itself_and_unexplained_ones_not_at_all() -> None:
    spec = parse_spec(SPEC, file=Path("/nowhere/study.toml"))
    assert untaught_arms(spec, "untrained") == ["pretrained"]
    few = parse_spec(SPEC.replace('"untrained", "pretrained", ', ""), file=Path("/nowhere/study.toml"))
    assert untaught_arms(few, "main") == []
