"""A method and rules as a user writes them, outside of the package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from pellucid.attribution.arithmetic import pull
from pellucid.attribution.by_gradient import explain_by_gradient
from pellucid.attribution.layer import Layer
from pellucid.attribution.method import LOGIT, Method, parameter
from pellucid.attribution.result import Explanation
from pellucid.attribution.rules.rule import Rule, Shared


@dataclass(frozen=True)
class Power(Method):
    """The value's power times the gradient, rounded to a number of digits.

    `R_i = x_i^p d logit / d x_i`.
    """

    name: ClassVar[str] = "power"
    units: ClassVar[str] = LOGIT
    source: ClassVar[str] = "A user's own"
    references: ClassVar[tuple[str, ...]] = ("Somebody A. A power of maps. Journal of Maps 1 (2026) 1-2.",)

    p: float = parameter(1.0, "The power.", at_least=0, at_most=4)
    digits: int = parameter(3, "Digits that are kept.", at_least=1)
    signed: bool = parameter(True, "Whether the sign of the gradient is kept.")
    of: str = parameter("both", "Which relevance is kept.", choices=("both", "positive"))

    def run(self, model: nn.Module, x: torch.Tensor, units: torch.Tensor | None) -> Explanation:
        def of(x: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
            relevance = x**self.p * (gradient if self.signed else gradient.abs())
            relevance = relevance.clamp(min=0) if self.of == "positive" else relevance
            return torch.round(relevance, decimals=self.digits)

        return explain_by_gradient(model, x, units, of)


@dataclass(frozen=True)
class WSquare(Rule):
    """`R_i = sum_j w_ij^2 / (sum_k w_kj^2) R_j`, whatever the values: of sums and pools in equal shares."""

    name: ClassVar[str] = "w-square"
    source: ClassVar[str] = "Montavon et al. 2017, Pattern Recognition 65:211"

    def share(self, layer: Layer, relevance: torch.Tensor) -> Shared:
        ones = tuple(torch.ones_like(a).requires_grad_() for a in layer.inputs)
        z = layer.apply(ones, None if layer.weight is None else layer.weight.square())
        return Shared(pull(z, ones, relevance / z.detach()), {"nothing": relevance.new_zeros(len(relevance)).double()})


@dataclass(frozen=True)
class Leaky(Rule):
    """A rule that loses half of what it is given, without a word of it in the ledger."""

    name: ClassVar[str] = "leaky"
    source: ClassVar[str] = "Nobody"

    def share(self, layer: Layer, relevance: torch.Tensor) -> Shared:
        return Shared(tuple(part / 2 for part in WSquare().share(layer, relevance).parts), {})


class NoMethod:
    """No method at all."""
