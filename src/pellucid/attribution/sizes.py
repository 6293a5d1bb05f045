"""What a forward pass learns of shapes while it is followed: sizes, numbers of axes, data types, devices."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx import Node
from torch.fx.node import map_arg

from pellucid.network.foreign import whole_input


class Sizes:
    """The values of a graph's nodes for one x, whose tensors have shapes, types and devices, but hold no numbers.

    Nothing is computed. What depends on the numbers in a tensor has no value.

    Parameters
    ----------
    x
        The input.
    root
        The module whose graph it is.
    constants
        Tensors that its forward pass made itself, by the names that the graph has for them.
    """

    def __init__(self, x: torch.Tensor, root: nn.Module, constants: Mapping[str, torch.Tensor]) -> None:
        self._mode = FakeTensorMode(allow_non_fake_inputs=True)
        self._x, self._root, self._constants = x, root, constants
        self._known: dict[Node, Any] = {}

    def of(self, node: Node) -> Any:
        """Return the value of `node`; raise whatever the operations before it raise where there is none."""
        # In order, for one may change the shape of another's tensor in place.
        for earlier in node.graph.nodes:
            if earlier not in self._known:
                with self._mode, torch.no_grad():
                    self._known[earlier] = self._run(earlier)
            if earlier is node:
                break
        return self._known[node]

    def _run(self, node: Node) -> Any:
        if node.op == "placeholder":
            return node.args[0] if node.args else self._mode.from_tensor(self._x.detach())
        target: Any = node.target
        if node.op == "get_attr":
            return self._constants[target] if target in self._constants else operator.attrgetter(target)(self._root)
        args, kwargs = map_arg(node.args, self._known.__getitem__), map_arg(node.kwargs, self._known.__getitem__)
        if node.op == "call_module":
            return self._root.get_submodule(target)(*args, **kwargs)
        if node.op == "call_method":
            return getattr(args[0], target)(*args[1:], **kwargs)
        return args[0] if target is whole_input else target(*args, **kwargs)  # which looks at numbers
