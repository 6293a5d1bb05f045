"""Things of one kind by their names, to which a module outside of the package may add its own."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Generic, TypeVar

from pellucid.ground.errors import InputError

Entry = TypeVar("Entry")
_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")


class Registry(Mapping[str, Entry], Generic[Entry]):
    """Entries of one kind by name, in the order in which they were registered; what is in it stays as it is.

    Parameters
    ----------
    kind
        What an entry is, in words: errors say it.

    >>> shapes = Registry[int]("shape")
    >>> shapes.register("square", 4)
    >>> shapes["square"], list(shapes)
    (4, ['square'])
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, Entry] = {}

    def register(self, name: str, entry: Entry) -> None:
        """Add an entry.

        Raises
        ------
        InputError
            If the name is taken, or is not of small letters and digits with `-` or `_` between: names stand in tables,
            file names and links.
        """
        if _NAME.fullmatch(name) is None:
            raise InputError(self.kind, f"its name is {name!r}", "Use small letters and digits with - or _ between")
        if name in self._entries:
            raise InputError(self.kind, f"{name!r} is registered already", "Choose another name")
        self._entries[name] = entry

    def find(self, name: object, *, where: str | None = None) -> Entry:
        """Return the entry of a name.

        Raises
        ------
        InputError
            At `where`, or else at the kind, if there is none; names the one that may have been meant.
        """
        if isinstance(name, str) and name in self._entries:
            return self._entries[name]
        word = name.lower() if isinstance(name, str) else ""
        begun = [known for known in self if word and known.startswith(word)]
        close = begun or difflib.get_close_matches(word, self, n=1)
        guess = f"Did you mean {close[0]}? " if close else ""
        raise InputError(where or self.kind, f"{name!r} is not known", f"{guess}Choose one of {', '.join(self)}")

    def __getitem__(self, name: str) -> Entry:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def classes_in(package: str, folders: Iterable[str], base: type[Entry]) -> Iterator[type[Entry]]:
    """Import every module of a package and yield the subclasses of `base` that are written there, by module's name."""
    for module in import_all(package, folders):
        for found in vars(module).values():
            here = isinstance(found, type) and found.__module__ == module.__name__
            if here and issubclass(found, base) and found is not base:
                yield found


def import_all(package: str, folders: Iterable[str]) -> list[ModuleType]:
    """Import every module of a package, by name: a new file registers itself."""
    return [import_module(f"{package}.{module.name}") for module in iter_modules(folders)]
