"""What may be asked for: a model, an x, a method with its parameters, and output units of the model."""

from __future__ import annotations

import difflib
import math
import operator
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from pellucid.attribution.result import Method
from pellucid.ground.errors import InputError
from pellucid.network.finite import check_finite

Target = int | Sequence[int] | torch.Tensor | None
"""An output unit, one for each batch item, or None for the only one."""

_COUNTED = "Give the number of an output unit, from 0 on, or one for each batch item"


def choose(method: object, known: Mapping[str, Method]) -> Method:
    """Return the method of a name, or the one given; InputError at `method` if it is not `known`."""
    if isinstance(method, Method):
        method = method.name
    if isinstance(method, str) and method in known:
        return known[method]
    word = method.lower() if isinstance(method, str) else ""
    begun = [name for name in known if word and name.startswith(word)]
    close = begun or difflib.get_close_matches(word, known, n=1)
    guess = f"Did you mean {close[0]}? " if close else ""
    raise InputError("method", f"{method!r} is not known", f"{guess}Choose one of {', '.join(known)}")


def fill_in(method: Method, given: Mapping[str, Any], dtype: torch.dtype) -> dict[str, float]:
    """Return the method's parameters, with its defaults where None is given.

    Raises
    ------
    InputError
        If the method has no such parameter, or epsilon is not a number above 0 in `dtype`.
    """
    given = {name: value for name, value in given.items() if value is not None}
    for name in given:
        if name not in method.parameters:
            takes = ", ".join(method.parameters) or "no parameters"
            raise InputError(name, f"is not a parameter of {method.name}, which takes {takes}", "Leave it out")
    parameters = {**method.parameters, **given}
    if "epsilon" in parameters:
        parameters["epsilon"] = _epsilon(parameters["epsilon"], dtype)
    return parameters


def _epsilon(value: object, dtype: torch.dtype) -> float:
    fix = "Give 0.001, as in the paper, or another number"
    if not isinstance(value, Real) or isinstance(value, bool | np.bool_):
        raise InputError("epsilon", f"{value!r} is not a number", fix)
    epsilon = float(value)
    if not 0 < epsilon < math.inf:
        raise InputError("epsilon", f"{epsilon} is not above 0 and finite", fix)
    if not torch.finfo(dtype).tiny <= epsilon <= torch.finfo(dtype).max:
        raise InputError("epsilon", f"{epsilon} cannot be told from 0 or infinity in {dtype}", fix)
    return epsilon


def check_model(model: object) -> None:
    """Refuse what is no module, and modules whose tensors hold no values or cannot be recorded."""
    if isinstance(model, type):
        raise InputError("model", f"is the class {model.__name__}", f"Make one of it: {model.__name__}(...)")
    if not isinstance(model, nn.Module):
        what = f"is a {type(model).__name__}, no torch.nn.Module"
        raise InputError("model", what, "Call it in the forward of a module, and give that")
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if tensor.is_meta or isinstance(tensor, UninitializedParameter | UninitializedBuffer):
            raise InputError("model", f"its {name} holds no values", "Load its weights, or run it once, before")
        if tensor.is_inference():
            what = f"its {name} was made in torch.inference_mode, where nothing can be recorded"
            raise InputError("model", what, "Make or load the model outside of that")


def check_input(model: nn.Module, x: object) -> torch.Tensor:
    """Return x as a plain tensor; refuse it if it is not float, finite, and of the model's data type and device."""
    if not isinstance(x, torch.Tensor):
        fix = "Convert it with torch.from_numpy(x).float()" if isinstance(x, np.ndarray) else "Give a tensor"
        raise InputError("x", f"is a {type(x).__name__}; relevance needs a tensor of float32 or float64", fix)
    if x.dtype not in (torch.float32, torch.float64):
        raise InputError("x", f"is {x.dtype}; relevance needs float32 or float64", "Convert it with x.float()")
    if x.is_meta:
        raise InputError("x", "is on the meta device, where tensors hold no values", "Give one that does")
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
        raise InputError("target", f"{value!r} is no whole number", _COUNTED) from None


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
