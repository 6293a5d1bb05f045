"""What may be asked for: a model, an x, and output units of the model."""

from __future__ import annotations

import operator
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from pellucid.ground.errors import InputError
from pellucid.network.finite import check_finite

Target = int | Sequence[int] | torch.Tensor | None
"""An output unit, one for each batch item, or None for the only one."""

_COUNTED = "Give the number of an output unit, from 0 on, or one for each batch item"


def check_model(model: object) -> None:
    """Refuse what is no module, and modules whose tensors hold no values or cannot be recorded."""
    if isinstance(model, type):
        raise InputError("model", f"is the class {model.__name__}", f"Make an object: {model.__name__}(...)")
    if not isinstance(model, nn.Module):
        what = f"is a {type(model).__name__}, not a torch.nn.Module"
        raise InputError("model", what, "Call it in the forward of a module, and give the module")
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if tensor.is_meta or isinstance(tensor, UninitializedParameter | UninitializedBuffer):
            raise InputError("model", f"its {name} holds no values", "First load its weights, or run it once")
        if tensor.is_inference():
            what = f"its {name} was made in torch.inference_mode, where nothing can be recorded"
            raise InputError("model", what, "Make or load the model outside of it")


def check_input(model: nn.Module, x: object) -> torch.Tensor:
    """Return x as a plain tensor; refuse it if it is not float, finite, and of the model's data type and device."""
    if not isinstance(x, torch.Tensor):
        fix = "Convert it with torch.from_numpy(x).float()" if isinstance(x, np.ndarray) else "Give a tensor"
        raise InputError("x", f"is a {type(x).__name__}; relevance needs a tensor of float32 or float64", fix)
    if x.dtype not in (torch.float32, torch.float64):
        raise InputError("x", f"is {x.dtype}; relevance needs float32 or float64", "Convert it with x.float()")
    if x.is_meta:
        raise InputError("x", "is on the meta device, where tensors have no values", "Give a tensor with values")
    if x.ndim < 2 or x.numel() == 0:
        raise InputError("x", f"has shape {tuple(x.shape)}, not (batch, channels, ...)", "Add the missing axes")
    if x.layout != torch.strided:
        raise InputError("x", f"is {x.layout}", "Convert it with x.to_dense()")
    check_finite(x)
    for name, parameter in model.named_parameters():
        if parameter.dtype != x.dtype or parameter.device != x.device:
            raise InputError(
                "x",
                f"is {x.dtype} on {x.device}, but {name} of the model is {parameter.dtype} on {parameter.device}",
                "Bring both together with model.to(x) or x.to(...)",
            )
    return x.as_subclass(torch.Tensor)


def units_of(target: Target, items: int) -> torch.Tensor | None:
    """Return the output unit of each item, (items,), or None if there is but one.

    Raises
    ------
    InputError
        At `target`, if it is no whole number, nor one for each item.
    """
    if target is None:
        return None
    if isinstance(target, torch.Tensor | np.ndarray) and target.ndim <= 1:
        target = target.tolist()
    if isinstance(target, list | tuple):
        if len(target) != items:
            raise InputError("target", f"has {len(target)} units for {items} batch items", _COUNTED)
        return torch.tensor([_unit(entry) for entry in target])
    return torch.full((items,), _unit(target))


def _unit(value: object) -> int:
    if isinstance(value, bool | np.bool_):
        raise InputError("target", f"{value} is a truth value", f"{_COUNTED}: int({value}) is {int(value)}")
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise InputError("target", f"{value!r} is not a whole number", _COUNTED) from None


def select(output: torch.Tensor, units: torch.Tensor | None) -> torch.Tensor:
    """Return the unit of each row of `output` that `units`, (B,) or None, mean.

    Raises
    ------
    InputError
        At `target`, if it is missing for several units, or one is not there.
    """
    there = output[0].numel()
    if units is None:
        if there != 1:
            raise InputError("target", f"is missing, and the model has {there} output units", "Say which to explain")
        return torch.zeros(len(output), dtype=torch.long, device=output.device)
    wrong = [int(unit) for unit in units if not 0 <= unit < there]
    if wrong:
        raise InputError("target", f"{wrong[0]} is not an output unit", f"Give 0 to {there - 1}")
    return units.to(output.device)
