"""What an explanation consists of: the map, the logit it explains, and where relevance went on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import nn

from pellucid.attribution.heads import Head


@dataclass(frozen=True, slots=True, eq=False)
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
        What the biases took: `sum_j R_j b_j / (z_j + epsilon s_j)`; of `cat` and `h[...] = y`, what reached values that
        do not depend on x.
    absorbed_epsilon
        What the stabiliser took: `sum_j R_j epsilon s_j / (z_j + epsilon s_j)`.
    """

    layer: str
    relevance_out: torch.Tensor
    relevance_in: torch.Tensor
    absorbed_bias: torch.Tensor
    absorbed_epsilon: torch.Tensor


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Explanation:
    """A relevance map and what it explains. Two are equal only if they are one and the same.

    Parameters
    ----------
    relevance
        The map, of x's shape, data type and device. Its unit is the logit's; for `gradient` and `sensitivity`, logit
        per unit of x.
    logit
        The explained output (B,), before `head`.
    ledger
        One entry for each layer that can absorb relevance, in the order of the forward pass; empty for methods that do
        not conserve anything layer by layer. Layers that only pass relevance on (activations, dropout, max-pools,
        flatten) are not listed: what one entry has as `relevance_out` is the next one's `relevance_in` in a chain.
    paths
        With `lrp-epsilon`, how each convolution ran: `fused` with the max-pool behind it, several times quicker, or
        `layer by layer: ` and why. The map is the same, but where values that an activation of ELU's kind has left
        equal to the last bit compete in a window: then another of them may win.
    head
        The sigmoid or softmax at the model's end that was passed over, or several in turn (`softmax of sigmoid`);
        `none`; or `unknown` where that cannot be seen, as in compiled code: then the output itself is explained, which
        may be a probability.
    """

    relevance: torch.Tensor
    logit: torch.Tensor
    ledger: tuple[LedgerEntry, ...]
    paths: Mapping[str, str] = field(default_factory=dict)
    head: Head = "none"

    def __repr__(self) -> str:
        """Say what the explanation is of in one line."""
        sums = [round(float(item.double().sum()), 4) for item in self.relevance[:3]]
        logits = [round(float(logit), 4) for logit in self.logit[:3]]
        more = ", ..." if len(self.logit) > 3 else ""
        logit, sum_ = (f"[{', '.join(map(str, numbers))}{more}]" for numbers in (logits, sums))
        shape, layers = tuple(self.relevance.shape), len(self.ledger)
        return f"Explanation({shape}, logit={logit}, sum={sum_}, {layers} layers in the ledger)"


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
    units
        The unit of its maps.
    run
        `run(model, x, target, parameters)`: what computes them, from a model in evaluation mode and a copy of x.
    """

    name: str
    parameters: Mapping[str, float]
    source: str
    summary: str
    units: str
    run: Callable[[nn.Module, torch.Tensor, torch.Tensor | None, Mapping[str, float]], Explanation] = field(repr=False)
