"""Hooks on the way back: those that look are called as ever, one that changes a gradient is refused."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from pellucid.ground.errors import PellucidError

_wrapping = threading.RLock()
"""Held by whoever watches the hooks of a model that has some, and by whoever looks for them."""


@contextmanager
def gradients_unchanged(model: nn.Module) -> Iterator[None]:
    """Refuse each hook that changes a gradient meanwhile: the map would not be of the function that is computed.

    Watched are the backward hooks of all modules of `model`, and those that its forward pass gives to tensors.

    Raises
    ------
    PellucidError
        As soon as a hook changes a gradient, with its place; at once, if there are backward hooks on all modules.
    """
    everywhere = torch.nn.modules.module
    if everywhere._global_backward_hooks or everywhere._global_backward_pre_hooks:
        raise PellucidError(
            "A backward hook is registered for all modules (torch.nn.modules.module), and may change any gradient. "
            "Take it off."
        )
    with ExitStack() as stack:
        with _wrapping:
            hooked = [
                (f"{path or type(model).__name__}: a backward hook", held)
                for path, module in model.named_modules()
                for held in (module._backward_pre_hooks, module._backward_hooks)
                if held
            ]
            if hooked:  # other threads that explain wait
                stack.enter_context(_wrapping)
        for place, held in hooked:
            stack.callback(_put_back, held, dict(held))
            for key, hook in held.items():
                held[key] = partial(_call, hook, place)
        stack.enter_context(_OfTensors())
        yield


@contextmanager
def without_backward_hooks(module: nn.Module) -> Iterator[None]:
    """Take the backward hooks off one module, which warn of what is no tensor."""
    held = module._backward_pre_hooks, module._backward_hooks
    try:
        module._backward_pre_hooks, module._backward_hooks = OrderedDict(), OrderedDict()
        yield
    finally:
        module._backward_pre_hooks, module._backward_hooks = held


def _put_back(held: dict[int, Callable[..., Any]], before: dict[int, Callable[..., Any]]) -> None:
    """Restore hooks, but for those that have taken themselves off."""
    held.update((key, hook) for key, hook in before.items() if key in held)


class _OfTensors(TorchFunctionMode):
    """Watches the hooks that tensors are given."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.Tensor.register_hook:
            tensor, hook = list(args) + list((kwargs or {}).values())
            name = getattr(hook, "__qualname__", type(hook).__name__)
            return func(tensor, partial(_call, hook, f"A hook of a tensor ({name})"))  # type: ignore[no-untyped-call]
        return func(*args, **(kwargs or {}))


def _call(hook: Callable[..., Any], place: str, *given: Any) -> Any:
    """Call a hook; PellucidError if it returns or leaves another gradient than it was given."""
    # A tensor's hook gets its gradient; a module's gets (module, those of its outputs) or (module, inputs, outputs).
    # What it returns stands for the only gradients, or for those of the inputs.
    gradients = _together(given[1] if len(given) == 3 else given[-1])
    versions = [(g, g._version) for part in given for g in _together(part) if isinstance(g, torch.Tensor)]
    result = hook(*given)
    changed = result is not None and not _are_equal(_together(result), gradients)
    if changed or any(g._version != version for g, version in versions):
        raise PellucidError(
            f"{place} changes a gradient, so a map would not explain what the model computes. Remove the hook."
        )
    return result


def _together(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def _are_equal(ones: tuple[Any, ...], others: tuple[Any, ...]) -> bool:
    return len(ones) == len(others) and all(
        one is other or (one is not None and other is not None and torch.equal(one, other))
        for one, other in zip(ones, others, strict=True)
    )
