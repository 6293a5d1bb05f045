"""Settings of one trial: frozen, typed, checked."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from pellucid.ground.checked import checked
from pellucid.ground.limits import Number, Seed, Switch, Whole

Checkpoint = Literal["validation-loss", "validation-accuracy"]
Precision = Literal["float32", "bfloat16"]

_NOT_NEGATIVE = Number(least=0, words="a number of at least 0")


@checked
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

    learning_rate: Annotated[float, Number(above=0, words="a number above 0")] = 5e-4
    decay: Annotated[float, _NOT_NEGATIVE] = 2e-3
    batch_size: Annotated[int, Whole(1, 256)] = 4
    max_epochs: Annotated[int, Whole(1, 1_000_000)] = 200
    patience: Annotated[int, Whole(1, 1_000_000)] = 15
    l2: Annotated[float, _NOT_NEGATIVE] = 0.01
    augment: Switch = True
    # deviates: the paper's code kept the first epoch of highest validation accuracy, mostly a tie on 19 subjects.
    checkpoint: Checkpoint = "validation-loss"
    precision: Precision = "float32"
    seed: Seed = 0

    def to_json(self) -> dict[str, Any]:
        """Describe the settings as JSON types."""
        return asdict(self)
