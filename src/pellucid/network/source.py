"""Where a class is written, found by reading source text, for an import runs code; and the class, once it is known."""

from __future__ import annotations

import ast
import difflib
import importlib
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import NamedTuple, TypeVar

from pellucid.ground.errors import InputError, brief
from pellucid.ground.files import sha256
from pellucid.network.naming import is_import_path

Base = TypeVar("Base")


class ClassSource(NamedTuple):
    """The class statement behind `package.module:Name`: the file that holds it, and its line."""

    file: Path
    line: int


def find_class(path: str, kind: str = "network") -> ClassSource:
    """Return where the class at `package.module:Name` is written; imports by name are followed, none is carried out.

    Modules are looked for where this Python finds them.

    Raises
    ------
    InputError
        At the kind, if there is no such module, its source cannot be read, or it has no class statement of that name.
    """
    if not is_import_path(path):
        raise InputError(kind, f"is {path!r}", 'Give where the class is, as "package.module:Name"')
    where, _, name = path.partition(":")
    spec = _find_module(where)
    if isinstance(spec, str):
        fix = (
            "Install its package into this Python, or name the folder that holds it in the environment variable "
            "PYTHONPATH; neither the current folder nor the specification's is searched"
        )
        raise InputError(kind, f"is {path!r}, but there is no module {spec}", fix)
    found = _follow(spec, name, set())
    if found is not None:
        return found
    tree = _tree(spec)
    if tree is None:
        what = f"is {path!r}, and {where} ({spec.origin}) has no source text that can be read"
        raise InputError(kind, what, "Write the class in a Python file of your own")
    if any(isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and one.name == name for one in _statements(tree)):
        what = f"is {path!r}, a function of {spec.origin}. Only a class of {kind}s is ever called"
        raise InputError(kind, what, f"Write a class of {kind}s, and name that")
    classes = [one.name for one in _statements(tree) if isinstance(one, ast.ClassDef)]
    close = difflib.get_close_matches(name, classes, n=1)
    guess = f"Did you mean {close[0]}? " if close else ""
    what = f"is {path!r}, but {where} ({spec.origin or 'no file'}) has no class {name}"
    raise InputError(kind, what, f"{guess}Name the module and class of a `class` statement")


def source_digest(name: str) -> str | None:
    """Return the SHA-256 of the file of `package.module`, or of the class at `package.module:Name`; None without one.

    Nothing is imported. What that file imports is not in it.

    Raises
    ------
    InputError
        As `find_class`, for a class.
    """
    if is_import_path(name):
        file = find_class(name).file
    else:
        found = _find_module(name)
        file = Path("" if isinstance(found, str) else found.origin or "")
    return sha256(file) if file.is_file() else None


def import_class(path: str, base: type[Base], kind: str = "network") -> type[Base]:
    """Import a class from `package.module:Name`, from where this Python finds modules; no folder is added to those.

    A name in a file may come from a stranger, so that nothing but a subclass of `base` is returned: a function is
    none, and is handed over in Python instead. What has no class statement (`find_class`) is not even imported.

    Raises
    ------
    InputError
        At the kind, if there is no such module, it cannot be imported, or has no such class.
    """
    find_class(path, kind)
    where, _, name = path.partition(":")
    try:
        found: object = getattr(importlib.import_module(where), name, None)
    except ModuleNotFoundError as error:
        raise InputError(kind, f"is {path!r}, whose module needs {error.name}", f"Install {error.name}") from None
    except (Exception, SystemExit) as error:  # a user's module may raise anything
        what = f"is {path!r}, whose module cannot be imported: {told(error)}"
        raise InputError(kind, what, f"Correct the module until python -c 'import {where}' works") from error
    if not (isinstance(found, type) and issubclass(found, base)):
        home = "torch.nn" if base.__module__.startswith("torch.nn") else base.__module__
        whole = f"{home}.{base.__name__}"
        what = f"is {path!r}, which is not a subclass of {whole}, so it was not called"
        raise InputError(kind, what, f"Write a class that inherits {whole}, and name that")
    return found


def _find_module(name: str) -> ModuleSpec | str:
    """Return where a module lies, no package above it imported, or the name of the first part that is not there."""
    if not name:  # `from . import` beyond the outermost package
        return name
    if name in sys.modules and isinstance(known := sys.modules[name].__spec__, ModuleSpec):
        return known
    places: list[str] | None = None
    spec: ModuleSpec | None = None
    parts = name.split(".")
    for n, part in enumerate(parts, start=1):
        full = ".".join(parts[:n])
        spec = None if n > 1 and places is None else _find_part(full, part, places)
        if spec is None:
            return full
        below = spec.submodule_search_locations
        places = None if below is None else list(below)
    assert spec is not None
    return spec


def _find_part(full: str, part: str, places: list[str] | None) -> ModuleSpec | None:
    """Return where a module lies in `places`, the folders of the package above it, or on the path if that is None."""
    for finder in sys.meta_path:
        try:
            if hasattr(finder, "find_spec") and (found := finder.find_spec(full, places)) is not None:
                return found
        except KeyError:  # a folder without __init__.py in a package: its package would have to be imported for that
            spec = ModuleSpec(full, None, is_package=True)
            spec.submodule_search_locations = [str(Path(place) / part) for place in places or ()]
            return spec
    return None


def _tree(spec: ModuleSpec) -> ast.Module | None:
    """Return the syntax tree of a module; None where it has no source text, or none that is Python."""
    try:
        text = spec.loader.get_source(spec.name) if hasattr(spec.loader, "get_source") else None  # type: ignore[union-attr]
        return None if text is None else ast.parse(text)
    except (ImportError, SyntaxError, ValueError, OSError, RecursionError):
        return None


def _statements(tree: ast.AST) -> Iterator[ast.stmt]:
    """Yield the statements that run when a module is imported: those within functions and classes do not."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.stmt):
            yield child
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.expr):
            yield from _statements(child)


def _follow(spec: ModuleSpec, name: str, seen: set[tuple[str, str]]) -> ClassSource | None:
    """Return the class statement that a name of a module stands for; None if that cannot be read off."""
    tree = None if (spec.name, name) in seen else _tree(spec)
    seen.add((spec.name, name))
    if tree is None or spec.origin is None:
        return None
    for one in _statements(tree):
        if isinstance(one, ast.ClassDef) and one.name == name:
            return ClassSource(Path(spec.origin), one.lineno)
    for one in _statements(tree):
        found = None
        if isinstance(one, ast.ImportFrom):
            for alias in one.names:
                if name == (alias.asname or alias.name) or alias.name == "*":
                    home = _find_module(_home(one, spec))
                    original = name if alias.name == "*" else alias.name
                    found = found or (None if isinstance(home, str) else _follow(home, original, seen))
        elif isinstance(one, ast.Assign) and isinstance(one.value, ast.Name):
            targets = [target.id for target in one.targets if isinstance(target, ast.Name)]
            found = _follow(spec, one.value.id, seen) if name in targets else None
        if found is not None:
            return found
    return None


def _home(statement: ast.ImportFrom, spec: ModuleSpec) -> str:
    """Return the full name of the module that `from MODULE import ...` names within a module."""
    if not statement.level:
        return statement.module or ""
    package = spec.name.split(".") if spec.submodule_search_locations is not None else spec.name.split(".")[:-1]
    above = package[: len(package) - statement.level + 1]
    return ".".join([*above, *([statement.module] if statement.module else [])])


def told(error: BaseException) -> str:
    """Return an error of the user's code as one line without a full stop."""
    return brief(f"{type(error).__name__}: {error}", 300)
