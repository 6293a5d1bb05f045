"""What a study is: frozen, typed, checked settings."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pellucid.errors import InputError
from pellucid.image.scaling import Scaling
from pellucid.network.info import Architecture
from pellucid.simulate.settings import CohortSettings, PretrainingSettings
from pellucid.study.fields import flatten, to_table, to_toml
from pellucid.training.settings import TrialSettings

Simulation = CohortSettings | PretrainingSettings

SIMULATIONS: dict[str, tuple[type[Simulation], str, str, str]] = {
    "ms": (CohortSettings, "FLAIR", "MS", "HC"),
    "pretraining": (PretrainingSettings, "T1w", "AD", "CN"),
}
"""Kind of simulation to its settings, modality, positive and negative group."""

NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
"""What studies, cohorts and arms may be called, for they name folders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What the study is called, and the one seed that everything random comes from."""

    name: str
    seed: int = 0
    title: str = ""

    def __post_init__(self) -> None:
        _slug("name", self.name)
        _least("seed", self.seed, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """Where scans come from: a BIDS dataset, or a simulation that writes one.

    Parameters
    ----------
    modality
        Which image of a session is used.
    positive, negative
        Values of the column `group` of participants.tsv: label 1 and label 0.
    bids
        The dataset's folder.
    lesions
        The folder of its lesion masks (as BIDS derivatives), if there are any.
    simulate
        Settings of the simulation instead.
    """

    modality: Literal["FLAIR", "T1w"]
    positive: str
    negative: str
    bids: Path | None = None
    lesions: Path | None = None
    simulate: Simulation | None = None

    def __post_init__(self) -> None:
        if self.positive == self.negative:
            raise InputError("positive", f"is {self.positive!r}, as `negative`", "Name two groups")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """How a scan is brought to what the network sees; one choice for all cohorts."""

    grid: Literal["paper"] = "paper"
    scaling: Scaling = "robust"


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """How many participants of a cohort are held out and validate: a share below 1, or a whole number."""

    holdout: int | float = 0
    validation: int | float = 0.15

    def __post_init__(self) -> None:
        for name in ("holdout", "validation"):
            value = getattr(self, name)
            if value < 0 or (isinstance(value, float) and value >= 1):
                raise InputError(
                    name, f"is {value}", "Give a share from 0 to below 1, or a whole number of participants"
                )
        if self.validation == 0:
            raise InputError(
                "validation", "is 0", "Early stopping needs validation subjects: give a share such as 0.15"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One way to get a model, tried several times with seeds of their own.

    Parameters
    ----------
    cohort
        Name of the cohort that it learns from.
    network
        `paper`, the paper's network, or `whole-brain`, which sees every voxel.
    channels
        Width of the network; the paper's is 64.
    trials
        How many times it is trained; trial k of every arm has the same seed.
    start_from
        The arm whose trial of lowest validation loss gives the first weights; None starts from random ones.
    """

    cohort: str
    network: Architecture = "paper"
    channels: int = 64
    trials: int = 1
    start_from: str | None = None
    settings: TrialSettings = field(default_factory=TrialSettings)

    def __post_init__(self) -> None:
        _least("channels", self.channels, 1)
        _least("trials", self.trials, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explain:
    """Which model is explained on its holdout, and how: the arm's trial of lowest validation loss."""

    arm: str
    method: str = "lrp-epsilon"
    epsilon: float | None = None

    def __post_init__(self) -> None:
        if self.epsilon is not None and not 0 < self.epsilon < float("inf"):
            raise InputError("epsilon", f"is {self.epsilon}", "Give a positive number; the paper's is 0.001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """How results become numbers: the atlas of the regions, and the size of the bootstrap."""

    atlas: str = "neuromorphometrics"
    bootstrap: int = 2000

    def __post_init__(self) -> None:
        _least("bootstrap", self.bootstrap, 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A whole study, as its TOML file says it, every default filled in."""

    study: Study
    cohorts: dict[str, Cohort]
    preparation: Preparation
    splits: dict[str, Split]
    training: dict[str, Arm]
    explain: Explain | None
    analysis: Analysis

    def to_toml(self) -> str:
        """Write the specification with every default filled in; `parse_spec` reads it back equal."""
        table = {
            "study": to_table(self.study),
            "cohorts": {name: _cohort_table(cohort) for name, cohort in self.cohorts.items()},
            "preparation": to_table(self.preparation),
            "splits": to_table(self.splits),
            "training": {name: _arm_table(arm) for name, arm in self.training.items()},
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


def _arm_table(arm: Arm) -> dict[str, Any]:
    table: dict[str, Any] = to_table(arm)
    settings = table.pop("settings")
    return table | {name: value for name, value in settings.items() if name != "seed"}


def _slug(key: str, name: str) -> None:
    if not NAME.fullmatch(name):
        raise InputError(key, f"is {name!r}", "Use a-z, 0-9 and -, for it names a folder")


def _least(key: str, value: int, least: int) -> None:
    if value < least:
        raise InputError(key, f"is {value}", f"Give a whole number of at least {least}")
