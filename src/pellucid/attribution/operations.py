"""Which operations relevance can walk through, and how each lets it pass.

There are four ways. An *affine* operation, z = W a + b, shares relevance out by the epsilon rule. An *elementwise* one
passes it unchanged. One that *routes* values (max-pool, flatten, crop) sends relevance back to where its values came
from. A *sum* of several tensors is affine in all of them together.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable
from enum import Enum
from typing import Any, cast

import torch
from torch import nn
from torch.fx import Node
from torch.nn import functional as F  # noqa: N812

from pellucid.ground.errors import PellucidError
from pellucid.network.field_of_view import AVERAGE_POOL, BATCH_NORM, CONVOLUTION, ELEMENTWISE, MAX_POOL
from pellucid.network.foreign import one_logit, whole_input
from pellucid.network.volume_network import fit_input


class Way(Enum):
    """How an operation lets relevance pass."""

    AFFINE = "affine"
    ELEMENTWISE = "elementwise"
    ROUTE = "route"
    SUM = "sum"


_DENSE = (nn.Linear, *CONVOLUTION, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_ADAPTIVE_AVERAGE_POOL = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)
_MAX_POOLS = (*MAX_POOL, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d)
_DROPOUTS = (F.dropout, F.dropout1d, F.dropout2d, F.dropout3d, F.alpha_dropout, F.feature_alpha_dropout)
_IDLE = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)
_MAX_POOL_FUNCTIONS = (F.max_pool1d, F.max_pool2d, F.max_pool3d)

_MODULES: dict[type[nn.Module], Way] = {
    **dict.fromkeys((*_DENSE, *AVERAGE_POOL, *_ADAPTIVE_AVERAGE_POOL, *BATCH_NORM), Way.AFFINE),
    **dict.fromkeys(ELEMENTWISE, Way.ELEMENTWISE),
    **dict.fromkeys((*_MAX_POOLS, nn.Flatten, nn.Unflatten), Way.ROUTE),
}

_FUNCTIONS: dict[Callable[..., Any], Way] = {
    **dict.fromkeys(
        (
            F.avg_pool1d, F.avg_pool2d, F.avg_pool3d,
            F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d,
        ),
        Way.AFFINE,
    ),
    **dict.fromkeys(
        (
            F.elu, F.relu, F.relu6, F.leaky_relu, F.selu, F.celu, F.gelu, F.silu, F.mish, F.softplus, F.softsign,
            F.tanh, F.sigmoid, F.logsigmoid, F.hardtanh, F.hardsigmoid, F.hardswish, *_DROPOUTS, torch.relu,
            torch.tanh, torch.sigmoid, F.relu_, F.elu_, F.selu_, F.celu_,
            F.leaky_relu_, F.hardtanh_, torch.relu_, torch.tanh_, torch.sigmoid_,
        ),
        Way.ELEMENTWISE,
    ),
    **dict.fromkeys(
        (
            *_MAX_POOL_FUNCTIONS, torch.flatten, torch.reshape, torch.squeeze, torch.unsqueeze, torch.permute,
            torch.transpose, torch.cat, operator.getitem, operator.setitem, fit_input, whole_input, one_logit,
        ),
        Way.ROUTE,
    ),
    **dict.fromkeys((operator.add, operator.iadd, torch.add), Way.SUM),
}  # fmt: skip

_METHODS: dict[str, Way] = {
    **dict.fromkeys(("relu", "relu_", "tanh", "tanh_", "sigmoid", "sigmoid_"), Way.ELEMENTWISE),
    **dict.fromkeys(
        ("flatten", "reshape", "view", "squeeze", "unsqueeze", "permute", "transpose", "contiguous", "clone", "narrow"),
        Way.ROUTE,
    ),
    **dict.fromkeys(("add", "add_"), Way.SUM),
}

_SHAPE_ONLY = (
    torch.zeros_like, torch.ones_like, torch.full_like, "new_zeros", "new_ones", "new_full", "new_tensor",
)  # fmt: skip
_IN_PLACE = (
    operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.ifloordiv, operator.imod, operator.ipow,
    operator.iand, operator.ior, operator.ixor, operator.ilshift, operator.irshift, operator.setitem,
)  # fmt: skip
_ZERO_KEEPING = (
    F.elu, F.relu, F.relu6, F.leaky_relu, F.selu, F.celu, F.gelu, F.silu, F.mish, F.softsign, F.tanh, F.hardswish,
    *_DROPOUTS, torch.relu, torch.tanh, F.relu_, F.elu_, F.selu_, F.celu_,
    F.leaky_relu_, torch.relu_, torch.tanh_, "relu", "relu_", "tanh", "tanh_",
)  # fmt: skip

PATH, PLACE = "pellucid_path", "pellucid_place"
"""What a node of a graph is called in ledgers and in messages: keys of `Node.meta`."""


def way_of(node: Node, model: nn.Module) -> Way:
    """Return how the operation of `node` lets relevance pass.

    Raises
    ------
    PellucidError
        If no rule is known for it; the message names its place in the model and what to do.
    """
    way, what = look_up(node, model)
    if way is None:
        raise PellucidError(
            f"{node.meta[PLACE]}: lrp-epsilon has no rule for {what}. Rebuild the model of operations that have one "
            "(see docs/own-network.md), or explain it with method='input-x-gradient', which needs no rules."
        )
    return way


def reads_values(node: Node) -> bool:
    """Tell whether what `node` gives may depend on more than the shape and type of what it reads."""
    return node.target not in _SHAPE_ONLY


def leads_on(node: Node, model: nn.Module) -> bool:
    """Tell whether `node` only moves values about."""
    return look_up(node, model)[0] is Way.ROUTE


def is_idle(node: Node, model: nn.Module) -> bool:
    """Tell whether `node` gives what it is given, in evaluation mode."""
    if node.op == "call_module":
        return type(model.get_submodule(str(node.target))) in _IDLE
    return node.target in _DROPOUTS


def look_up(node: Node, model: nn.Module) -> tuple[Way | None, str]:
    """Return the way of an operation, or None, and its name for people."""
    if node.op == "call_module":
        module = model.get_submodule(str(node.target))
        what = type(module).__name__
        if "forward" in vars(module):
            return None, f"{what} whose forward was replaced"
        if getattr(module, "padding_mode", "zeros") != "zeros":
            return None, f"{what} padded with {module.padding_mode!r}"
        if isinstance(module, BATCH_NORM) and module.running_mean is None:
            return None, f"{what} without running statistics"
        # An exact match: a subclass may compute something else.
        return _MODULES.get(type(module)), what
    if node.op == "call_function":
        what = getattr(node.target, "__name__", str(node.target))
        way = _FUNCTIONS.get(cast(Callable[..., Any], node.target))
    else:
        what = f"Tensor.{node.target}"
        way = _METHODS.get(str(node.target))
    return (way, what) if node.kwargs.get("alpha", 1) == 1 else (None, f"{what} with alpha")


def is_max_pool(node: Node, model: nn.Module) -> bool:
    """Tell whether `node` is a max-pool."""
    if node.op == "call_module":
        return isinstance(model.get_submodule(str(node.target)), _MAX_POOLS)
    return node.target in _MAX_POOL_FUNCTIONS


def path_of(node: Node) -> str:
    """Return the path of a module as `named_modules` has it, or the name of another operation."""
    return str(node.meta[PATH])


def overwritten_by(node: Node, model: nn.Module) -> Node | None:
    """Return the node whose tensor `node` overwrites, or None if it works on none in place."""
    first = node.args[0] if node.args else node.kwargs.get("input")
    return first if isinstance(first, Node) and _works_in_place(node, model) else None


def _works_in_place(node: Node, model: nn.Module) -> bool:
    if node.op == "call_module":
        return bool(getattr(model.get_submodule(str(node.target)), "inplace", False))
    name = str(node.target) if node.op == "call_method" else getattr(node.target, "__name__", "")
    if name.endswith("_") and not name.endswith("__"):
        return True
    if node.op == "call_method":
        return False
    return node.target in _IN_PLACE or _is_asked_in_place(node)


def _is_asked_in_place(node: Node) -> bool:
    """Tell whether a function's argument `inplace` is true, by name or by place."""
    try:
        given = inspect.signature(cast(Callable[..., Any], node.target)).bind(*node.args, **node.kwargs)
    except (TypeError, ValueError):  # written in C: there are no such arguments
        return False
    return bool(given.arguments.get("inplace", False))


def keeps_zero(node: Node, model: nn.Module) -> bool:
    """Tell whether an elementwise `node` surely turns 0 into 0."""
    if node.op == "call_module":
        layer = model.get_submodule(str(node.target))
        if isinstance(layer, nn.Hardtanh):
            return layer.min_val <= 0 <= layer.max_val
        return not isinstance(layer, (nn.Sigmoid, nn.LogSigmoid, nn.Softplus, nn.Hardsigmoid))
    return node.target in _ZERO_KEEPING
