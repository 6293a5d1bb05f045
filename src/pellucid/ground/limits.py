"""What names and whole numbers of a specification may be: as large as a study needs, never as large as a file says."""

from __future__ import annotations

import re

from pellucid.ground.errors import InputError, brief

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
"""What studies, cohorts and arms may be called, for they name folders."""

MOST_SEED = 2**63 - 1
"""The largest whole number that TOML knows."""


def check_name(key: str, name: str) -> None:
    """Raise InputError for a name that cannot name a folder."""
    if not NAME.fullmatch(name):
        raise InputError(key, f"is {brief(repr(name), 80)}", "Use a-z, 0-9 and -, 64 at most, for it names a folder")


def check_whole(key: str, value: object, least: int, most: int) -> None:
    """Raise InputError for what is no whole number from `least` to `most`.

    The upper bound is beyond any study that was ever run: what is larger would take all memory, or all time, before
    the first word is printed.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InputError(key, f"is {brief(_said(value), 40)}", f"Give a whole number of at least {least}")
    if value > most:
        raise InputError(key, f"is {brief(_said(value), 40)}", f"Give a whole number from {least} to {most}")


def _said(value: object) -> str:
    """Write a value; a number of thousands of digits, which Python does not write, by how many bits it takes."""
    if isinstance(value, int) and value.bit_length() > 4096:
        return f"a number of {value.bit_length()} bits"
    return repr(value)
