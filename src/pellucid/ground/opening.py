"""Files that somebody else made, opened: regular ones only, never more of them than asked, and truth about trouble."""

from __future__ import annotations

import errno
import os
import shlex
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from pellucid.ground.errors import InputError, brief

MOST_TEXT = 1 << 28
"""Bytes of the largest table that is read, 256 MiB: a larger one is none."""

MOST_TYPED = 1 << 24
"""Bytes of the largest description or table that somebody typed, 16 MiB: unpacked it takes some 25 times that."""

_ELSEWHERE = "its content is not on this machine"
_POINTER_BYTES = 2048  # what stands in a file's place is shorter, and an image longer

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)

_TROUBLES = {
    errno.ENOTDIR: ("the file does not exist", "Check the path"),
    errno.ENAMETOOLONG: ("the file does not exist, its name is too long", "Check the path"),
    errno.EISDIR: ("it is a folder, not a file", "Give a file"),
    errno.ELOOP: ("its symbolic links lead in a circle", "Repair the links, or give the file itself"),
    errno.EACCES: ("there is no permission to read it", "Ask its owner for the permission; the file may be whole"),
    errno.EPERM: ("there is no permission to read it", "Ask its owner for the permission; the file may be whole"),
    errno.ENOMEM: ("the memory does not suffice to open it", "Free memory or raise its limit; the file may be whole"),
    errno.EMFILE: ("too many files are open", "Raise the limit (`ulimit -n`); the file may be whole"),
    errno.ENFILE: ("too many files are open", "Close other programs; the file may be whole"),
    errno.EIO: ("its disk or network share fails", "Check the disk, and copy the file from where it came"),
    errno.ESTALE: ("its network share has gone away", "Mount it again; the file may be whole"),
}


def missing_file(path: Path) -> InputError:
    """Return the error of a file that is not there, or is and waits for its content to be fetched."""
    return without_content(path) or InputError(path, "the file does not exist", "Check the path")


def without_content(path: Path) -> InputError | None:
    """Return the error of a file whose content a version control of large files keeps elsewhere; None for any other.

    That of git-annex, and so DataLad, is a link into .git/annex or, unlocked, a line that names such a path; that of
    git-lfs is a few lines of text.
    """
    if path.is_symlink() and not path.exists():
        target = os.readlink(path)
        if ".git/annex/objects" in Path(target).as_posix():
            return InputError(path, f"{_ELSEWHERE} (git-annex)", f"Fetch it: datalad get {shlex.quote(str(path))}")
        return InputError(path, f"it is a link to {target}, which does not exist", "Repair the link")
    if not path.is_file() or path.stat().st_size > _POINTER_BYTES:
        return None
    with open_file(path) as file:
        start = file.read(_POINTER_BYTES)
    if start.startswith((b"/annex/objects/", b"/.git/annex/objects/")):
        return InputError(path, f"{_ELSEWHERE} (git-annex)", f"Fetch it: datalad get {shlex.quote(str(path))}")
    if start.startswith(b"version https://git-lfs.github.com/spec/"):
        return InputError(path, f"{_ELSEWHERE} (git-lfs)", f"Fetch it: git lfs pull --include {shlex.quote(path.name)}")
    return None


def unreadable(path: str | Path, error: OSError) -> InputError:
    """Say in words why the system does not let a file be read; no cure destroys what may be good."""
    said = brief(error.strerror or error)
    if error.errno == errno.ENOENT:
        return missing_file(Path(path))
    what, fix = _TROUBLES.get(
        error.errno or 0, (f"it cannot be read ({said})", "Mend that, and try again; the file may be whole")
    )
    return InputError(path, what, fix)


@contextmanager
def open_file(path: Path) -> Iterator[BufferedReader]:
    """Open a regular file to read; what reads may raise of the system is an InputError too.

    A pipe, a socket or a device is refused and not waited for: nobody says when it ends.

    Raises
    ------
    InputError
        It is missing, may not be read, or is no regular file.
    """
    try:
        _refuse_irregular(path, path.stat())  # before it is opened: opening a device may do something
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise unreadable(path, error) from None
    except ValueError:  # a null byte in its name
        raise InputError(path, "the file does not exist", "Check the path") from None
    with open(number, "rb") as file:
        _refuse_irregular(path, os.fstat(file.fileno()))
        try:
            yield file
        except OSError as error:
            raise unreadable(path, error) from None


def require_file(path: Path) -> None:
    """Refuse what is no regular file that may be read, before a library opens it.

    Raises
    ------
    InputError
        As `open_file`.
    """
    with open_file(path):
        pass


def read_bytes(path: Path, *, most: int = MOST_TEXT) -> bytes:
    """Read a file of text whole, `most` bytes of it at most.

    Raises
    ------
    InputError
        As `open_file`; or it is larger.
    """
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            what = f"it has {size} bytes, and a file of this kind has at most {most}"
            raise InputError(path, what, "Check that it is the right file")
        return file.read(most + 1)


def read_text(path: Path, *, most: int = MOST_TEXT) -> str:
    """Read a text in UTF-8, with or without the mark that Windows puts before it.

    Raises
    ------
    InputError
        As `read_bytes`; or it is no UTF-8.
    """
    content = read_bytes(path, most=most)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        what = f"it is not text in UTF-8 (byte {error.start} is {content[error.start]:#04x})"
        raise InputError(path, what, "Save it in UTF-8") from None


def _refuse_irregular(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = next((name for is_it, name in _KINDS if is_it(status.st_mode)), "no regular file")
        raise InputError(path, f"it is {kind}, not a file", "Give a file")
