"""Public names of a package that are loaded when first used, so that importing the package is quick."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def lazy_names(package: str, homes: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """Return the `__getattr__` of a package (PEP 562) that imports each name from its home at first use.

    Parameters
    ----------
    package
        Its `__name__`.
    homes
        The names that each module has. A name that is the module's own, as `maps` of `pellucid.maps`, is the module.

    >>> lazy_names("pellucid.ground", {"math": ("tau",)})("tau")
    6.283185307179586
    """
    home_of = {name: home for home, names in homes.items() for name in names}

    def load(name: str) -> Any:
        if name not in home_of:
            known = ", ".join(sorted(home_of))
            raise AttributeError(f"module {package!r} has no attribute {name!r}; it has {known}")
        home = import_module(home_of[name])
        value = home if home_of[name] == f"{package}.{name}" else getattr(home, name)
        setattr(sys.modules[package], name, value)
        return value

    return load
