"""Plain tables, as TOML gives them, to frozen typed dataclasses and back, with errors that name file and key."""

from __future__ import annotations

import dataclasses
import difflib
import json
import os
import re
import types
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from pellucid.ground.errors import InputError
from pellucid.spec.problems import Problems

T = TypeVar("T")

_WORDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text in quotes",
    Path: "a path in quotes",
}


def read_fields(
    kind: type[T], table: Mapping[str, Any], *, file: Path, key: str, given: Mapping[str, Any] | None = None
) -> T:
    """Make a `kind` from a table, checking every key and type.

    Parameters
    ----------
    kind
        A dataclass; its field names are the keys, its annotations the types, its `__post_init__` the limits.
    table
        What the TOML file holds under `key`.
    file
        The TOML file, for messages; paths in the table start at its folder, or name environment variables.
    key
        The dotted name of the table, for messages; empty at the top.
    given
        Fields that the table does not give, as they are.

    Raises
    ------
    InputError
        For unknown keys, missing ones and wrong types, all at once, or else an impossible value; it names file and key
        and says what is accepted.
    """
    hints = get_type_hints(kind)
    fields = [field for field in dataclasses.fields(kind) if field.init]  # type: ignore[arg-type]
    known = {field.name: field for field in fields if field.name not in (given or {})}
    problems = Problems()
    problems.attempt(refuse_unknown, table, known, file=file, key=key)
    values = dict(given or {})
    for name, field in known.items():
        if name in table:
            values[name] = problems.attempt(_convert, hints[name], table[name], file=file, key=dotted(key, name))
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            problems.note(InputError(file, f"`{dotted(key, name)}` is missing", f"Give {_describe(hints[name])}"))
    problems.raise_any()
    try:
        return kind(**values)
    except InputError as error:
        between = " " if error.what.startswith("is ") else ": "
        raise InputError(file, f"`{dotted(key, _last(error.where))}`{between}{error.what}", error.fix) from None
    except ValueError as error:
        raise InputError(file, f"`[{key}]` cannot be used ({error})", "Change the value that it names") from None


def refuse_unknown(table: Mapping[str, Any], known: Iterable[str], *, file: Path, key: str) -> None:
    """Raise InputError for the keys of `table` that are not in `known`, with the nearest one that is."""
    names, problems = list(known), Problems()
    for name in table:
        if name not in names:
            close = difflib.get_close_matches(name, names, n=1)
            hint = f"Did you mean `{close[0]}`? " if close else ""
            place = f"in [{key}]" if key else "at the top of the file"
            fix = f"{hint}Accepted {place}: {', '.join(names) or 'nothing'}"
            problems.note(InputError(file, f"unknown key `{dotted(key, name)}`", fix))
    problems.raise_any()


def require_table(value: Any, *, file: Path, key: str) -> dict[str, Any]:
    """Return `value` if it is a table, or raise InputError."""
    if not isinstance(value, dict):
        raise InputError(file, f"`{key}` is {value!r}", f"Make it a table: [{key}]")
    return value


def dotted(key: str, name: str) -> str:
    """Join a table's dotted name and a key."""
    return f"{key}.{name}" if key else name


def to_table(value: Any) -> Any:
    """Return a dataclass as plain TOML types: the inverse of `read_fields`, leaving out what is None."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        pairs = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
        return {name: to_table(item) for name, item in pairs if item is not None}
    if isinstance(value, Mapping):
        return {name: to_table(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_table(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def to_toml(table: Mapping[str, Any], *, key: str = "") -> str:
    """Write plain tables as TOML text: values first, then one section a sub-table."""
    lines = [f"{_bare(name)} = {_literal(value)}" for name, value in table.items() if not isinstance(value, Mapping)]
    head = [f"[{key}]"] if key and (lines or not table) else []
    text = "\n".join([*head, *lines, ""]) if head or lines else ""
    sections = [
        to_toml(value, key=dotted(key, _bare(name))) for name, value in table.items() if isinstance(value, Mapping)
    ]
    return "\n".join(part for part in [text, *sections] if part)


def flatten(table: Mapping[str, Any], *, key: str = "") -> dict[str, Any]:
    """Return nested tables as one of dotted keys.

    >>> flatten({"a": {"b": 1, "c": {"d": 2}}})
    {'a.b': 1, 'a.c.d': 2}
    """
    flat: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, key=dotted(key, name))
        else:
            flat[dotted(key, name)] = value
    return flat


def _convert(hint: Any, value: Any, *, file: Path, key: str) -> Any:
    """Check one value against its annotation; whole numbers pass as numbers, text as paths."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        parts = [part for part in inner if part is not type(None)]
        exact = [part for part in parts if part is type(value)]  # `int | float`: a whole number stays one
        if exact or len(parts) == 1:
            return _convert([*exact, *parts][0], value, file=file, key=key)
    elif origin is Literal:
        if value in inner and isinstance(value, type(inner[0])):
            return value
    elif origin is tuple:
        if isinstance(value, list):
            return tuple(_convert(inner[0], item, file=file, key=key) for item in value)
    elif origin is dict:
        return require_table(value, file=file, key=key)
    elif dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return read_fields(hint, require_table(value, file=file, key=key), file=file, key=key)
    elif hint is Path:
        if isinstance(value, str):
            return _path(value, file=file, key=key)
    elif isinstance(value, bool) or hint is bool:
        if isinstance(value, bool) and hint is bool:
            return value
    elif hint is float and isinstance(value, int):
        return float(value)
    elif isinstance(value, hint):
        return value
    close = difflib.get_close_matches(str(value), [str(part) for part in inner], n=1) if origin is Literal else []
    guess = f"Did you mean `{close[0]}`? " if close else ""
    raise InputError(file, f"`{key}` is {value!r}", f"{guess}Give {_describe(hint)}")


def _path(text: str, *, file: Path, key: str) -> Path:
    """Return a path from the specification's folder on, or from the current one if an environment variable gives it."""
    expanded = os.path.expandvars(text)
    unset = re.search(r"\$\{?(\w+)", expanded)
    if unset:
        fix = f"Set it, as in `export {unset[1]}=folder`, or write the path itself"
        raise InputError(file, f"`{key}` is {text!r}, but ${unset[1]} is not set", fix)
    return ((file.parent if expanded == text else Path()) / Path(expanded).expanduser()).resolve()


def _describe(hint: Any) -> str:
    """Say in words what an annotation accepts."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(_describe(part) for part in inner if part is not type(None))
    if origin is Literal:
        return "one of " + ", ".join(json.dumps(part) for part in inner)
    if origin is tuple:
        return f"a list, each item {_describe(inner[0])}"
    return _WORDS.get(hint, "a table")


def _last(where: str) -> str:
    """Return the last part of a dotted name: `CohortSettings.seed` to `seed`."""
    return where.rsplit(".", 1)[-1]


def _bare(name: str) -> str:
    """Quote a key unless TOML takes it bare."""
    return name if name and all(c.isascii() and (c.isalnum() or c in "-_") for c in name) else _literal(name)


def _literal(value: Any) -> str:
    """Write one value as TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list):
        return f"[{', '.join(_literal(item) for item in value)}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_bare(name)} = {_literal(item)}' for name, item in value.items())}}}"
    return repr(value)
