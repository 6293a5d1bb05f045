"""What a JSON file must hold, said as a value of its shape, and whether a file of somebody else's holds it."""

from __future__ import annotations

import math
from types import NoneType
from typing import Any

from pellucid.ground.errors import brief

Shape = Any
"""A type (`str`, `bool`, `int`, `float`, `dict`, `list`, `object` for anything), `None`, a list of one shape, a tuple
of shapes of which one fits, or a dict of shapes by key, where a key that ends in `?` may be missing or null. Other keys
may be there; the key `str` itself stands for all. A `float` may be written as a whole number, and is finite; an `int`
is no bool."""

_NAMES = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    dict: "an object",
    list: "a list",
    NoneType: "null",
}
_LARGE = 10**18


def misfit(content: object, shape: Shape, key: str = "") -> str | None:
    """Say where `content` is of another shape than it must be, and what it must be there; None if it fits.

    >>> misfit({"trial": 5}, {"trial": str})
    'its `trial` is 5, not text'
    >>> misfit([1], {"trial": str})
    'it is a list, not an object'
    >>> misfit({}, {"trial": str, "epochs?": int})
    'it lacks `trial`'
    >>> misfit({"Sources": ["a", None]}, {"Sources": [str]})
    'its `Sources[1]` is null, not text'
    """
    if isinstance(shape, tuple):
        wrong = [misfit(content, one, key) for one in shape]
        if None in wrong:
            return None
        deeper = [one for one in wrong if one is not None and not one.startswith(_here(key))]
        return deeper[0] if deeper else _wrong(content, " or ".join(_name(one) for one in shape), key)
    if isinstance(shape, dict):
        return _misfit_of_object(content, shape, key)
    if isinstance(shape, list):
        if not isinstance(content, list):
            return _wrong(content, "a list", key)
        found = (misfit(one, shape[0], f"{key}[{place}]") for place, one in enumerate(content))
        return next((wrong for wrong in found if wrong), None)
    return None if _is(content, NoneType if shape is None else shape) else _wrong(content, _name(shape), key)


def _misfit_of_object(content: object, shape: dict[Any, Shape], key: str) -> str | None:
    if not isinstance(content, dict):
        return _wrong(content, "an object", key)
    if str in shape:
        found = (misfit(value, shape[str], f"{key}.{name}".removeprefix(".")) for name, value in content.items())
        return next((wrong for wrong in found if wrong), None)
    for asked, inner in shape.items():
        name, full = asked.removesuffix("?"), f"{key}.{asked.removesuffix('?')}".removeprefix(".")
        optional = asked.endswith("?")
        if name not in content:
            if not optional:
                return f"it lacks `{full}`"
        elif not (optional and content[name] is None) and (wrong := misfit(content[name], inner, full)):
            return wrong
    return None


def _is(content: object, kind: type) -> bool:
    if kind is float:
        try:
            return type(content) in (int, float) and math.isfinite(content)  # type: ignore[arg-type]
        except OverflowError:  # a whole number beyond what a float holds
            return False
    return type(content) is int if kind is int else isinstance(content, kind)


def _name(shape: Shape) -> str:
    if isinstance(shape, (dict, list)):
        return _NAMES[type(shape)]
    return _NAMES.get(NoneType if shape is None else shape, str(shape))


def _here(key: str) -> str:
    return f"its `{key}` is " if key else "it is "


def _wrong(content: object, wanted: str, key: str) -> str:
    return f"{_here(key)}{_said(content)}, not {wanted}"


def _said(content: object) -> str:
    """Return a value as it stands in a file, or its kind if it is long or deep."""
    if isinstance(content, (dict, list)):
        return _NAMES[type(content)]
    if content is None or isinstance(content, bool):
        return "null" if content is None else str(content).lower()
    if isinstance(content, int) and abs(content) >= _LARGE:
        return "a huge number"
    return brief(repr(content), 60)
