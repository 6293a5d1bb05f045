"""The attribution methods by name, one a file of this folder; a method of a user's own is named by where it is."""

from __future__ import annotations

from pellucid.attribution.method import Method
from pellucid.ground.errors import InputError
from pellucid.ground.registry import Registry, classes_in
from pellucid.network.naming import is_import_path
from pellucid.network.source import import_class

METHODS: Registry[type[Method]] = Registry("method")
"""Each method's class. A module outside of the package may `METHODS.register(MyMethod.name, MyMethod)`."""

for _method in classes_in(__name__, __path__, Method):  # type: ignore[type-abstract]
    METHODS.register(_method.name, _method)


def find_method(method: object) -> Method:
    """Return a method with its parameters at their defaults, or the one given, as it is.

    Parameters
    ----------
    method
        A name of `METHODS`, where a class of one's own is (`package.module:Class`), the class, or a method.

    Raises
    ------
    InputError
        At `method`, if there is none; names the nearest.
    """
    if isinstance(method, Method):
        return method
    if isinstance(method, type) and issubclass(method, Method):
        return method()
    if isinstance(method, str) and is_import_path(method):
        return import_class(method, Method, "method")()  # type: ignore[type-abstract]
    return METHODS.find(method)()


def method_from_text(text: str) -> Method:
    """Return the method that a command or a study names: `NAME`, or `NAME:key=value,key=value`.

    >>> method_from_text("lrp-epsilon:epsilon=0.01").parameters
    {'epsilon': 0.01}

    Raises
    ------
    InputError
        At `method` or at a parameter, for what is not known or cannot be used.
    """
    name, colon, given = text.partition(":")
    if name not in METHODS and is_import_path(":".join(text.split(":")[:2])):
        more, colon, rest = given.partition(":")
        name, given = f"{name}:{more}", rest
    method = find_method(name.strip())
    if colon and not given.strip():
        raise InputError("method", f"{text!r} ends in a colon", f"Write {name}, or {name}:key=value")
    return method.with_text(given) if given else method
