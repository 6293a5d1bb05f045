"""The gradient of the logit times the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from pellucid.attribution.by_gradient import explain_by_gradient
from pellucid.attribution.method import LOGIT, Method
from pellucid.attribution.references import SHRIKUMAR
from pellucid.attribution.result import Explanation


@dataclass(frozen=True)
class InputXGradient(Method):
    """The gradient times the voxel's value: a first-order share of the logit.

    `R_i = x_i d logit / d x_i`, what epsilon -> 0 leaves of LRP-epsilon in a network that is piecewise linear.
    """

    name: ClassVar[str] = "input-x-gradient"
    units: ClassVar[str] = LOGIT
    source: ClassVar[str] = "Shrikumar et al. 2017, arXiv:1605.01713"
    references: ClassVar[tuple[str, ...]] = (SHRIKUMAR,)

    def run(self, model: nn.Module, x: torch.Tensor, units: torch.Tensor | None) -> Explanation:
        """Return the product, (B, channels, ...)."""
        return explain_by_gradient(model, x, units, lambda x, gradient: x * gradient)
