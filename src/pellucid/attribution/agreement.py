"""Whether what is explained is the function that the model computes, and the same for each batch item alone."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any, NoReturn

import torch
from torch import nn
from torch.fx import Node

from pellucid.attribution.operations import path_of
from pellucid.attribution.trace import LogitRun, Trace, is_altered
from pellucid.ground.errors import PellucidError
from pellucid.network.architectures import NETWORKS

AGREEMENT = {torch.float32: 1e-4, torch.float64: 1e-9}
"""How far two computations of a logit may be apart, as a share of its size and that of the terms it is the sum of."""


def is_own(model: nn.Module) -> bool:
    """Tell whether `model` is one of Pellucid's networks to the letter, whose forward pass is known."""
    if type(model) not in NETWORKS.values() or is_altered(model) or _are_hooks_global():
        return False
    layers = list(model.modules())[1:]
    return all(
        type(layer).__module__.startswith("torch.nn.modules.") and "forward" not in vars(layer) for layer in layers
    )


def agree(found: torch.Tensor, expected: torch.Tensor, size: torch.Tensor) -> bool:
    """Tell whether logits (B,) agree to `AGREEMENT`, given the sizes (B,) of the terms that they are sums of."""
    allowed = AGREEMENT[found.dtype] * (expected.double().abs() + size)
    return bool(((found - expected).abs() <= allowed).all())


def refuse_other_function(model: nn.Module, traced: Trace, x: torch.Tensor, what: str) -> NoReturn:
    """Raise PellucidError: torch.fx saw another function than the model computes; say `what` came of it and where."""
    raise PellucidError(
        f"{type(model).__name__}: torch.fx does not record the model's own computation, "
        f"{what}{_first_difference(traced, x)}. It cannot record a branch on the type of a tensor (isinstance, "
        "torch.is_tensor, hasattr), a patched method, or what changes from call to call. Rewrite that, or explain it "
        "with method='input-x-gradient', which runs the model unchanged."
    )


def refuse_meeting_items(model: nn.Module, alone: str) -> NoReturn:
    """Raise PellucidError: the items of a batch meet in the model."""
    raise PellucidError(
        f"{type(model).__name__}: the items of a batch influence each other: for x[:1] alone {alone}. A map would "
        "depend on the others. Explain each item by itself, or give batch norm running statistics."
    )


def _first_difference(traced: Trace, x: torch.Tensor) -> str:
    """Say which layer is the first to give something else in the recorded computation than in the model's own."""
    recorded, watched = _Outputs(traced), list[tuple[int, torch.Tensor]]()
    handles = [
        layer.register_forward_hook(partial(_keep, watched, id(layer)))
        for layer in traced.model.modules()
        if not any(layer.children())
    ]
    try:
        with torch.no_grad():
            with suppress(Exception):
                recorded.run(x.clone())
            seen = watched.copy()
            watched.clear()
            traced.model(x.clone())
    finally:
        for handle in handles:
            handle.remove()
    for (layer, one), (other, two), path in zip(seen, watched, recorded.paths, strict=False):
        if layer != other or one.shape != two.shape or not torch.allclose(one, two, rtol=1e-3, atol=1e-6):
            return f"; {path} is the first layer that is given or gives something else"
    return "; behind its last layer" if len(seen) == len(watched) else "; not the same layers are called"


def _keep(outputs: list[tuple[int, torch.Tensor]], layer: int, _: nn.Module, __: Any, output: Any) -> None:
    if isinstance(output, torch.Tensor):
        outputs.append((layer, output.clone()))


class _Outputs(LogitRun):
    """Runs the graph and notes which layers are called."""

    def __init__(self, trace: Trace) -> None:
        super().__init__(trace)
        self.paths: list[str] = []

    def run_node(self, n: Node) -> Any:
        if n.op == "call_module" and n not in self.heads:
            self.paths.append(path_of(n))
        return super().run_node(n)


def _are_hooks_global() -> bool:
    module = torch.nn.modules.module
    return bool(module._global_forward_hooks or module._global_forward_pre_hooks)
