"""LRP-epsilon by another way: PyTorch's own autograd, whose gradients are made relevance function by function.

Aliases, views and what works in place are then followed by autograd itself, and no graph of the network is made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.overrides import TorchFunctionMode

AFFINE = (
    F.conv1d, F.conv2d, F.conv3d, F.linear, F.batch_norm, F.avg_pool1d, F.avg_pool2d, F.avg_pool3d,
    F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d,
)  # fmt: skip
ELEMENTWISE = {
    F.relu: torch.relu, torch.relu: torch.relu, torch.relu_: torch.relu, torch.Tensor.relu_: torch.relu,
    F.elu: F.elu, torch.tanh: torch.tanh, torch.tanh_: torch.tanh, F.leaky_relu: F.leaky_relu,
}  # fmt: skip
SUMS = (torch.add, torch.Tensor.add, torch.Tensor.add_, torch.Tensor.__add__, torch.Tensor.__iadd__)
HEADS = (
    torch.sigmoid, torch.Tensor.sigmoid_, torch.Tensor.softmax, F.log_softmax, F.logsigmoid,
)  # fmt: skip
ENDS_IN_PLACE = ("relu_", "tanh_", "add_", "__iadd__")


class _Affine(torch.autograd.Function):
    """`R_i = a_i sum_j w_ij R_j / (z_j + epsilon s_j)` in place of the gradient."""

    @staticmethod
    def forward(ctx: Any, function: Callable[..., torch.Tensor], epsilon: float, *inputs: torch.Tensor) -> torch.Tensor:
        ctx.inputs, ctx.function, ctx.epsilon = [a.detach().clone() for a in inputs], function, epsilon
        return function(*ctx.inputs).clone()

    @staticmethod
    def backward(ctx: Any, *relevance: torch.Tensor) -> Any:
        with torch.enable_grad():
            inputs = [a.requires_grad_() for a in ctx.inputs]
            z = ctx.function(*inputs)
            quotient = relevance[0] / (z + torch.where(z >= 0, ctx.epsilon, -ctx.epsilon)).detach()
            # Laid out as z: PyTorch's batch norm asks for that.
            pulled = torch.autograd.grad(z, inputs, torch.empty_like(z).copy_(quotient).detach())
        return None, None, *((a * c).detach() for a, c in zip(inputs, pulled, strict=True))


class _Unchanged(torch.autograd.Function):
    """An activation that passes relevance on as it is."""

    @staticmethod
    def forward(ctx: Any, function: Callable[..., torch.Tensor], a: torch.Tensor) -> torch.Tensor:
        return function(a.detach().clone())

    @staticmethod
    def backward(ctx: Any, *relevance: torch.Tensor) -> Any:
        return None, relevance[0]


class _Twin(TorchFunctionMode):
    def __init__(self, epsilon: float) -> None:
        super().__init__()
        self.epsilon = epsilon

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, name = dict(kwargs or {}), getattr(func, "__name__", "")
        if func in HEADS:
            return args[0]
        if func in AFFINE and args[0].requires_grad:
            return _Affine.apply(lambda a: func(a, *args[1:], **kwargs), self.epsilon, args[0])
        if func in ELEMENTWISE and args[0].requires_grad:
            overwrites = name.endswith("_") or kwargs.pop("inplace", False)
            rest = args[1:]
            if func is F.leaky_relu and len(args) == 3:
                overwrites, rest = args[2], args[1:2]
            made = _Unchanged.apply(lambda a: ELEMENTWISE[func](a, *rest, **kwargs), args[0])
            return args[0].copy_(made) if overwrites else made
        if func in SUMS:
            terms = [term for term in args if isinstance(term, torch.Tensor) and term.requires_grad]
            if terms:
                made = _Affine.apply(lambda *given: _sum(args, terms, given), self.epsilon, *terms)
                return args[0].copy_(made) if name in ENDS_IN_PLACE else made
        return func(*args, **kwargs)


class _WithoutHead(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return args[0] if func in HEADS else func(*args, **(kwargs or {}))


def gradient_by_autograd(model: nn.Module, x: torch.Tensor, units: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the gradient of the logits of the units at x: (B, ...), and the logits (B,)."""
    return _pull(_WithoutHead(), model, x, units, torch.ones_like)


def relevance_by_autograd(
    model: nn.Module, x: torch.Tensor, units: list[int], epsilon: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the relevance of x: (B, ...) for the units, and the logits (B,) that were shared out."""
    return _pull(_Twin(epsilon), model, x, units, torch.clone)


def _pull(
    mode: TorchFunctionMode,
    model: nn.Module,
    x: torch.Tensor,
    units: list[int],
    seed: Callable[[torch.Tensor], torch.Tensor],
) -> tuple[torch.Tensor, torch.Tensor]:
    leaf = x.detach().clone().requires_grad_()
    # What is saved for the way back may be overwritten.
    with torch.autograd.graph.saved_tensors_hooks(torch.clone, lambda kept: kept):
        with mode:
            output = model(leaf.clone())
        logit = output[torch.arange(len(x)), units]
        (pulled,) = torch.autograd.grad(logit, leaf, seed(logit.detach()))
    return pulled, logit.detach()


def _sum(args: Any, terms: list[torch.Tensor], given: Any) -> torch.Tensor:
    """Add up arguments, `given` ones in the place of `terms`."""
    left = list(given)
    parts = [left.pop(0) if any(arg is term for term in terms) else arg for arg in args]
    return parts[0] + parts[1]
