"""The gradient of the logit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from pellucid.attribution.by_gradient import explain_by_gradient
from pellucid.attribution.method import PER_UNIT, Method
from pellucid.attribution.references import SIMONYAN
from pellucid.attribution.result import Explanation


@dataclass(frozen=True)
class Gradient(Method):
    """How much the logit changes per unit of each voxel.

    `R_i = d logit / d x_i`, signed.
    """

    name: ClassVar[str] = "gradient"
    units: ClassVar[str] = PER_UNIT
    source: ClassVar[str] = "Simonyan et al. 2014, arXiv:1312.6034"
    references: ClassVar[tuple[str, ...]] = (SIMONYAN,)

    def run(self, model: nn.Module, x: torch.Tensor, units: torch.Tensor | None) -> Explanation:
        """Return the gradient, (B, channels, ...)."""
        # deviates: Eq. 1 of the paper is a norm of this, which `sensitivity` gives; signed, it has a positive half.
        return explain_by_gradient(model, x, units, lambda x, gradient: gradient)
