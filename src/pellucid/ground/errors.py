"""What Pellucid raises: every message says where, what is wrong, and how to mend it."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from pathlib import Path

from pellucid.ground.words import one_line, printable

_LONGEST = 200  # characters of what a library says
_LONGEST_MESSAGE = 2000


def brief(error: object, longest: int = _LONGEST) -> str:
    r"""Return what a library says of an error, or what a file holds, on one short line.

    >>> brief(ValueError("too\n  long " + "x" * 500), 12)
    'too long ...'
    """
    text = printable(" ".join(str(error).split())).rstrip(". ")
    return text if len(text) <= longest else f"{text[: longest - 3].rstrip()} ..."


def _cut(text: str) -> str:
    """Return a message without its middle, if it quotes more of a file than anybody reads."""
    half = _LONGEST_MESSAGE // 2
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[:half]} ... {text[-half:]}"


def trouble(error: Exception) -> str:
    """Say in one line what went wrong with one of many, so that the others can go on.

    An error of ours or the system's says it itself; memory that ran out is said in plain words; any other error is a
    bug of ours, and the line of the package is named at which it came up.
    """
    if isinstance(error, PellucidError):
        return str(error)
    if isinstance(error, OSError):
        return printable(str(error))
    if isinstance(error, MemoryError):
        return f"memory is too small ({brief(error) or 'MemoryError'}). Free some, or use a larger machine."
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(__file__).parent in Path(frame.filename).parents] or frames
    at = f" at {Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else ""
    return f"unexpected {type(error).__name__}{at}: {brief(error)}. Please report it."


class PellucidError(Exception):
    """The base of every error that Pellucid raises on purpose."""


class InputError(PellucidError):
    """A file, folder, option or setting of the user's that cannot be used.

    Parameters
    ----------
    where
        The file, key or option at fault.
    what
        What is wrong with it, without a full stop. What cannot be printed, in it and in `where`, is escaped.
    fix
        What the user can do about it, without a full stop.
    """

    def __init__(self, where: str | Path, what: str, fix: str) -> None:
        self.where = printable(_cut(str(where)))  # names of files may hold anything
        self.what = printable(one_line(_cut(what)))  # as may what another library says of them
        self.fix = fix
        super().__init__(f"{self.where}: {self.what}. {fix}.")

    def __reduce__(self) -> tuple[type[InputError], tuple[str, str, str]]:
        """Let the error cross a process boundary whole."""
        return type(self), (self.where, self.what, self.fix)


class CombinedInputError(InputError):
    """Several things of the user's that cannot be used, told at once.

    Parameters
    ----------
    errors
        Two or more, of one file or of several settings.
    """

    def __init__(self, errors: tuple[InputError, ...]) -> None:
        self.errors = errors
        one_place = len({error.where for error in errors}) == 1
        said = (error.what if one_place else f"{error.where}: {error.what}" for error in errors)
        lines = "".join(f"\n  {what}. {error.fix}." for what, error in zip(said, errors, strict=True))
        super().__init__(errors[0].where, f"{len(errors)} things are wrong", f"Mend them all:{lines}".rstrip("."))

    def __reduce__(self) -> tuple[type[CombinedInputError], tuple[tuple[InputError, ...]]]:  # type: ignore[override]
        """Let the error cross a process boundary whole."""
        return type(self), (self.errors,)


def raise_together(errors: Iterable[InputError]) -> None:
    """Raise what was found: nothing, the error itself if it is one, all together if they are several."""
    found = tuple(errors)
    if len(found) == 1:
        raise found[0]
    if found:
        raise CombinedInputError(found)


class UnusableError(PellucidError):
    """Data of the user's that cannot be used; the message says where, what and how to mend it."""


class LeakageError(PellucidError):
    """Participants stand on both sides of a border that a fair evaluation must keep."""
