"""What may end a model behind its logit: a sigmoid or softmax in any of their spellings, or several in turn."""

from __future__ import annotations

import torch
from torch import nn
from torch.fx import Node
from torch.nn import functional as F  # noqa: N812

Head = str
"""`sigmoid`, `log-sigmoid`, `softmax`, `log-softmax`; several in turn as `softmax of log-softmax`, `log of softmax`.

`none`: the output is the logit. `unknown`: the end of the model cannot be seen, and the output is explained.
"""
NO_HEAD: Head = "none"
LOG: Head = "log"
"""Ends a model only if it takes the logarithm of another head."""

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
    **dict.fromkeys((torch.log, torch.log_), LOG),
}
METHODS: dict[str, Head] = {
    "sigmoid": "sigmoid",
    "sigmoid_": "sigmoid",
    "softmax": "softmax",
    "log_softmax": "log-softmax",
    "log": LOG,
    "log_": LOG,
}
CALLED: dict[object, Head] = FUNCTIONS | {getattr(torch.Tensor, name): head for name, head in METHODS.items()}
"""The same functions and methods, as PyTorch hands them to a mode that watches it."""


def head_of(node: Node, model: nn.Module) -> Head | None:
    """Return which of them `node` is, or None."""
    if node.op == "call_module":
        return MODULES.get(type(model.get_submodule(str(node.target))))
    return METHODS.get(str(node.target)) if node.op == "call_method" else FUNCTIONS.get(node.target)


def word_for(heads: list[Head]) -> Head:
    """Return what ends a model, given its heads from the last one to the one next to the logit.

    >>> word_for(["log", "softmax"]), word_for([])
    ('log of softmax', 'none')
    """
    return " of ".join(heads) or NO_HEAD
