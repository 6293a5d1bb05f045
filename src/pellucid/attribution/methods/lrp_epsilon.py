"""LRP-epsilon, the paper's method."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from pellucid.attribution.by_rules import explain_by_rules
from pellucid.attribution.method import LOGIT, Method, parameter
from pellucid.attribution.references import BACH
from pellucid.attribution.result import Explanation
from pellucid.attribution.rules.epsilon import Epsilon
from pellucid.attribution.rules.rule import Composite
from pellucid.ground.errors import InputError


@dataclass(frozen=True)
class LrpEpsilon(Method):
    """Share the logit out layer by layer, in proportion to what each input added to each sum.

    `R_i = a_i sum_j w_ij R_j / (z_j + epsilon s(z_j))`, `s(z) = +1 if z >= 0 else -1`, for every affine layer, from
    `R = logit` back to the image (Eitel 2019, §2.4.3; `Epsilon`). Biases take their share, as in iNNvestigate;
    activations and dropout pass relevance unchanged, the winner of a max-pool window takes all. The ledger says what
    biases and epsilon absorbed.
    """

    name: ClassVar[str] = "lrp-epsilon"
    units: ClassVar[str] = LOGIT
    source: ClassVar[str] = (
        "Bach et al. 2015, PLOS ONE 10(7):e0130140; biases as in iNNvestigate, which Eitel 2019 used"
    )
    references: ClassVar[tuple[str, ...]] = (BACH,)

    epsilon: float = parameter(1e-3, "The stabiliser, above 0.", above=0)

    def run(self, model: nn.Module, x: torch.Tensor, units: torch.Tensor | None) -> Explanation:
        """Walk back by the epsilon rule; InputError if epsilon cannot be told from 0 or infinity in x's data type."""
        info = torch.finfo(x.dtype)
        if not info.tiny <= self.epsilon <= info.max or not math.isfinite(self.epsilon):
            what = f"{self.epsilon} cannot be distinguished from 0 or infinity in {x.dtype}"
            raise InputError("epsilon", what, "Give 0.001, as in the paper, or another number")
        return explain_by_rules(model, x, units, Composite(Epsilon(self.epsilon)))
