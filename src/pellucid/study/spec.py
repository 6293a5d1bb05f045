"""What a study is: frozen, typed, checked settings."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pellucid.cohort.splits import STRATA
from pellucid.errors import InputError
from pellucid.image.prepare import Resampling
from pellucid.image.scaling import Scaling
from pellucid.network.naming import check_network, check_options, is_import_path
from pellucid.simulate.settings import CohortSettings, PretrainingSettings
from pellucid.study.cluster import ClusterSettings
from pellucid.study.fields import flatten, to_table, to_toml
from pellucid.training.baseline_settings import BaselineSettings
from pellucid.training.settings import TrialSettings

Simulation = CohortSettings | PretrainingSettings

SIMULATIONS: dict[str, tuple[type[Simulation], str, str, str]] = {
    "ms": (CohortSettings, "FLAIR", "MS", "HC"),
    "pretraining": (PretrainingSettings, "T1w", "AD", "CN"),
}
"""Kind of simulation to its settings, modality, positive and negative group."""

Images = Literal["prepared", "lesion-filled", "lesion-mask", "brain-mask"]
"""What a network can be given of a scan."""

NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
"""What studies, cohorts and arms may be called, for they name folders."""

_CHANNELS = 64


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
        Two of the values of `column`: label 1 and label 0.
    column
        The column of participants.tsv that is to be told from the scans.
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
    column: str = "group"
    bids: Path | None = None
    lesions: Path | None = None
    simulate: Simulation | None = None

    def __post_init__(self) -> None:
        if self.positive == self.negative:
            raise InputError("positive", f"is {self.positive!r}, as `negative`", "Name two groups")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """How a scan is brought to what the network sees, and lesions are filled; one choice for all cohorts."""

    grid: Literal["paper"] = "paper"
    scaling: Scaling = "robust"
    resampling: Resampling = "antialias"
    filling: Literal["local", "slice"] = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """How a cohort is divided: once into roles, or anew for each fold of a cross-validation.

    Parameters
    ----------
    scheme
        `holdout`: one division for all trials. `cross-validation`: each trial is trained on a fold of its own, and
        everyone is held out once a repeat.
    holdout
        How many participants are held out, with `holdout`: a share below 1, or a whole number.
    validation
        Likewise how many of the others validate.
    folds, repeats
        Of the cross-validation.
    stratify
        What roles and folds are balanced by: `group`, then `sex` and `age` (thirds) if wanted; nothing draws without a
        look at the groups, as the paper's code did.
    """

    scheme: Literal["holdout", "cross-validation"] = "holdout"
    holdout: int | float = 0
    validation: int | float = 0.15
    folds: int = 5
    repeats: int = 1
    stratify: tuple[str, ...] = ("group",)

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
        _least("folds", self.folds, 2)
        _least("repeats", self.repeats, 1)
        unknown = [name for name in self.stratify if name not in STRATA]
        if unknown or (self.stratify and self.stratify[0] != "group"):
            raise InputError(
                "stratify", f"is {list(self.stratify)}", f'Give [], or "group" and then any of {", ".join(STRATA[1:])}'
            )
        if self.scheme == "cross-validation" and self.holdout:
            raise InputError("holdout", f"is {self.holdout}", "Leave it out: each fold is the holdout of its trials")

    @property
    def numbers(self) -> int:
        """How many divisions there are: 1, or folds times repeats."""
        return self.folds * self.repeats if self.scheme == "cross-validation" else 1

    @property
    def judges(self) -> bool:
        """Whether anybody is held out, so that arms can be judged."""
        return self.scheme == "cross-validation" or self.holdout > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One way to get a model, tried several times with seeds of their own.

    Parameters
    ----------
    cohort
        Name of the cohort that it learns from.
    images
        What the network is given: the `prepared` scans; `lesion-filled` ones; or, as a control, the `lesion-mask` or
        the `brain-mask` alone, as 0 and 1. Subjects without a lesion mask take no part where one is needed.
    fit
        False leaves the network as it starts: untrained, or pre-trained only.
    network
        `paper`, the paper's network; `whole-brain`, which sees every voxel; or where a class of the user's is,
        `package.module:Name`.
    options
        Keyword arguments of the user's class.
    channels
        Width of one of the two networks; the paper's is 64.
    trials
        How many times it is trained on each division of its cohort: one, or each fold of a cross-validation. Trial k
        of every arm has the same seed.
    start_from
        The arm whose trial of lowest validation loss gives the first weights, on the same fold if it learns from the
        same cohort; None starts from random ones.
    scaling
        Of its images, if not the study's.
    subjects
        How many training participants it learns from, drawn for each trial in the proportion of their groups; those of
        a smaller number are among those of a larger one. All if None.
    """

    cohort: str
    images: Images = "prepared"
    fit: bool = True
    network: str = "paper"
    options: dict[str, Any] = field(default_factory=dict)
    channels: int = _CHANNELS
    trials: int = 1
    start_from: str | None = None
    scaling: Scaling | None = None
    subjects: int | None = None
    settings: TrialSettings = field(default_factory=TrialSettings)

    def __post_init__(self) -> None:
        check_network(self.network)
        check_options(self.options)
        if self.options and not self.own_network:
            raise InputError("options", f"belong to no network {self.network!r}", "Set `channels`, or leave them out")
        if self.own_network and self.channels != _CHANNELS:
            raise InputError("channels", f"is {self.channels}, which {self.network} has not", "Set `options` instead")
        _least("channels", self.channels, 1)
        _least("trials", self.trials, 1)
        if self.subjects is not None:
            _least("subjects", self.subjects, 2)

    @property
    def own_network(self) -> str | None:
        """Where the user's class is, which `load_model` must be told; None for one of Pellucid's networks."""
        return self.network if is_import_path(self.network) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A classifier that is no network, judged on the same subjects as the arms.

    Parameters
    ----------
    cohort
        Name of the cohort that it learns from.
    images
        Which scans `svm-image` and `brightness` see: the `prepared` or the `lesion-filled` ones.
    scaling
        Of those scans, if not the study's.
    trials
        How many times it is fitted on each division of its cohort, each with a seed of its own.
    """

    cohort: str
    images: Literal["prepared", "lesion-filled"] = "prepared"
    scaling: Scaling | None = None
    trials: int = 1
    settings: BaselineSettings

    def __post_init__(self) -> None:
        _least("trials", self.trials, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explain:
    """Which models are explained on their holdout, and how.

    Parameters
    ----------
    arms
        Whose models; the first is the one that a report is about.
    trials
        `selected`: of each fold one trial, in a repeated cross-validation of the folds of the first repeat, so that
        everyone gets one map, by a model that was trained without them. `all`: every trial that held a scan out; its
        map is their mean, and their standard deviation lies beside it.
    choose
        Which trial is selected.
        `validation-loss`: the trial of lowest validation loss. `holdout`: that of highest balanced accuracy on the
        holdout, the first of several, as the paper's code did; its figures are then no longer those of unseen subjects.
    averages
        Whose maps the group averages are made of: `all` held-out scans, or the `correct` ones, as in the paper.
    """

    # deviates: the paper's code explained the trial that was best on the holdout.

    arms: tuple[str, ...]
    method: str = "lrp-epsilon"
    epsilon: float | None = None
    trials: Literal["selected", "all"] = "selected"
    choose: Literal["validation-loss", "holdout"] = "validation-loss"
    averages: Literal["all", "correct"] = "all"

    def __post_init__(self) -> None:
        if not self.arms or len(set(self.arms)) < len(self.arms):
            raise InputError("arms", f"is {list(self.arms)}", "Name at least one arm, and each once")
        if self.trials == "all" and self.choose == "holdout":
            raise InputError("choose", "is 'holdout', but all trials are explained", "Leave one of the two out")
        if self.epsilon is not None and not 0 < self.epsilon < float("inf"):
            raise InputError("epsilon", f"is {self.epsilon}", "Give a positive number; the paper's is 0.001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """How results become numbers: atlases of the regions, how their labels are merged, and size of the bootstrap."""

    atlases: tuple[str, ...] = ("neuromorphometrics",)
    merge: Literal["revised", "paper"] = "revised"
    bootstrap: int = 2000

    def __post_init__(self) -> None:
        if not self.atlases or len(set(self.atlases)) < len(self.atlases):
            raise InputError("atlases", f"is {list(self.atlases)}", "Name at least one atlas, and each once")
        _least("bootstrap", self.bootstrap, 100)


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


def _slug(key: str, name: str) -> None:
    if not NAME.fullmatch(name):
        raise InputError(key, f"is {name!r}", "Use a-z, 0-9 and -, for it names a folder")


def _least(key: str, value: int, least: int) -> None:
    if value < least:
        raise InputError(key, f"is {value}", f"Give a whole number of at least {least}")
