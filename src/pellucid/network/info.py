"""What a trained model must say of itself before anyone may use it on an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from torch import nn

from pellucid.ground.errors import PellucidError
from pellucid.image.prepare import Resampling

Architecture = Literal["paper", "whole-brain"]
"""What studies call the two networks, `pellucid.PaperNetwork` and `pellucid.WholeBrainNetwork`."""


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """How images must be prepared for a model, what its output means, and how it was trained.

    Parameters
    ----------
    modality
        The BIDS suffix of the images it was trained on, `FLAIR` or `T1w`.
    scaling
        The intensity scaling of its input, a name of `pellucid.image.scaling.SCALINGS`.
    resampling
        How its input was brought to the grid, a name of `pellucid.image.prepare.RESAMPLINGS`.
    classes
        The group of each label: the logit is positive for label 1.
    trained
        How it was trained, as JSON types: seed, epoch, validation loss and so on; empty if it was not.
    """

    modality: str
    scaling: str
    resampling: Resampling = "antialias"
    classes: Mapping[int, str] = field(default_factory=lambda: {0: "HC", 1: "MS"})
    trained: Mapping[str, Any] = field(default_factory=dict)


class Described:
    """What a network of any kind says of itself, and what it has from a file, once it was loaded."""

    options: Mapping[str, Any] | None = None
    """What its class was given beside the grid; None for Pellucid's networks, which have channels instead."""
    folder: Path | None = None
    _info: ModelInfo | None = None

    @property
    def inner(self) -> nn.Module:
        """The module whose layers compute, and whose tensors a model file holds."""
        raise NotImplementedError

    @property
    def info(self) -> ModelInfo:
        """What `model.json` says of a loaded model; PellucidError for one that was not loaded."""
        if self._info is None:
            raise PellucidError("This network was not loaded from a file, so it has no info. Use pellucid.load_model.")
        return self._info

    @info.setter
    def info(self, info: ModelInfo) -> None:
        self._info = info
