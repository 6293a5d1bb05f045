"""Settings of one trial: frozen, typed, checked."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from pellucid.ground.errors import InputError
from pellucid.ground.limits import MOST_SEED, check_whole

Checkpoint = Literal["validation-loss", "validation-accuracy"]
Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialSettings:
    """How one model is fitted once; the defaults are those on the MS cohort (Eitel 2019's code), but for `checkpoint`.

    Parameters
    ----------
    learning_rate, decay
        The step size at iteration t, counted in batches from 0, is `learning_rate / (1 + decay * t)`.
    batch_size
        Scans a batch; the last batch of an epoch may be smaller.
    max_epochs, patience
        Stop after `max_epochs`, or when the validation loss has not fallen below its lowest for `patience` epochs.
    l2
        Weight of the sum of squares of the kernels of convolutions 3 and 4, in the training and the validation loss. Of
        a network that is not Pellucid's, the kernels of all its convolutions (`nn.Conv3d`) count.
    augment
        Flip and shift the training scans.
    checkpoint
        Which epoch's weights are kept: the first of lowest validation loss, or the first of highest validation
        accuracy (the paper's; with few validation subjects it ties, and the first of the ties wins).
    precision
        `bfloat16` multiplies in that type in the convolutions of the training steps (see docs/performance.md), where
        the processor can; validation, prediction and relevance stay in float32.
    seed
        Of initial weights, batch order, augmentation and dropout.

    Raises
    ------
    InputError
        A value out of range.
    """

    learning_rate: float = 5e-4
    decay: float = 2e-3
    batch_size: int = 4
    max_epochs: int = 200
    patience: int = 15
    l2: float = 0.01
    augment: bool = True
    # deviates: the paper's code kept the first epoch of highest validation accuracy, mostly a tie on 19 subjects.
    checkpoint: Checkpoint = "validation-loss"
    precision: Precision = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, lowest, most in (
            ("batch_size", 1, 256),
            ("max_epochs", 1, 1_000_000),
            ("patience", 1, 1_000_000),
            ("seed", 0, MOST_SEED),
        ):
            check_whole(name, getattr(self, name), lowest, most)
        for name in ("learning_rate", "decay", "l2"):
            _check(name, getattr(self, name), 0.0)
        if self.learning_rate == 0:
            raise InputError("learning_rate", "0 would learn nothing", "Give a positive number")
        if not isinstance(self.augment, bool):
            raise InputError("augment", f"{self.augment!r} is not possible", "Give true or false")
        for name, known in (("checkpoint", get_args(Checkpoint)), ("precision", get_args(Precision))):
            if getattr(self, name) not in known:
                raise InputError(name, f"{getattr(self, name)!r} is unknown", f"Give one of {', '.join(known)}")

    def to_json(self) -> dict[str, Any]:
        """Describe the settings as JSON types."""
        return asdict(self)


def _check(name: str, value: float, lowest: float) -> None:
    right_type = isinstance(value, int | float) and not isinstance(value, bool)
    if not right_type or not math.isfinite(value) or value < lowest:
        raise InputError(name, f"{value!r} is not possible", f"Give a number of at least {lowest:g}")
