"""What an attribution method is: a name, its parameters, and what computes its map."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from numbers import Integral, Real
from typing import Any, ClassVar, Self, get_type_hints

import numpy as np
import torch
from torch import nn

from pellucid.attribution.result import Explanation
from pellucid.ground.errors import InputError
from pellucid.ground.words import first_paragraph

LOGIT, PER_UNIT = "logit", "logit per unit of the image"
"""Units of maps."""

_TRUTH = {"true": True, "false": False}
_DOC, _LIMITS = "doc", "limits"


@dataclass(frozen=True, slots=True)
class _Limits:
    """What a parameter's value may be."""

    above: float = -math.inf
    at_least: float = -math.inf
    at_most: float = math.inf
    choices: Sequence[str] = ()


def parameter(
    default: Any,
    doc: str,
    *,
    above: float = -math.inf,
    at_least: float = -math.inf,
    at_most: float = math.inf,
    choices: Sequence[str] = (),
) -> Any:
    """Return a field of a method: a parameter of type float, int, bool or str, with a default.

    Parameters
    ----------
    default
        Its default.
    doc
        What it is, in a sentence: help and documentation show it.
    above, at_least, at_most
        Limits of a number; a number is finite in any case.
    choices
        What a text may be; any text if there is none.
    """
    limits = _Limits(above, at_least, at_most, tuple(choices))
    return field(default=default, metadata={_DOC: doc, _LIMITS: limits})


@dataclass(frozen=True)
class Method(ABC):
    """An attribution method: one input and one network to one map.

    A method is a frozen dataclass. Its fields, made by `parameter`, are its parameters; its docstring says what it
    computes: the first paragraph in a sentence, then formula and shapes. Help, keys of a study, sidecars, the text of
    reports and their references follow from it. `pellucid.attribution.methods.METHODS.register` gives it a name for
    everybody; without that it is named by where it is, `package.module:Class`.

    Attributes
    ----------
    name
        What `explain(..., method=)` calls it: small letters, digits and hyphens.
    units
        The unit of its maps: `LOGIT`, `PER_UNIT`, or another.
    source
        Where it comes from, in short.
    references
        What a paper that uses it cites, each a full reference.
    """

    name: ClassVar[str]
    units: ClassVar[str]
    source: ClassVar[str]
    references: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        """Check each parameter; InputError at its name if it cannot be used."""
        kinds = get_type_hints(type(self))
        for one in fields(self):
            value = _checked(one, kinds[one.name], getattr(self, one.name))
            object.__setattr__(self, one.name, value)

    @abstractmethod
    def run(self, model: nn.Module, x: torch.Tensor, units: torch.Tensor | None) -> Explanation:
        """Compute the map.

        Parameters
        ----------
        model
            In evaluation mode, at full precision, with autograd on.
        x
            (B, channels, ...), a copy of what was given: it may be changed.
        units
            The output unit of each item, (B,), or None if the model has but one.
        """

    @property
    def parameters(self) -> dict[str, Any]:
        """Its parameters, with the values in force."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    @property
    def summary(self) -> str:
        """What it computes, in a sentence."""
        return first_paragraph(type(self))

    @property
    def changed(self) -> dict[str, Any]:
        """Its parameters that are not at their defaults."""
        return {one.name: value for one in fields(self) if (value := getattr(self, one.name)) != one.default}

    @property
    def text(self) -> str:
        """What a study or a command calls it: `NAME`, or `NAME:key=value,key=value` where it is not as by default."""
        from pellucid.attribution.methods import METHODS  # which imports every method, and so this module

        kind = type(self)
        name = self.name if METHODS.get(self.name) is kind else f"{kind.__module__}:{kind.__qualname__}"
        given = ",".join(f"{name}={_shown(value)}" for name, value in self.changed.items())
        return f"{name}:{given}" if given else name

    def with_parameters(self, given: Mapping[str, Any]) -> Self:
        """Return the same method with other values of some parameters.

        Raises
        ------
        InputError
            At a parameter that the method does not have, or whose value cannot be used.
        """
        known = self.parameters
        for name in given:
            if name not in known:
                takes = ", ".join(known) or "no parameters"
                raise InputError(name, f"is not a parameter of {self.name}, which takes {takes}", "Remove it")
        return replace(self, **given)

    def with_text(self, given: str) -> Self:
        """Return the same method with the parameters of a text, `key=value,key=value`; InputError as above."""
        kinds, found = get_type_hints(type(self)), {}
        for part in given.split(","):
            name, equals, text = (piece.strip() for piece in part.partition("="))
            if not equals or not name:
                raise InputError(
                    "method", f"{part.strip()!r} is not a parameter", f"Write {self.name}:key=value,key=value"
                )
            found[name] = _read(text, kinds.get(name, str))
        return self.with_parameters(found)


def parameters_of(method: type[Method] | Method) -> list[tuple[str, Any, str]]:
    """Return name, default and meaning of each parameter, for help and documentation."""
    return [(one.name, one.default, str(one.metadata.get(_DOC, ""))) for one in fields(method)]


def _checked(one: Field[Any], kind: object, value: object) -> Any:
    """Return the value of a parameter as its type has it; InputError if it is of another or beyond its limits."""
    assert one.default is not MISSING, f"{one.name} has no default"
    limits: _Limits = one.metadata.get(_LIMITS, _Limits())
    fix = f"Give {one.default!r}, or another {'number' if kind in (int, float) else 'value'}"
    if kind is bool:
        if not isinstance(value, bool | np.bool_):
            raise InputError(one.name, f"{value!r} is neither true nor false", "Give true or false")
        return bool(value)
    if kind is str:
        if not isinstance(value, str) or (limits.choices and value not in limits.choices):
            fix = f"Choose one of {', '.join(limits.choices)}" if limits.choices else "Give a text"
            raise InputError(one.name, f"{value!r} is not known" if limits.choices else f"{value!r} is not text", fix)
        return value
    right = Integral if kind is int else Real
    if not isinstance(value, right) or isinstance(value, bool | np.bool_):
        raise InputError(one.name, f"{value!r} is not a {'whole ' if kind is int else ''}number", fix)
    number = int(value) if kind is int else float(value)  # type: ignore[call-overload]
    if not math.isfinite(number) or not limits.above < number or not limits.at_least <= number <= limits.at_most:
        raise InputError(one.name, f"{number} is not {_bounds(limits)}", fix)
    return number


def _bounds(limits: _Limits) -> str:
    """Say which numbers are allowed: `above 0 and finite`."""
    words = [
        f"above {limits.above:g}" if limits.above > -math.inf else "",
        f"at least {limits.at_least:g}" if limits.at_least > -math.inf else "",
        f"at most {limits.at_most:g}" if limits.at_most < math.inf else "finite",
    ]
    return " and ".join(word for word in words if word)


def _read(text: str, kind: object) -> Any:
    """Return what a text stands for in a type, or the text, which is then refused as of another type."""
    try:
        if kind is int:
            return int(text)
        return float(text) if kind is float else _TRUTH.get(text.lower(), text) if kind is bool else text
    except ValueError:
        return text


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
