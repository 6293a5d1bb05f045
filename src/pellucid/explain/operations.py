"""Which operations relevance can walk through, and how each lets it pass.

There are four ways. An *affine* operation, z = W a + b, shares relevance out by the epsilon rule. An *elementwise* one
passes it unchanged. One that *routes* values (max-pool, flatten, crop) sends relevance back to where its values came
from. A *sum* of several tensors is affine in all of them together.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from enum import Enum
from typing import Any, cast

import torch
from torch import nn
from torch.fx import Graph, Node
from torch.nn import functional as F  # noqa: N812

from pellucid.errors import PellucidError
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
            F.tanh, F.sigmoid, F.logsigmoid, F.hardtanh, F.hardsigmoid, F.hardswish, F.dropout, F.dropout1d,
            F.dropout2d, F.dropout3d, torch.relu, torch.tanh, torch.sigmoid,
        ),
        Way.ELEMENTWISE,
    ),
    **dict.fromkeys(
        (
            *_MAX_POOL_FUNCTIONS, torch.flatten, torch.reshape, torch.squeeze, torch.unsqueeze, torch.permute,
            torch.transpose, torch.cat, operator.getitem, fit_input, whole_input, one_logit,
        ),
        Way.ROUTE,
    ),
    **dict.fromkeys((operator.add, operator.iadd, torch.add), Way.SUM),
}  # fmt: skip

_METHODS: dict[str, Way] = {
    **dict.fromkeys(("relu", "tanh", "sigmoid"), Way.ELEMENTWISE),
    **dict.fromkeys(
        ("flatten", "reshape", "view", "squeeze", "unsqueeze", "permute", "transpose", "contiguous", "clone", "narrow"),
        Way.ROUTE,
    ),
    **dict.fromkeys(("add", "add_"), Way.SUM),
}

_SIGMOIDS = (F.sigmoid, torch.sigmoid)


def way_of(node: Node, model: nn.Module) -> Way:
    """Return how the operation of `node` lets relevance pass.

    Raises
    ------
    PellucidError
        If no rule is known for it; the message names its path in the model and what to do.
    """
    way, what = _look_up(node, model)
    if way is None:
        raise PellucidError(
            f"{path_of(node)}: lrp-epsilon has no rule for {what}. Known are {', '.join(known())}, their functional "
            "forms without weights, reshaping, slicing, cat and +. Rebuild the model of these, or explain it with "
            "method='input-x-gradient', which takes any differentiable operation."
        )
    return way


def _look_up(node: Node, model: nn.Module) -> tuple[Way | None, str]:
    """Return the way of an operation, or None, and its name for people."""
    if node.op == "call_module":
        module = model.get_submodule(str(node.target))
        what = type(module).__name__
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


def final_sigmoid(graph: Graph, model: nn.Module) -> Node | None:
    """Return the sigmoid that ends the model, if one does: only reshaping may follow it."""
    node: Node = next(node for node in graph.nodes if node.op == "output").all_input_nodes[0]
    while not _is_sigmoid(node, model):
        if len(node.all_input_nodes) != 1 or _look_up(node, model)[0] is not Way.ROUTE:
            return None
        node = node.all_input_nodes[0]
    return node


def known() -> list[str]:
    """Return the names of the module types that relevance can walk through."""
    return [module.__name__ for module in _MODULES]


def path_of(node: Node) -> str:
    """Return the path of a module as `named_modules` has it, or the name of another operation."""
    return str(node.target) if node.op == "call_module" else node.name


def _is_sigmoid(node: Node, model: nn.Module) -> bool:
    """Tell whether `node` is a sigmoid, in any of its spellings."""
    if node.op == "call_module":
        return isinstance(model.get_submodule(str(node.target)), nn.Sigmoid)
    return node.target in _SIGMOIDS or (node.op == "call_method" and node.target == "sigmoid")


def works_in_place(node: Node, model: nn.Module) -> bool:
    """Tell whether `node` overwrites its input."""
    if node.op == "call_module":
        return bool(getattr(model.get_submodule(str(node.target)), "inplace", False))
    return bool(node.kwargs.get("inplace", False)) or node.target is operator.iadd or str(node.target).endswith("_")


def bias_of(module: nn.Module) -> torch.Tensor | None:
    """Return what an affine module adds whatever its input, per channel, or None if it adds nothing."""
    if isinstance(module, BATCH_NORM):
        assert module.running_mean is not None
        assert module.running_var is not None
        scale = (module.running_var + module.eps).rsqrt()
        scale = scale if module.weight is None else scale * module.weight
        shift = -module.running_mean * scale
        return shift.detach() if module.bias is None else (shift + module.bias).detach()
    bias = getattr(module, "bias", None)
    return bias.detach() if isinstance(bias, torch.Tensor) else None
