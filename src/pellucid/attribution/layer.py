"""An affine layer as LRP rules see it: its inputs and output as they were, and itself with other numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, get_args

import torch
from torch import nn
from torch.func import functional_call

from pellucid.attribution.arithmetic import Tensors, pull, total
from pellucid.network.field_of_view import BATCH_NORM

Kind = Literal["convolution", "dense", "norm", "pool", "sum"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""Kinds of affine layer: convolutions (transposed ones too), dense layers, batch norm, average pools, sums."""


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One affine layer, `z = W a + b`.

    Parameters
    ----------
    kind
        What it is.
    inputs
        The tensors a that it is affine in: one, or each term of a sum. Recorded by autograd.
    output
        z; of a layer that runs together with the max-pool behind it only the winners. Recorded by autograd.
    module
        The module, None for a function or a sum.
    constant
        What a sum adds that does not depend on the image.
    first
        Whether the layer reads the image itself.
    repeat
        Runs a layer that is a function on another input; None where rules do not ask for it.
    """

    kind: Kind
    inputs: Tensors
    output: torch.Tensor
    module: nn.Module | None = None
    constant: torch.Tensor | float = 0.0
    first: bool = False
    repeat: Callable[[torch.Tensor], torch.Tensor] | None = field(default=None, repr=False)

    @property
    def weight(self) -> torch.Tensor | None:
        """W: of a convolution or dense layer as PyTorch has it, of batch norm the factor of each channel.

        None where nobody chose it: of average pools it is 1 / n, of sums 1.
        """
        if self.kind == "norm":
            return _scale_and_shift(self.module)[0]
        weight = getattr(self.module, "weight", None)
        return weight.detach() if isinstance(weight, torch.Tensor) else None

    @property
    def bias(self) -> torch.Tensor | None:
        """What the layer adds whatever its input, per channel, (C,), or None; of a sum that is its `constant`."""
        if self.kind == "norm":
            return _scale_and_shift(self.module)[1]
        bias = getattr(self.module, "bias", None)
        return bias.detach() if isinstance(bias, torch.Tensor) else None

    def pull(self, values: torch.Tensor) -> Tensors:
        """Return `sum_j w_ij v_j` for `values` v of z's shape: of each input's shape."""
        return pull(self.output, self.inputs, values)

    def apply(
        self, inputs: Tensors, weight: torch.Tensor | None = None, bias: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return `W' a' + b'`: the layer on other inputs, with another weight (None: its own) and bias (None: 0)."""
        if self.kind == "sum":
            first, *others = inputs
            return sum(others, first)
        (a,) = inputs
        weight = self.weight if weight is None else weight
        if self.kind == "norm":
            assert weight is not None
            shape = (1, -1, *(1,) * (a.ndim - 2))
            return a * weight.reshape(shape) + (0.0 if bias is None else bias.reshape(shape))
        if self.kind == "pool":
            assert self.repeat is not None, "the layer was recorded for rules that do not run it again"
            return self.repeat(a)
        assert self.module is not None
        changed = {"weight": weight}
        if (own := self.bias) is not None:
            changed["bias"] = torch.zeros_like(own) if bias is None else bias
        z = functional_call(self.module, changed, (a,))  # type: ignore[arg-type]
        assert isinstance(z, torch.Tensor)
        return z

    def total_of_bias(self, quotient: torch.Tensor) -> torch.Tensor:
        """Return `sum_j q_j b_j` for q of z's shape, (B,) in float64."""
        if self.kind == "sum":
            return total(quotient * self.constant)
        bias = self.bias
        if bias is None:
            return torch.zeros(len(quotient), dtype=torch.float64, device=quotient.device)
        channel = quotient.ndim - 1 if self.kind == "dense" else 1
        others = [axis for axis in range(1, quotient.ndim) if axis != channel]
        per_channel = quotient.sum(dim=others, dtype=torch.float64) if others else quotient.double()
        return per_channel @ bias.double()


def kind_of(module: nn.Module | None) -> Kind:
    """Return which kind of affine layer a module is; those that are functions are average pools."""
    if isinstance(module, BATCH_NORM):
        return "norm"
    if isinstance(module, nn.Linear):
        return "dense"
    return "pool" if getattr(module, "weight", None) is None else "convolution"


def _scale_and_shift(module: nn.Module | None) -> Tensors:
    """Return what batch norm in evaluation mode multiplies each channel by, and what it adds then."""
    assert isinstance(module, BATCH_NORM)
    assert module.running_mean is not None
    assert module.running_var is not None
    scale = (module.running_var + module.eps).rsqrt()
    scale = scale if module.weight is None else scale * module.weight
    shift = -module.running_mean * scale
    return scale.detach(), (shift if module.bias is None else shift + module.bias).detach()
