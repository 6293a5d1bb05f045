"""Settings as frozen dataclasses: their annotations hold the limits, which are checked whenever one is made.

Pydantic does the checking. Beside cattrs it knows limits and JSON Schema, takes unions by `kind` and of numbers as they
are, and does not turn "3" into 3; it is there already, for typer needs it. It is imported when the first settings are
made (0.3 s), never by `pellucid --help`. The dataclasses are the standard library's, so that type checkers know them.
"""

from __future__ import annotations

import difflib
import functools
import json
import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from pellucid.ground.errors import InputError, brief, raise_together
from pellucid.ground.limits import Limit, RefusedError, Several, Text

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")

_WORDS = {int: "a whole number", float: "a number", str: "text in quotes", Path: "a path in quotes"}


def checked(kind: type[T]) -> type[T]:
    """Make a frozen dataclass refuse what its annotations and its `__post_init__` do not allow.

    Its instances are made from keywords: lists become tuples, whole numbers become numbers where these are wanted.

    Raises
    ------
    InputError
        By the new class: all fields at fault at once, or else what `__post_init__` finds between them.
    """
    start, after = kind.__init__, getattr(kind, "__post_init__", None)

    @functools.wraps(start)
    def __init__(self: T, **given: Any) -> None:  # noqa: N807
        made = read_checked(kind, given)
        for field in fields(kind):  # type: ignore[arg-type]
            object.__setattr__(self, field.name, getattr(made, field.name))

    def __post_init__(self: T) -> None:  # noqa: N807
        assert after is not None
        try:
            after(self)
        except InputError as error:
            raise RefusedError(error) from None

    kind.__init__ = __init__  # type: ignore[assignment]
    kind.__pydantic_config__ = {"extra": "forbid"}  # type: ignore[attr-defined]
    if after is not None:
        kind.__post_init__ = __post_init__  # type: ignore[attr-defined]
    return kind


@functools.cache
def adapter(kind: type[Any]) -> TypeAdapter[Any]:
    """Return what pydantic knows of a checked dataclass."""
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def read_checked(kind: type[T], table: Mapping[str, Any], *, file: Path | None = None) -> T:
    """Make a checked dataclass from plain values.

    Parameters
    ----------
    kind
        Its field names are the keys.
    table
        What a file holds, or keyword arguments.
    file
        The file, for messages, which then name keys as `table.key`; validators find it as `info.context`.

    Raises
    ------
    InputError
        For unknown keys, missing ones, wrong types and impossible values, all at once; it says what is accepted.
    """
    from pydantic import ValidationError

    try:
        made: T = adapter(kind).validate_python(dict(table), context=file)  # type: ignore[arg-type]
        return made
    except ValidationError as error:
        told = [_refusal(kind, item, file) for item in error.errors(include_url=False)]
    raise_together(
        {str(refusal): refusal for refusal in told}.values()
    )  # a union is refused once for each of its parts
    raise AssertionError("pydantic named no error")


def describe(hint: Any) -> str:
    """Say in words what an annotation accepts.

    >>> describe(Literal["FLAIR", "T1w"])
    'one of "FLAIR", "T1w"'
    """
    marks = getattr(_present(hint), "__metadata__", ())
    said = [mark.words for mark in marks if isinstance(mark, Limit)]
    if said:
        return said[0]
    plain = _plain(hint)
    origin, inner = get_origin(plain), get_args(plain)
    if origin is Literal:
        return f"one of {', '.join(json.dumps(part) for part in inner)}"
    if origin is tuple:
        several = "".join(mark.words for mark in marks if isinstance(mark, Several))
        return f"a list{several}, each item {describe(inner[0])}"
    if is_union(plain) and not _is_table(plain):
        return " or ".join(describe(part) for part in inner)
    return _WORDS.get(plain, "a table")


def keys_of(kind: type[Any]) -> dict[str, Any]:
    """Return the annotation of each key that may be given."""
    hints = get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in fields(kind) if field.init}


def dotted(*names: str) -> str:
    """Join the names of tables and a key; empty ones are left out."""
    return ".".join(name for name in names if name)


def did_you_mean(given: object, known: Iterable[str]) -> str:
    """Return a sentence that names the nearest of what is known, or nothing if none is near."""
    close = difflib.get_close_matches(given, list(known), n=1) if isinstance(given, str) else []
    return f"Did you mean `{close[0]}`? " if close else ""


def _refusal(kind: type[Any], item: Mapping[str, Any], file: Path | None) -> InputError:
    """Say one of pydantic's errors in our words."""
    where, hint, owner = _follow(kind, item["loc"])
    sort, value = item["type"], item["input"]
    key, table = dotted(*where), _is_table(hint)
    error = item.get("ctx", {}).get("error")
    if isinstance(error, RefusedError):
        inner = error.error
        return _at(file, dotted(*where, inner.where.rpartition(".")[2]), inner.what, inner.fix)
    if sort == "unexpected_keyword_argument":
        known, above = list(keys_of(owner)), dotted(*where[:-1])
        place = f"in [{above}]" if above else "at the top of the file" if file else "are"
        fix = f"{did_you_mean(where[-1], known)}Accepted {place}: {', '.join(known)}"
        return InputError(key, "is unknown", fix) if file is None else InputError(file, f"unknown key `{key}`", fix)
    if table and (sort == "missing" or value == {}):
        return InputError(file or key, f"[{key}] is missing", f"Add a section [{key}]")
    if sort.startswith("union_tag"):
        kinds = [get_args(_plain(keys_of(part)["kind"]))[0] for part in get_args(_plain(hint))]
        given = value.get("kind")
        what = "is missing" if given is None else f"is {_said(given)}"
        return _at(file, dotted(key, "kind"), what, f"{did_you_mean(given, kinds)}Give one of {', '.join(kinds)}")
    if where and item["loc"][-1] == "[key]":
        return _at(file, key, "is no usable name", f"Give {describe(hint)}")
    what = "is missing" if sort == "missing" else f"is {_said(value)}"
    if table:
        return _at(file, key, what, f"Make it a table: [{key}]")
    return _at(file, key, what, f"{did_you_mean(value, _names(hint))}Give {describe(hint)}")


def _at(file: Path | None, key: str, what: str, fix: str) -> InputError:
    """Return an error at a key, or at a key of a file."""
    if file is None:
        return InputError(key, what, fix)
    return InputError(file, f"`{key}`{' ' if what.startswith('is ') else ': '}{what}", fix)


def _follow(kind: type[Any], path: Sequence[int | str]) -> tuple[list[str], Any, Any]:
    """Follow where pydantic found an error: the names of tables and key, the key's annotation, and whose key it is."""
    names: list[str] = []
    hint: Any = kind
    owner: Any = kind
    of_names: Any = None
    for part in path:
        plain = _plain(hint)
        inner = get_args(plain)
        if part == "[key]":
            hint = of_names
        elif is_dataclass(plain):
            owner = plain
            names.append(str(part))
            hint = keys_of(owner).get(str(part))
        elif get_origin(plain) is dict:
            names.append(str(part))
            of_names, hint = inner
        elif get_origin(plain) is tuple:
            hint = inner[0]
        elif _is_table(plain):  # a union of tables: the part says which
            hint = next(member for member in inner if part in get_args(_plain(keys_of(member)["kind"])))
    return names, hint, owner


def _is_table(hint: Any) -> bool:
    """Tell whether an annotation is of a table, or of one of several."""
    plain = _plain(hint)
    members = get_args(plain) if is_union(plain) else (plain,)
    return all(is_dataclass(member) or get_origin(member) is dict for member in members)


def _names(hint: Any) -> list[str]:
    """Return the words that an annotation knows."""
    marks = getattr(_present(hint), "__metadata__", ())
    known = [name for mark in marks if isinstance(mark, Text) for name in mark.names]
    plain = _plain(hint)
    if get_origin(plain) is tuple:
        return _names(get_args(plain)[0])
    return [*known, *(get_args(plain) if get_origin(plain) is Literal else ())]


def _plain(hint: Any) -> Any:
    """Return an annotation without None and without its limits."""
    present = _present(hint)
    return _plain(get_args(present)[0]) if get_origin(present) is Annotated else present


def _present(hint: Any) -> Any:
    """Return an annotation without None."""
    parts = [part for part in get_args(hint) if part is not type(None)] if is_union(hint) else []
    return parts[0] if len(parts) == 1 else hint


def is_union(hint: Any) -> bool:
    """Tell whether an annotation is a union, written either way."""
    return get_origin(hint) in (Union, types.UnionType)


def _said(value: object) -> str:
    """Write a value; a number with thousands of digits, which Python does not write, by how many bits it takes."""
    if isinstance(value, int) and value.bit_length() > 4096:
        return f"a number of {value.bit_length()} bits"
    return brief(repr(value))
