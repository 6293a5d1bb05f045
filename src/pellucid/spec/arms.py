"""The arms and baselines of a specification: frozen, typed, checked settings."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Annotated, Any, Literal, TypeVar

from pellucid.ground.checked import checked
from pellucid.ground.errors import InputError
from pellucid.ground.limits import Switch, Whole
from pellucid.image.scaling import Scaling
from pellucid.network.naming import NETWORK, check_options, is_import_path
from pellucid.training.baselines.settings import BaselineSettings
from pellucid.training.settings import TrialSettings

Images = Literal["prepared", "lesion-filled", "lesion-mask", "brain-mask"]
"""What a network can be given of a scan."""

_CHANNELS = 64

MOST_MODELS = 10_000
"""Models of a study, of all arms and baselines, trials and folds: each is a task with files of its own."""

Trials = Annotated[int, Whole(1, MOST_MODELS)]

T = TypeVar("T", TrialSettings, BaselineSettings)


@checked
@dataclass(frozen=True, slots=True, kw_only=True)
class Arm(TrialSettings):
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

    # deviates: the lesion-filled arm keeps the subjects and the division of the others; the paper's drew another.

    cohort: str
    images: Images = "prepared"
    fit: Switch = True
    network: Annotated[str, NETWORK] = "paper"
    options: dict[str, Any] = field(default_factory=dict)
    channels: Annotated[int, Whole(1, 1024)] = _CHANNELS
    trials: Trials = 1
    start_from: str | None = None
    scaling: Scaling | None = None
    subjects: Annotated[int, Whole(2, 1_000_000)] | None = None
    seed: int = field(default=0, init=False)  # the study's to give

    def __post_init__(self) -> None:
        check_options(self.options)
        if self.options and not self.own_network:
            raise InputError("options", f"cannot be given for {self.network!r}", "Set `channels`, or remove them")
        if self.own_network and self.channels != _CHANNELS:
            raise InputError(
                "channels", f"is {self.channels}, but {self.network} has no channels", "Set `options` instead"
            )

    @property
    def settings(self) -> TrialSettings:
        """How each of its models is fitted."""
        return _part(TrialSettings, self)

    @property
    def own_network(self) -> str | None:
        """Where the user's class is, which `load_model` must be told; None for one of Pellucid's networks."""
        return self.network if is_import_path(self.network) else None


@checked
@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline(BaselineSettings):
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
    trials: Trials = 1
    seed: int = field(default=0, init=False)  # the study's to give

    @property
    def settings(self) -> BaselineSettings:
        """How it is fitted."""
        return _part(BaselineSettings, self)


def _part(kind: type[T], arm: TrialSettings | BaselineSettings) -> T:
    """Return what an arm has of its settings."""
    return kind(**{item.name: getattr(arm, item.name) for item in fields(kind)})
