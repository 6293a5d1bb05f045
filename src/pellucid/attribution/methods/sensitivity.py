"""The paper's sensitivity map: the size of the gradient."""

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
class Sensitivity(Method):
    """How much the logit changes per unit of each voxel, in whichever direction.

    `R_i = |d logit / d x_i|`: the norm of Eitel 2019, Eq. 1, whose one component is a channel. The paper's code takes
    the absolute value of the gradient of the score, too; here it is that of the logit, which differs by the sigmoid's
    slope, one factor for all of an image.
    """

    name: ClassVar[str] = "sensitivity"
    units: ClassVar[str] = PER_UNIT
    source: ClassVar[str] = "Eitel 2019, Eq. 1; Simonyan et al. 2014, arXiv:1312.6034"
    references: ClassVar[tuple[str, ...]] = (SIMONYAN,)

    def run(self, model: nn.Module, x: torch.Tensor, units: torch.Tensor | None) -> Explanation:
        """Return the size of the gradient, (B, channels, ...)."""
        return explain_by_gradient(model, x, units, lambda x, gradient: gradient.abs())
