"""What an explanation consists of: the map, the logit it explains, and where relevance went on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from pellucid.attribution.heads import Head


@dataclass(frozen=True, slots=True, eq=False)
class LedgerEntry:
    """What one layer received, passed on and kept of the relevance, each (B,) in float64 on the CPU.

    `relevance_out = relevance_in + sum of absorbed`, to rounding. "Out" and "in" are the layer's output and input:
    relevance walks from one to the other.

    Parameters
    ----------
    layer
        The layer's path in the model, as in `named_modules`; the name of the operation if it is no module.
    relevance_out
        Sum of the relevance of the layer's output.
    relevance_in
        Sum of the relevance that reaches the layer's input (its inputs, if it adds several).
    absorbed
        What was taken on the way, by what took it: the rule names that. `bias` and `epsilon` of the epsilon rule; of
        `cat` and `h[...] = y`, `bias` is what reached values that do not depend on x. `entry.absorbed_bias` is the same
        as `entry.absorbed["bias"]`, and so for each.
    """

    layer: str
    relevance_out: torch.Tensor
    relevance_in: torch.Tensor
    absorbed: Mapping[str, torch.Tensor]

    def __getattr__(self, name: str) -> torch.Tensor:
        """Return what one of `absorbed` took: `entry.absorbed_bias`."""
        first, _, what = name.partition("_")
        if first != "absorbed" or what not in self.absorbed:
            raise AttributeError(f"the ledger has no {name!r}; what absorbed relevance is {', '.join(self.absorbed)}")
        return self.absorbed[what]

    def columns(self, item: int = 0) -> dict[str, str | float]:
        """Return the entry of one batch item as a row of a table: `layer`, `relevance_out`, ..., `absorbed_bias`."""
        sums = {"relevance_out": self.relevance_out, "relevance_in": self.relevance_in}
        sums |= {f"absorbed_{name}": values for name, values in self.absorbed.items()}
        return {"layer": self.layer} | {name: float(values[item]) for name, values in sums.items()}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Explanation:
    """A relevance map and what it explains. Two are equal only if they are one and the same.

    Parameters
    ----------
    relevance
        The map, of x's shape, data type and device, in the method's `units`.
    logit
        The explained output (B,), before `head`.
    ledger
        One entry for each layer that can absorb relevance, in the order of the forward pass; empty for methods that do
        not conserve anything layer by layer. Layers that only pass relevance on (activations, dropout, max-pools,
        flatten) are not listed: what one entry has as `relevance_out` is the next one's `relevance_in` in a chain.
    paths
        With LRP, how each convolution ran: `fused` with the max-pool behind it, several times quicker, or
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
