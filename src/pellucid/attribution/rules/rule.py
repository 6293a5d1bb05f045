"""What an LRP rule is, and which layer has which."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar, NamedTuple

import torch

from pellucid.attribution.arithmetic import Tensors
from pellucid.attribution.layer import Kind, Layer
from pellucid.ground.words import first_paragraph


class Shared(NamedTuple):
    """How a layer's relevance was shared out.

    Parameters
    ----------
    parts
        The relevance of each input, of its shape.
    absorbed
        What was taken on the way, by what took it, each (B,): a column of the ledger. The relevance of the output is
        the sum of all parts and of all that was absorbed; `explain` refuses a map where it is not.
    """

    parts: Tensors
    absorbed: Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Rule(ABC):
    """How an affine layer shares the relevance of its output out among its inputs.

    A rule is a frozen dataclass whose fields are its parameters, in one file.

    Attributes
    ----------
    name
        What methods call it: small letters, digits and hyphens.
    source, references
        Where it comes from, in short; and what a paper cites.
    from_output
        Whether the rule needs nothing but the layer's inputs and output and `pull`. Then a convolution may run in one
        kernel with the max-pool behind it, whose losers have no relevance: several times quicker, the same map.
    """

    name: ClassVar[str]
    source: ClassVar[str]
    references: ClassVar[tuple[str, ...]] = ()
    from_output: ClassVar[bool] = False

    @classmethod
    def summary(cls) -> str:
        """Return what it does, in a sentence."""
        return first_paragraph(cls)

    @abstractmethod
    def share(self, layer: Layer, relevance: torch.Tensor) -> Shared:
        """Share out the relevance of the layer's output, of its shape."""


@dataclass(frozen=True)
class Composite:
    """Which rule each layer has.

    Parameters
    ----------
    default
        The rule of every affine layer that is not named otherwise.
    kinds
        Rules of kinds of layer.
    first
        The rule of the layers that read the image.
    """

    default: Rule
    kinds: Mapping[Kind, Rule] = field(default_factory=lambda: MappingProxyType({}))
    first: Rule | None = None

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All of its rules."""
        return (self.default, *self.kinds.values(), *([] if self.first is None else [self.first]))

    @property
    def from_output(self) -> bool:
        """Whether all of its rules are."""
        return all(rule.from_output for rule in self.rules)

    def rule_of(self, layer: Layer) -> Rule:
        """Return the rule of a layer."""
        if layer.first and self.first is not None and layer.kind != "sum":
            return self.first
        return self.kinds.get(layer.kind, self.default)
