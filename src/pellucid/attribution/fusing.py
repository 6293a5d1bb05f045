"""When a convolution and the max-pool behind it may run in one kernel and the map is the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.fx import Node

from pellucid.attribution.operations import Way, keeps_zero, look_up
from pellucid.network.field_of_view import CONVOLUTION
from pellucid.network.fused_functions import obstacle, pool_behind

_CURVED = (nn.ELU, nn.SELU, nn.CELU)
_UNBOUNDED = (nn.ReLU, nn.Softplus, nn.Identity, *_CURVED)
"""Activations without a ceiling: of different values that are not negative, none becomes equal to another."""

_FLAT = {torch.float32: -5.0, torch.float64: -20.0}
"""From where on down exp(z) - 1 falls so little that neighbouring values become equal in a data type."""


class Fusion(NamedTuple):
    """The max-pool that may run with a convolution, the activation between the two, and why it must not, if so."""

    pool: Node | None
    activation: nn.Module | None
    why: str | None


def pool_to_fuse(node: Node, model: nn.Module, values: Mapping[Node, Any]) -> Fusion | None:
    """Return what may run with `node`, whose inputs are among `values`; None if it is no convolution."""
    if node.op != "call_module" or not isinstance(model.get_submodule(str(node.target)), CONVOLUTION):
        return None
    nodes = [node]
    while len(nodes) < 3 and len(nodes[-1].users) == 1 and next(iter(nodes[-1].users)).op == "call_module":
        nodes.append(next(iter(nodes[-1].users)))
    layers = [model.get_submodule(str(n.target)) for n in nodes]
    place = pool_behind(layers)
    if type(layers[0]) is not nn.Conv3d:
        return Fusion(None, None, f"{type(layers[0]).__name__} has no kernel")
    if place == 0:
        return Fusion(None, None, "no max-pool follows")
    activation = layers[1] if place == 2 else None
    why = None if activation is None else _lost_between(activation, nodes[place], model)
    return Fusion(nodes[place], activation, why or obstacle(values[node.all_input_nodes[0]], layers[0], layers[place]))


def flat_at(pooled: torch.Tensor, activation: nn.Module | None) -> str | None:
    """Return why the winners of a pool need not be those behind `activation`, given their values before it.

    ELU, SELU and CELU approach a floor: far below 0 their values are so close that the data type makes them equal, and
    then the first of a window wins.
    """
    if not isinstance(activation, _CURVED):
        return None
    scale = abs(float(activation.alpha)) if isinstance(activation, nn.CELU) else 1.0
    if bool(pooled.detach().min() >= _FLAT[pooled.dtype] * scale):
        return None
    return f"{type(activation).__name__} makes values far below 0 equal that the pool chooses among"


def _lost_between(activation: nn.Module, pool: Node, model: nn.Module) -> str | None:
    """Return why a pool before `activation` gives another map than one behind it."""
    name = type(activation).__name__
    if type(activation) not in _UNBOUNDED:
        return f"{name} may make values equal that the pool chooses among"
    # What ReLU makes equal is 0, which has no relevance unless something turns it into another number.
    if isinstance(activation, nn.ReLU) and (culprit := _gives_zeros_relevance(pool, model)) is not None:
        return f"{name} makes values equal that the pool chooses among, and {culprit} gives them relevance"
    return None


def _gives_zeros_relevance(node: Node, model: nn.Module) -> str | None:
    """Return the name of an operation behind `node` that may give relevance to its zeros, or None.

    An affine layer and a sum give them none, and what leads on or keeps zeros leaves that to its readers.
    """
    seen, waiting = set(), list(node.users)
    while waiting:
        reader = waiting.pop()
        if reader in seen or reader.op == "output":
            continue
        seen.add(reader)
        way, what = look_up(reader, model)
        if way is Way.ROUTE or (way is Way.ELEMENTWISE and keeps_zero(reader, model)):
            waiting.extend(reader.users)
        elif way is Way.ELEMENTWISE:
            return what
    return None
