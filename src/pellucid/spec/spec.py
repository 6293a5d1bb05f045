"""A whole study: its sections, its arms, and how it is written down and compared."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar

import tomli_w
from annotated_types import MinLen

from pellucid.attribution.naming import imported_by
from pellucid.engine.cluster import ClusterSettings
from pellucid.ground.checked import adapter, dotted
from pellucid.ground.limits import Name
from pellucid.network.naming import is_import_path
from pellucid.spec.arms import Arm, Baseline
from pellucid.spec.sections import Analysis, Cohort, Explain, Preparation, Split, Study


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A whole study, as its TOML file says it, every default filled in.

    Parameters
    ----------
    study
        What it is called, and its seed.
    cohorts
        By name: where scans come from.
    preparation
        How scans are prepared.
    splits
        By the name of a cohort: how it is divided.
    training
        By name, the arms: each one way to get a model.
    baselines
        By name: classifiers that are no network.
    explain
        Which models are explained, and how; nothing is if None.
    analysis
        How results become numbers.
    cluster
        Where `--cluster slurm` finds its workers: not part of what a study is, so `to_toml` leaves it out.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}  # `parse_spec` checks it; a part of a study needs no check

    study: Study
    cohorts: Annotated[dict[Name, Cohort], MinLen(1)]
    preparation: Preparation = field(default_factory=Preparation)
    splits: dict[Name, Split] = field(default_factory=dict)
    training: Annotated[dict[Name, Arm], MinLen(1)]
    baselines: dict[Name, Baseline] = field(default_factory=dict)
    explain: Explain | None = None
    analysis: Analysis = field(default_factory=Analysis)
    cluster: ClusterSettings | None = None

    @property
    def plugins(self) -> tuple[str, ...]:
        """Code of the user's that the study names beside networks: plugins, and import paths of methods and rules."""
        methods = self.explain.methods if self.explain else ()
        return tuple(dict.fromkeys((*self.study.plugins, *(path for text in methods for path in imported_by(text)))))

    def arm(self, name: str) -> Arm | Baseline:
        """Return an arm or a baseline: no two have the same name."""
        return self.training[name] if name in self.training else self.baselines[name]

    def cohort_of(self, name: str) -> Cohort:
        """Return the cohort of an arm or baseline."""
        return self.cohorts[self.arm(name).cohort]

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
        table = adapter(Spec).dump_python(self, mode="json", exclude_none=True, exclude={"cluster"})
        for section, kind in (("training", Arm), ("baselines", Baseline)):
            table[section] = {name: _own_first(kind, arm) for name, arm in table[section].items()}
        return tomli_w.dumps({name: section for name, section in table.items() if section})

    def differences(self, other: Spec) -> list[str]:
        """Say which keys differ: `training.scratch.trials: 2 here, 3 there`."""
        here, there = (flatten(tomllib.loads(spec.to_toml())) for spec in (self, other))
        return [
            f"{key}: {here.get(key, 'absent')!r} here, {there.get(key, 'absent')!r} there"
            for key in [*here, *(key for key in there if key not in here)]
            if here.get(key) != there.get(key)
        ]


def flatten(table: Mapping[str, Any], *, key: str = "") -> dict[str, Any]:
    """Return nested tables as one of dotted keys.

    >>> flatten({"a": {"b": 1, "c": {"d": 2}}})
    {'a.b': 1, 'a.c.d': 2}
    """
    flat: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, key=dotted(key, name))
        else:
            flat[dotted(key, name)] = value
    return flat


def _own_first(kind: type[Arm] | type[Baseline], arm: dict[str, Any]) -> dict[str, Any]:
    """Return the table of an arm: its own keys before those of its fitting, and only what its network takes."""
    unused = {"seed"}
    if "network" in arm:
        unused |= {"options"} if not arm["options"] else set()
        unused |= {"channels"} if is_import_path(arm["network"]) else set()
    own = [name for name in kind.__annotations__ if name in arm]
    return {name: arm[name] for name in dict.fromkeys((*own, *arm)) if name not in unused}
