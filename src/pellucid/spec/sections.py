"""The sections of a specification but the arms: frozen, typed, checked settings."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationInfo

from pellucid.analysis.crossed import correction
from pellucid.attribution.naming import method_label
from pellucid.ground.checked import checked
from pellucid.ground.errors import InputError
from pellucid.ground.limits import MethodName, Name, Number, RefusedError, Seed, Several, Switch, Text, Whole, Words
from pellucid.ground.plugins import PATTERN
from pellucid.image.prepare import Resampling
from pellucid.image.scaling import Scaling
from pellucid.preprocess.filling import Filling
from pellucid.simulate.settings import Settings
from pellucid.trust.deletion import VOXELS


def _located(value: object, info: ValidationInfo) -> object:
    """Return a path from the specification's folder on, or from the current one if an environment variable gives it."""
    if not isinstance(value, str) or info.context is None:
        return value
    expanded = os.path.expandvars(value)
    unset = re.search(r"\$\{?(\w+)", expanded)
    if unset:
        fix = f"Set it, as in `export {unset[1]}=folder`, or write the path instead"
        raise RefusedError(InputError("", f"is {value!r}, but ${unset[1]} is not set", fix))
    return ((info.context.parent if expanded == value else Path()) / Path(expanded).expanduser()).resolve()


Folder = Annotated[Path, BeforeValidator(_located)]

Share = Annotated[
    Annotated[int, Whole(0, 1_000_000)] | Annotated[float, Number(least=0, below=1, words="a share")],
    Words("a share from 0 to below 1, or a whole number of participants"),
]


Module = Annotated[str, Text(PATTERN, "the import path of a module: package.module")]


@checked
@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What the study is called, and the one seed that everything random comes from.

    Parameters
    ----------
    name
        Of the study, and of its folder under runs/.
    seed
        Of splits, weights, batches, augmentation, bootstraps and permutations.
    title
        Of the report.
    plugins
        Modules of the user's that register null maps, measures, tables or sections: `package.module`.
    """

    name: Name
    seed: Seed = 0
    title: str = ""
    plugins: Annotated[tuple[Module, ...], Several(0)] = ()


@checked
@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """Where scans come from: a BIDS dataset, or a simulation that writes one.

    Parameters
    ----------
    modality
        Which image of a session is used.
    positive, negative
        Two of the values of `column`: label 1 and label 0; a simulation brings its own.
    column
        The column of participants.tsv by which the scans are classified.
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
    bids: Folder | None = None
    lesions: Folder | None = None
    simulate: Annotated[Settings, Field(discriminator="kind")] | None = None
    force: Switch = False

    def __post_init__(self) -> None:
        if (self.bids is None) == (self.simulate is None):
            fix = 'Give either `bids = "path"` or a section [cohorts.NAME.simulate]'
            raise InputError("", "needs one source of scans", fix)
        if self.positive == self.negative:
            raise InputError("positive", f"is {self.positive!r}, as `negative`", "Name two groups")


@checked
@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """How a scan is brought to what the network sees, and lesions are filled; one choice for all cohorts.

    Parameters
    ----------
    scaling
        Of the intensities: by median and spread of the brain (`robust`), or as the paper's code (`max`), or others.
    resampling
        Onto the grid of 96 x 114 x 96 voxels; `cubic` does not smooth, as the paper's code.
    filling
        Of lesions: by what surrounds them in 3D (`local`), or slice by slice, as the paper's.
    """

    # deviates: `scaling = "max"` alone is not the paper's preparation: its code interpolated by cubic splines without
    # smoothing and kept the epoch of highest validation accuracy; studies/transfer.toml has neither.

    scaling: Scaling = "robust"
    resampling: Resampling = "antialias"
    filling: Filling = "local"


@checked
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
    holdout: Share = 0
    validation: Annotated[
        Annotated[int, Whole(1, 1_000_000)] | Annotated[float, Number(above=0, below=1, words="a share")],
        Words("a share above 0 and below 1, or a whole number of participants: early stopping needs some"),
    ] = 0.15
    folds: Annotated[int, Whole(2, 1000)] = 5
    repeats: Annotated[int, Whole(1, 1000)] = 1
    stratify: Annotated[tuple[Literal["group", "sex", "age"], ...], Several(0)] = ("group",)

    def __post_init__(self) -> None:
        if self.stratify and self.stratify[0] != "group":
            raise InputError("stratify", f"is {list(self.stratify)}", 'Give [], or "group" first')
        if self.scheme == "cross-validation" and self.holdout:
            raise InputError("holdout", f"is {self.holdout}", "Remove it: each fold is the holdout of its trials")

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


@checked
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
    methods
        Attribution methods, each `NAME` or `NAME:key=value,key=value`; the first is the one that a report is about.
    averages
        Whose maps the group averages are made of: `all` held-out scans, or the `correct` ones, as in the paper.
    deletion
        Of these, the arms whose maps are tested by deletion (`analysis.deletion`).
    deletion_voxels
        How many voxels are filled: the numbers k.
    """

    # deviates: the paper's code explained the trial that was best on the holdout.

    arms: Annotated[tuple[str, ...], Several()]
    methods: Annotated[tuple[MethodName, ...], Several()] = ("lrp-epsilon",)
    trials: Literal["selected", "all"] = "selected"
    choose: Literal["validation-loss", "holdout"] = "validation-loss"
    averages: Literal["all", "correct"] = "all"
    deletion: Annotated[tuple[str, ...], Several(0)] = ()
    deletion_voxels: Annotated[tuple[Annotated[int, Whole(1, 10_000_000)], ...], Several(1, 100)] = VOXELS

    def __post_init__(self) -> None:
        if any(arm not in self.arms for arm in self.deletion):
            raise InputError("deletion", f"is {list(self.deletion)}", "Name some of `explain.arms`")
        if any(one >= two for one, two in pairwise(self.deletion_voxels)):
            raise InputError("deletion_voxels", f"is {list(self.deletion_voxels)}", "Give the smallest first")
        labels = [method_label(method).lower() for method in self.methods]
        if len(set(labels)) < len(labels):
            raise InputError("methods", f"is {list(self.methods)}", "Two of them have folders of one name: rename one")
        if self.trials == "all" and self.choose == "holdout":
            raise InputError("choose", "is 'holdout', but all trials are explained", "Remove one of the two")


@checked
@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """How results become numbers.

    Parameters
    ----------
    atlases
        Of the regions.
    merge
        How their labels become regions.
    bootstrap
        Draws of the intervals in Figures 4 and 6; other intervals are by formula.
    """

    atlases: Annotated[tuple[str, ...], Several()] = ("neuromorphometrics",)
    merge: Literal["revised", "paper"] = "revised"
    bootstrap: Annotated[int, Whole(100, 100_000)] = 2000
