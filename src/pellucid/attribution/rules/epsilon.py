"""The epsilon rule of layer-wise relevance propagation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from pellucid.attribution.arithmetic import total
from pellucid.attribution.layer import Layer
from pellucid.attribution.references import BACH
from pellucid.attribution.rules.rule import Rule, Shared


@dataclass(frozen=True)
class Epsilon(Rule):
    """Share relevance out among the inputs of a layer in proportion to what they added to it.

    `z_j = sum_i a_i w_ij + b_j`, `s_j = +1 if z_j >= 0 else -1`, and
    `R_i = a_i sum_j w_ij q_j` with the quotient `q_j = R_j / (z_j + epsilon s_j)`.

    The bias is part of the denominator, so it takes its share, `sum_j q_j b_j`; the stabiliser takes
    `sum_j q_j epsilon s_j`. Padding takes none: its a_i is 0.

    Parameters
    ----------
    epsilon
        The stabiliser, above 0.
    """

    name: ClassVar[str] = "epsilon"
    source: ClassVar[str] = "Bach et al. 2015, eq. 58; biases as in iNNvestigate's `lrp.epsilon`, which Eitel 2019 used"
    references: ClassVar[tuple[str, ...]] = (BACH,)
    from_output: ClassVar[bool] = True

    epsilon: float = 1e-3

    def share(self, layer: Layer, relevance: torch.Tensor) -> Shared:
        """Share out the relevance of z, of its shape."""
        z = layer.output
        stabiliser = signed(self.epsilon, z)
        quotient = torch.empty_like(z)  # laid out as z
        torch.div(relevance, z.detach() + stabiliser, out=quotient)
        pulled = layer.pull(quotient)
        parts = tuple(a.detach() * c for a, c in zip(layer.inputs, pulled, strict=True))
        absorbed = {"bias": layer.total_of_bias(quotient), "epsilon": total(quotient * stabiliser)}
        return Shared(parts, absorbed)


def signed(epsilon: float, z: torch.Tensor) -> torch.Tensor:
    """Return `epsilon s(z)`: +epsilon where z >= 0, also at -0.0, and -epsilon elsewhere."""
    return torch.copysign(z.new_tensor(epsilon), z.detach() + 0.0)  # -0.0 + 0.0 is 0.0
