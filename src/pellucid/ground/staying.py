"""Folders that somebody may move or delete while they are written to: nothing is made anew in their place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pellucid.ground.errors import InputError

Identity = tuple[int, int]
"""Device and inode of a folder."""

_STAYING: dict[Path, Identity] = {}


@contextmanager
def staying(folder: Path) -> Iterator[None]:
    """Write nothing below a folder, which is there, once it has been deleted or moved within the block.

    `make_folder` would make it anew, with a few files of what is now elsewhere.

    Raises
    ------
    InputError
        It is gone already.
    """
    folder = folder.absolute()
    check_staying(folder)
    found, outer = _identity(folder), folder in _STAYING
    if found is None:
        raise _gone(folder)
    _STAYING[folder] = found
    try:
        yield
    finally:
        if not outer:
            del _STAYING[folder]


def folders_staying() -> dict[Path, Identity]:
    """Return the folders that are `staying` now, for `keep_staying` in another process of this machine."""
    return dict(_STAYING)


def keep_staying(folders: Mapping[Path, Identity]) -> None:
    """Let `folders` be `staying` as long as this process lives, though they may be gone already."""
    _STAYING.update(folders)


def check_staying(path: Path) -> None:
    """Raise InputError if a path lies in a folder that was `staying` and is gone."""
    for folder, known in _STAYING.items():
        if path.absolute().is_relative_to(folder) and _identity(folder) != known:
            raise _gone(folder)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it where they are not there; InputError as `check_staying`."""
    check_staying(folder)
    folder.mkdir(parents=True, exist_ok=True)


def _identity(folder: Path) -> Identity | None:
    found = folder.stat() if folder.is_dir() else None
    return None if found is None else (found.st_dev, found.st_ino)


def _gone(folder: Path) -> InputError:
    fix = "Put it back and run the same command again, or start again from the beginning"
    return InputError(folder, "was moved or deleted while it was written to", fix)
