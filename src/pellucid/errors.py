"""What Pellucid raises: every message says where, what is wrong, and how to mend it."""

from __future__ import annotations

from pathlib import Path

from pellucid.words import one_line, printable


class PellucidError(Exception):
    """The base of every error that Pellucid raises on purpose."""


class InputError(PellucidError):
    """A file, folder, option or setting of the user's that cannot be used.

    Parameters
    ----------
    where
        The file, key or option at fault.
    what
        What is wrong with it, without a full stop.
    fix
        What the user can do about it, without a full stop.
    """

    def __init__(self, where: str | Path, what: str, fix: str) -> None:
        self.where = printable(str(where))  # names of files may hold anything
        self.what = printable(one_line(what))  # as may what another library says of them
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
        Two or more, all of one file.
    """

    def __init__(self, errors: tuple[InputError, ...]) -> None:
        self.errors = errors
        lines = "".join(f"\n  {error.what}. {error.fix}." for error in errors)
        super().__init__(errors[0].where, f"{len(errors)} things are wrong", f"Mend them all:{lines}".rstrip("."))

    def __reduce__(self) -> tuple[type[CombinedInputError], tuple[tuple[InputError, ...]]]:  # type: ignore[override]
        """Let the error cross a process boundary whole."""
        return type(self), (self.errors,)


class UnusableError(PellucidError):
    """Data of the user's that cannot be used; the message says where, what and how to mend it."""


class LeakageError(PellucidError):
    """Participants stand on both sides of a border that a fair evaluation must keep."""
