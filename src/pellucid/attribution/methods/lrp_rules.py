"""Layer-wise relevance propagation with a rule of one's choice for each kind of layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from pellucid.attribution.by_rules import explain_by_rules
from pellucid.attribution.layer import KINDS
from pellucid.attribution.method import LOGIT, Method, parameter
from pellucid.attribution.references import BACH
from pellucid.attribution.result import Explanation
from pellucid.attribution.rules import find_rule
from pellucid.attribution.rules.rule import Composite

_OTHERWISE = "empty: as the others"


@dataclass(frozen=True)
class LrpRules(Method):
    """Share the logit out layer by layer, each layer by the rule that is named for its kind.

    Rules are named as `pellucid.attribution.rules.RULES` has them, or by where a class of one's own is
    (`package.module:Class`). Activations and dropout pass relevance unchanged, the winner of a max-pool window takes
    all. The ledger says what each rule absorbed.
    """

    name: ClassVar[str] = "lrp-rules"
    units: ClassVar[str] = LOGIT
    source: ClassVar[str] = "Bach et al. 2015, PLOS ONE 10(7):e0130140"
    references: ClassVar[tuple[str, ...]] = (BACH,)

    rule: str = parameter("epsilon", "The rule of every affine layer.")
    first: str = parameter("", f"The rule of the layers that read the image; {_OTHERWISE}.")
    convolution: str = parameter("", f"The rule of convolutions; {_OTHERWISE}.")
    dense: str = parameter("", f"The rule of dense layers; {_OTHERWISE}.")
    norm: str = parameter("", f"The rule of batch norm; {_OTHERWISE}.")
    pool: str = parameter("", f"The rule of average pools; {_OTHERWISE}.")
    sum: str = parameter("", f"The rule of sums; {_OTHERWISE}.")

    @property
    def composite(self) -> Composite:
        """Which rule each layer has; InputError at a parameter that names none."""
        named = {kind: getattr(self, kind) for kind in KINDS}
        return Composite(
            find_rule(self.rule, where="rule"),
            {kind: find_rule(name, where=kind) for kind, name in named.items() if name},
            find_rule(self.first, where="first") if self.first else None,
        )

    def run(self, model: nn.Module, x: torch.Tensor, units: torch.Tensor | None) -> Explanation:
        """Walk back by those rules."""
        return explain_by_rules(model, x, units, self.composite)
