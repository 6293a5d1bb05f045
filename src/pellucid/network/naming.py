"""What a network may be called and given: words and plain values only, nothing is imported here."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, get_args

from pellucid.ground.checked import did_you_mean
from pellucid.ground.errors import InputError
from pellucid.ground.limits import Text
from pellucid.network.info import Architecture

_IMPORT_PATH = r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*"

NAMES: tuple[Architecture, ...] = get_args(Architecture)

_QUOTED = ", ".join(f'"{name}"' for name in NAMES)

NETWORK = Text(_IMPORT_PATH, f'{_QUOTED}, or where a class of your own is: "package.module:Name"', NAMES)
"""What a network may be called."""


def is_import_path(network: str) -> bool:
    """Tell whether a network is named by where its class is: `package.module:Name`.

    >>> is_import_path("mypackage.nets:SmallNet"), is_import_path("paper")
    (True, False)
    """
    return re.fullmatch(_IMPORT_PATH, network) is not None


def check_network(network: str) -> None:
    """Refuse what is neither one of Pellucid's networks nor an import path.

    Raises
    ------
    InputError
        At `network`.
    """
    if network not in NAMES and not is_import_path(network):
        raise InputError("network", f"is {network!r}", f"{did_you_mean(network, NAMES)}Give {NETWORK.words}")


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse options that a TOML file and a `model.json` cannot both hold.

    Raises
    ------
    InputError
        At `options`, for anything but text, finite numbers, true, false, lists and tables of these.
    """
    for name, value in options.items():
        if not _is_plain(value):
            raise InputError(
                "options", f"{name} is {value!r}", "Give text, finite numbers, true, false, lists or tables"
            )


def _is_plain(value: object) -> bool:
    if isinstance(value, list):
        return all(_is_plain(item) for item in value)
    if isinstance(value, dict):
        return all(isinstance(name, str) and _is_plain(item) for name, item in value.items())
    return isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value))
