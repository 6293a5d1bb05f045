"""A whole study: its sections, its arms, and how it is written down and compared."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from typing import Any

from pellucid.engine.cluster import ClusterSettings
from pellucid.spec.arms import Arm, Baseline
from pellucid.spec.fields import flatten, to_table, to_toml
from pellucid.spec.sections import SIMULATIONS, Analysis, Cohort, Explain, Preparation, Split, Study


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A whole study, as its TOML file says it, every default filled in."""

    study: Study
    cohorts: dict[str, Cohort]
    preparation: Preparation
    splits: dict[str, Split]
    training: dict[str, Arm]
    baselines: dict[str, Baseline]
    explain: Explain | None
    analysis: Analysis
    cluster: ClusterSettings | None = None
    """Where `--cluster slurm` finds its workers: not part of what a study is, so `to_toml` leaves it out."""

    def arm(self, name: str) -> Arm | Baseline:
        """Return an arm or a baseline: no two have the same name."""
        return self.training[name] if name in self.training else self.baselines[name]

    def split_of(self, name: str) -> Split:
        """Return how the cohort of an arm or baseline is divided."""
        return self.splits[self.arm(name).cohort]

    def trial_count(self, name: str) -> int:
        """Return how many models an arm or baseline has: trials times folds."""
        return self.arm(name).trials * self.split_of(name).numbers

    def at_most(self, trials: int) -> Spec:
        """Return the study with no more than this many trials of each arm and baseline."""
        return replace(
            self,
            training={name: replace(arm, trials=min(arm.trials, trials)) for name, arm in self.training.items()},
            baselines={name: replace(one, trials=min(one.trials, trials)) for name, one in self.baselines.items()},
        )

    def to_toml(self) -> str:
        """Write the specification with every default filled in; `parse_spec` reads it back equal."""
        table = {
            "study": to_table(self.study),
            "cohorts": {name: _cohort_table(cohort) for name, cohort in self.cohorts.items()},
            "preparation": to_table(self.preparation),
            "splits": to_table(self.splits),
            "training": {name: _arm_table(arm) for name, arm in self.training.items()},
            "baselines": {name: _arm_table(baseline) for name, baseline in self.baselines.items()},
        }
        if self.explain:
            table["explain"] = to_table(self.explain)
        table["analysis"] = to_table(self.analysis)
        return to_toml(table)

    def differences(self, other: Spec) -> list[str]:
        """Say which keys differ: `training.scratch.trials: 2 here, 3 there`."""
        here, there = (flatten(tomllib.loads(spec.to_toml())) for spec in (self, other))
        return [
            f"{key}: {here.get(key, 'absent')!r} here, {there.get(key, 'absent')!r} there"
            for key in [*here, *(key for key in there if key not in here)]
            if here.get(key) != there.get(key)
        ]


def _cohort_table(cohort: Cohort) -> dict[str, Any]:
    table: dict[str, Any] = to_table(cohort)
    if cohort.simulate:
        kind = next(kind for kind, row in SIMULATIONS.items() if isinstance(cohort.simulate, row[0]))
        table["simulate"] = {"kind": kind, **table["simulate"]}
    return table


def _arm_table(arm: Arm | Baseline) -> dict[str, Any]:
    table: dict[str, Any] = to_table(arm)
    settings = table.pop("settings")
    if isinstance(arm, Arm):  # only what the network takes
        for name in ["channels"] * (arm.own_network is not None) + ["options"] * (not arm.options):
            del table[name]
    return table | {name: value for name, value in settings.items() if name != "seed"}
