"""What an explanation consists of: the map, the logit it explains, and where relevance went on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """What one layer received, passed on and kept of the relevance, each (B,) in float64 on the CPU.

    `relevance_out = relevance_in + absorbed_bias + absorbed_epsilon`, to rounding. "Out" and "in" are the layer's
    output and input: relevance walks from one to the other.

    Parameters
    ----------
    layer
        The layer's path in the model, as in `named_modules`; the name of the operation if it is no module.
    relevance_out
        Sum of the relevance of the layer's output.
    relevance_in
        Sum of the relevance that reaches the layer's input (its inputs, if it adds several).
    absorbed_bias
        What the biases took: `sum_j R_j b_j / (z_j + epsilon s_j)`.
    absorbed_epsilon
        What the stabiliser took: `sum_j R_j epsilon s_j / (z_j + epsilon s_j)`.
    """

    layer: str
    relevance_out: torch.Tensor
    relevance_in: torch.Tensor
    absorbed_bias: torch.Tensor
    absorbed_epsilon: torch.Tensor


@dataclass(frozen=True, slots=True)
class Explanation:
    """A relevance map and what it explains.

    Parameters
    ----------
    relevance
        The map, of x's shape, data type and device. Its unit is the logit's; for `gradient`, logit per unit of x.
    logit
        The explained output (B,), before the sigmoid.
    ledger
        One entry for each layer that can absorb relevance, in the order of the forward pass; empty for methods that do
        not conserve anything layer by layer. Layers that only pass relevance on (activations, dropout, max-pools,
        flatten) are not listed: what one entry has as `relevance_out` is the next one's `relevance_in` in a chain.
    paths
        With `lrp-epsilon`, how each convolution ran: `fused` with the max-pool behind it, several times quicker, or
        `layer by layer: ` and why. The map is the same.
    """

    relevance: torch.Tensor
    logit: torch.Tensor
    ledger: tuple[LedgerEntry, ...]
    paths: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Method:
    """A way of explaining, as `pellucid.methods()` lists it.

    Parameters
    ----------
    name
        What `explain(..., method=)` calls it.
    parameters
        Its parameters and their defaults.
    source
        Where it comes from.
    summary
        What it computes, in one sentence.
    """

    name: str
    parameters: Mapping[str, float]
    source: str
    summary: str
