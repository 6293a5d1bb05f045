"""Run a model without disturbing it: evaluation mode, full precision, and everything given back as it was found."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeGuard

import torch
from torch import nn

from pellucid.ground.errors import InputError

_switching = threading.RLock()
"""Held by whoever has switched a model's modes or PyTorch's, and by whoever looks at them."""

OWN = frozenset(vars(nn.Module()))
"""What every `nn.Module` keeps for itself: parameters, buffers, children, hooks, its mode."""


@contextmanager
def undisturbed(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Put `model` in evaluation mode at full precision, with autograd on; leave everything as it was found.

    A model that is in evaluation mode already, on the CPU, is not touched, and threads may explain it side by side.
    One in training mode is switched for the while, which the other threads that explain wait for.
    """
    with ExitStack() as until_the_end, ExitStack() as until_looked_at:
        until_looked_at.enter_context(_switching)
        training = [module for module in model.modules() if module.training]
        if training or device.type != "cpu":
            until_the_end.push(until_looked_at.pop_all())
            until_the_end.enter_context(_evaluating(model, training))
        until_looked_at.close()
        until_the_end.enter_context(torch.inference_mode(False))
        until_the_end.enter_context(torch.enable_grad())
        until_the_end.enter_context(torch.autocast(device.type, enabled=False))
        until_the_end.enter_context(_full_precision(device))
        yield


@contextmanager
def attributes_kept(model: nn.Module) -> Iterator[None]:
    """Give back the attributes and buffers that a forward pass sets, down to the content of lists, dicts and sets."""
    modules = list(model.modules())
    attributes = [{k: (v, _content(v)) for k, v in vars(module).items() if k not in OWN} for module in modules]
    buffers = [dict(module._buffers) for module in modules]
    values = [(b, b._version, b.detach().clone()) for held in buffers for b in held.values() if _has_version(b)]
    try:
        yield
    finally:
        for module, kept, held in zip(modules, attributes, buffers, strict=True):
            now = vars(module)
            for name in [name for name in now if name not in OWN and name not in kept]:
                del now[name]
            for name, (value, content) in kept.items():
                now[name] = value
                _restore(value, content)
            for name, buffer in held.items():
                module._buffers[name] = buffer
        with torch.no_grad():
            for buffer, version, value in values:
                if buffer._version != version:
                    buffer.copy_(value)


def _has_version(buffer: torch.Tensor | None) -> TypeGuard[torch.Tensor]:
    return buffer is not None and not buffer.is_inference()


def _content(value: object) -> Any:
    """Return a copy of what a list, dict or set holds, or None for anything else."""
    return value.copy() if type(value) in (list, dict, set) else None  # type: ignore[attr-defined]


def _restore(value: Any, content: Any) -> None:
    """Put back what a list, dict or set held."""
    if content is None:
        return
    now, before = ([*v.items()] if isinstance(v, dict) else [*v] for v in (value, content))
    if len(now) == len(before) and all(map(_is_same, now, before)):
        return
    value.clear()
    (value.extend if isinstance(value, list) else value.update)(content)


def _is_same(one: Any, other: Any) -> bool:
    return one is other or (type(one) is type(other) is tuple and all(a is b for a, b in zip(one, other, strict=True)))


@contextmanager
def _evaluating(model: nn.Module, training: list[nn.Module]) -> Iterator[None]:
    """Switch to evaluation mode; give the modules in `training` their mode back."""
    try:
        if training:
            try:
                model.eval()
            except NotImplementedError as error:  # of torch.export
                what = f"{type(model).__name__} has no evaluation mode ({error})".rstrip(".")
                raise InputError(
                    "model", what, "Give the module that it was exported from, after model.eval()"
                ) from error
            for module in model.modules():  # `eval` may be overridden
                module.training = False
        yield
    finally:
        for module in training:
            module.training = True


@contextmanager
def _full_precision(device: torch.device) -> Iterator[None]:
    """Switch TF32 off on a GPU, where cuDNN uses it by default, and algorithms that vary between runs."""
    if device.type != "cuda":
        yield
        return
    settings: list[tuple[Any, str, Any]] = [(torch.backends.cudnn, "deterministic", True)]
    if hasattr(torch.backends.cudnn, "conv"):  # PyTorch 2.9 renamed the switches
        settings += [
            (torch.backends.cudnn.conv, "fp32_precision", "ieee"),
            (torch.backends.cuda.matmul, "fp32_precision", "ieee"),
        ]
    else:
        settings += [
            (torch.backends.cudnn, "allow_tf32", False),
            (torch.backends.cuda.matmul, "allow_tf32", False),
        ]
    before = [getattr(owner, name) for owner, name, _ in settings]
    try:
        for owner, name, value in settings:
            setattr(owner, name, value)
        yield
    finally:
        for (owner, name, _), value in zip(settings, before, strict=True):
            setattr(owner, name, value)
