"""Modules of the user's that add to the registries: imported because the user names them, never because a file does."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module

from pellucid.ground.errors import InputError, PellucidError, brief

PATTERN = r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*"
"""How a module is named: `package.module`."""


def load_plugins(names: Iterable[str], *, where: str) -> None:
    """Import modules, whose null maps, measures, tables and sections are registered by that; once is enough.

    They are looked for where this Python finds modules. To import a module is to run its code.

    Raises
    ------
    InputError
        At `where`, if there is no such module, or it fails.
    """
    for name in names:
        try:
            import_module(name)
        except PellucidError as error:  # what it registers is refused
            raise InputError(where, f"the module {name} is refused: {brief(error)}", "Change the module") from error
        except ModuleNotFoundError as error:
            fix = "Install its package into this Python, or name the folder that holds it in PYTHONPATH"
            raise InputError(where, f"names {name}, but there is no module {error.name}", fix) from error
        except Exception as error:
            what = f"the module {name} cannot be imported: {type(error).__name__}: {brief(error)}"
            raise InputError(where, what, "Change the module") from error
