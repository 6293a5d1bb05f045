"""A model's own forward pass, watched: its logit, what ends it behind that, and whether it draws random numbers."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.autograd.function import BackwardCFunction
from torch.autograd.graph import Node
from torch.nn import functional as F  # noqa: N812
from torch.overrides import TorchFunctionMode

from pellucid.attribution.heads import CALLED, LOG, Head, word_for
from pellucid.attribution.trace import shortened
from pellucid.ground.errors import InputError, PellucidError
from pellucid.network.volume_network import is_out_of_memory, too_large

_RESHAPING = (
    "View", "UnsafeView", "ReshapeAlias", "Squeeze", "Unsqueeze", "Alias", "Transpose", "Permute", "Slice", "Select",
    "Clone", "T", "Index", "BackwardHookFunction",
)  # fmt: skip
"""Nodes of autograd that move values about, or call hooks: `ViewBackward0`, `ReshapeAliasBackward0`, ..."""
_SUMS = (
    "Addmm", "Mm", "Bmm", "Addbmm", "Baddbmm", "Mv", "Dot", "Linear", "Convolution", "Add", "Sub", "Sum", "Mean",
    "NativeBatchNorm", "CudnnBatchNorm", "AvgPool2D", "AvgPool3D", "AdaptiveAvgPool2D", "AdaptiveAvgPool3D",
)  # fmt: skip
"""Nodes that no probability comes of, unless by accident."""
_OPAQUE = ("Sigmoid", "Softmax", "LogSoftmax", "LogSigmoid", "DifferentiableGraph")
"""Nodes behind which nobody sees, among them a sigmoid that was not seen as it was called, in compiled code."""
_RANDOM = ("rand", "randn", "randint", "rand_like", "randn_like", "randint_like", "bernoulli", "bernoulli_", "normal",
           "normal_", "uniform_", "multinomial", "randperm", "poisson", "exponential_", "random_")  # fmt: skip
_DROPOUTS = (F.dropout, F.dropout1d, F.dropout2d, F.dropout3d, F.alpha_dropout, F.feature_alpha_dropout)


@dataclass(frozen=True, slots=True)
class Forward:
    """What a model gives, and what it ends in.

    Parameters
    ----------
    output
        What the model gives, recorded by autograd.
    ends
        Input and output of each sigmoid or softmax that ends the model, from the last one on.
    head
        What they are.
    """

    output: torch.Tensor
    ends: list[tuple[torch.Tensor, torch.Tensor]]
    head: Head

    def select(self, units: torch.Tensor) -> torch.Tensor:
        """Return the logit (B,) of the output units (B,), recorded by autograd: what is before a final sigmoid."""
        rows = self.output.reshape(len(units), -1)
        if not self.ends:
            return rows.gather(1, units[:, None])[:, 0]
        # Each item's unit is marked in the output by a number of its own, which is followed back to the logits.
        marks = torch.arange(1, len(units) + 1, dtype=rows.dtype, device=rows.device)
        marked = torch.zeros_like(rows).scatter(1, units[:, None], marks[:, None]).reshape(self.output.shape)
        after = self.output
        for before, behind in self.ends:
            (marked,) = torch.autograd.grad(after, behind, marked, retain_graph=True)
            after = before
        places = [(marked == mark).flatten().nonzero()[0, 0] for mark in marks]
        return after.reshape(-1)[torch.stack(places)]


def run_forward(model: nn.Module, x: torch.Tensor) -> Forward:
    """Run `model` on x: (B, ...), a leaf that needs a gradient, and find out what it ends in.

    Raises
    ------
    InputError
        If the model fails on x.
    PellucidError
        If it gives anything but a row for each item, or draws random numbers.
    """
    watch, name = _Watch(), type(model).__name__
    try:
        with watch:
            output = model(x.clone())  # a network may begin in place
    except PellucidError:
        raise
    except Exception as error:  # the user's forward may raise anything
        if is_out_of_memory(error):
            raise PellucidError(too_large(len(x))) from error
        what = f"of shape {tuple(x.shape)} makes {name} fail ({type(error).__name__}: {shortened(error)})"
        fix = "Give the shape that the network takes, (batch, channels, ...); x[None] adds a batch axis"
        raise InputError("x", what, fix) from error
    if not isinstance(output, torch.Tensor) or output.shape[:1] != x.shape[:1]:
        shape = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
        raise PellucidError(
            f"The model's output is {shape}, not one row per batch item ({len(x)}). Keep the batch axis first."
        )
    if watch.random:
        raise PellucidError(
            f"{name} draws random numbers in evaluation mode ({watch.random}), so a map would explain one draw only. "
            "Do not draw if self.training is false, as in F.dropout(h, training=self.training)."
        )
    return _ended(output, watch)


def _ended(output: torch.Tensor, watch: _Watch) -> Forward:
    """Go back from the output through whatever only reshapes to every sigmoid or softmax that was seen."""
    heads: list[Head] = []
    ends: list[tuple[torch.Tensor, torch.Tensor]] = []
    node = output.grad_fn
    while node is not None:
        seen = next((seen for seen in watch.heads if seen[-1] is node), None)
        if seen is not None:
            head, before, behind, _ = seen
            heads.append(head)
            ends.append((before, behind))
            node = before.grad_fn
            continue
        if _kind(node) not in _RESHAPING:
            break
        node = node.next_functions[0][0]
    while heads and heads[-1] == LOG:
        heads.pop()
        node = ends.pop()[1].grad_fn
    if node is not None and (_kind(node).startswith(_OPAQUE) or (not heads and _may_be_probability(node, output))):
        return Forward(output, [], "unknown")
    return Forward(output, ends, word_for(heads))


def _kind(node: Node) -> str:
    """Return the name of an operation that autograd recorded: `Softmax` of `SoftmaxBackward0`."""
    return node.name().rsplit("Backward", 1)[0].split("::")[-1]


def _may_be_probability(node: Node, output: torch.Tensor) -> bool:
    if isinstance(node, BackwardCFunction):
        return True
    return _kind(node) not in _SUMS and bool(((output >= 0) & (output <= 1)).all())


class _Watch(TorchFunctionMode):
    """Sees every function of PyTorch that is called in this thread, and keeps what a logit may be taken from."""

    def __init__(self) -> None:
        super().__init__()
        self.heads: list[tuple[Head, torch.Tensor, torch.Tensor, Node]] = []
        self.random = ""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        head = CALLED.get(func)
        if head is not None:
            before = args[0] if args else kwargs["input"]
            before = before.clone() if name.endswith("_") else before
        result = func(*args, **kwargs)
        if head is not None and isinstance(result, torch.Tensor) and result.grad_fn is not None:
            self.heads.append((head, before, result, result.grad_fn))
        if name in _RANDOM or (func in _DROPOUTS and _drops(func, args, kwargs)):
            self.random = name
        if func is F.batch_norm and result.requires_grad:
            # See `rules.pull`: the gradient has to lie in memory as the output does.
            result.register_hook(partial(_laid_out, result.stride()))
        return result


def _laid_out(strides: tuple[int, ...], gradient: torch.Tensor) -> torch.Tensor:
    if gradient.stride() == strides:
        return gradient
    return torch.empty_strided(gradient.shape, strides, dtype=gradient.dtype, device=gradient.device).copy_(gradient)


def _drops(function: Callable[..., Any], args: Any, kwargs: Any) -> bool:
    given = inspect.signature(function).bind(*args, **kwargs)
    given.apply_defaults()
    return bool(given.arguments["training"]) and given.arguments["p"] > 0
