"""Checks that several sections of a specification share."""

from __future__ import annotations

import re

from pellucid.errors import InputError

NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
"""What studies, cohorts and arms may be called, for they name folders."""


def check_name(key: str, name: str) -> None:
    """Raise InputError for a name that cannot name a folder."""
    if not NAME.fullmatch(name):
        raise InputError(key, f"is {name!r}", "Use a-z, 0-9 and -, for it names a folder")


def check_least(key: str, value: int, least: int) -> None:
    """Raise InputError for a whole number that is too small."""
    if value < least:
        raise InputError(key, f"is {value}", f"Give a whole number of at least {least}")
