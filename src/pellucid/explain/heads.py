"""What may end a model behind its logit: a sigmoid or a softmax, in any of their spellings."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn
from torch.fx import Node
from torch.nn import functional as F  # noqa: N812

Head = Literal["none", "sigmoid", "log-sigmoid", "softmax", "log-softmax", "unknown"]
"""`none`: the output is the logit. `unknown`: the end of the model cannot be seen, and the output is explained."""

MODULES: dict[type[nn.Module], Head] = {
    nn.Sigmoid: "sigmoid",
    nn.LogSigmoid: "log-sigmoid",
    nn.Softmax: "softmax",
    nn.Softmax2d: "softmax",
    nn.LogSoftmax: "log-softmax",
}
FUNCTIONS: dict[object, Head] = {
    **dict.fromkeys((F.sigmoid, torch.sigmoid, torch.sigmoid_, torch.special.expit), "sigmoid"),
    F.logsigmoid: "log-sigmoid",
    **dict.fromkeys((F.softmax, torch.softmax, torch.special.softmax), "softmax"),
    **dict.fromkeys((F.log_softmax, torch.log_softmax, torch.special.log_softmax), "log-softmax"),
}
METHODS: dict[str, Head] = {
    "sigmoid": "sigmoid",
    "sigmoid_": "sigmoid",
    "softmax": "softmax",
    "log_softmax": "log-softmax",
}
CALLED: dict[object, Head] = FUNCTIONS | {getattr(torch.Tensor, name): head for name, head in METHODS.items()}
"""The same functions and methods, as PyTorch hands them to a mode that watches it."""


def head_of(node: Node, model: nn.Module) -> Head | None:
    """Return which of them `node` is, or None."""
    if node.op == "call_module":
        return MODULES.get(type(model.get_submodule(str(node.target))))
    return METHODS.get(str(node.target)) if node.op == "call_method" else FUNCTIONS.get(node.target)
