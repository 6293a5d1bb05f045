"""The sections of a specification but the arms: frozen, typed, checked settings."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

from pellucid.analysis.crossed import correction
from pellucid.cohort.splits import STRATA
from pellucid.ground.errors import InputError
from pellucid.ground.limits import MOST_SEED, check_name, check_whole
from pellucid.image.prepare import Resampling
from pellucid.image.scaling import Scaling
from pellucid.simulate.settings import CohortSettings, PretrainingSettings
from pellucid.trust.deletion import VOXELS

MOST_DELETIONS = 100

Simulation = CohortSettings | PretrainingSettings

SIMULATIONS: dict[str, tuple[type[Simulation], str, str, str]] = {
    "ms": (CohortSettings, "FLAIR", "MS", "HC"),
    "pretraining": (PretrainingSettings, "T1w", "AD", "CN"),
}
"""Kind of simulation to its settings, modality, positive and negative group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What the study is called, and the one seed that everything random comes from."""

    name: str
    seed: int = 0
    title: str = ""

    def __post_init__(self) -> None:
        check_name("name", self.name)
        check_whole("seed", self.seed, 0, MOST_SEED)


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
    force
        Whether to take scans that the gate refuses (skull on, upside down, cut off, ...); they are marked FORCED.
    """

    modality: Literal["FLAIR", "T1w"]
    positive: str
    negative: str
    column: str = "group"
    bids: Path | None = None
    lesions: Path | None = None
    simulate: Simulation | None = None
    force: bool = False

    def __post_init__(self) -> None:
        if self.positive == self.negative:
            raise InputError("positive", f"is {self.positive!r}, as `negative`", "Name two groups")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """How a scan is brought to what the network sees, and lesions are filled; one choice for all cohorts."""

    # deviates: `scaling = "max"` alone is not the paper's preparation: its code interpolated by cubic splines without
    # smoothing and kept the epoch of highest validation accuracy; studies/transfer.toml has neither.

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
        check_whole("folds", self.folds, 2, 1000)
        check_whole("repeats", self.repeats, 1, 1000)
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
    def correction(self) -> float:
        """By how much intervals over subjects are widened: 1, or of a cross-validation as `crossed.correction` says."""
        return correction(self.folds) if self.scheme == "cross-validation" else 1.0

    @property
    def judges(self) -> bool:
        """Whether anybody is held out, so that arms can be judged."""
        return self.scheme == "cross-validation" or self.holdout > 0


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
    deletion
        Of these, the arms whose maps are tested by deletion (`analysis.deletion`).
    deletion_voxels
        How many voxels are filled: the numbers k.
    """

    # deviates: the paper's code explained the trial that was best on the holdout.

    arms: tuple[str, ...]
    method: str = "lrp-epsilon"
    epsilon: float | None = None
    trials: Literal["selected", "all"] = "selected"
    choose: Literal["validation-loss", "holdout"] = "validation-loss"
    averages: Literal["all", "correct"] = "all"
    deletion: tuple[str, ...] = ()
    deletion_voxels: tuple[int, ...] = VOXELS

    def __post_init__(self) -> None:
        unknown = [arm for arm in self.deletion if arm not in self.arms]
        if unknown or len(set(self.deletion)) < len(self.deletion):
            raise InputError("deletion", f"is {list(self.deletion)}", "Name some of `explain.arms`, each once")
        rising = all(one < two for one, two in pairwise(self.deletion_voxels))
        if not self.deletion_voxels or self.deletion_voxels[0] < 1 or not rising:
            what = f"is {list(self.deletion_voxels)}"
            raise InputError("deletion_voxels", what, "Give whole numbers above 0, the smallest first")
        if len(self.deletion_voxels) > MOST_DELETIONS:
            what = f"has {len(self.deletion_voxels)} numbers"
            raise InputError(
                "deletion_voxels", what, f"Give {MOST_DELETIONS} at most: the network judges each image anew"
            )
        for number in self.deletion_voxels:
            check_whole("deletion_voxels", number, 1, 10_000_000)
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
        check_whole("bootstrap", self.bootstrap, 100, 100_000)
