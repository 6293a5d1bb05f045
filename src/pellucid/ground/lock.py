"""One process a folder, or a part of one: a lock that dies with its holder."""

from __future__ import annotations

import errno
import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pellucid.ground.errors import InputError
from pellucid.ground.staying import make_folder

NAME = ".lock"

_HELD = (errno.EACCES, errno.EAGAIN)

if sys.platform == "win32":  # the same promise by another name
    import msvcrt

    def _take(handle: IO[str], *, wait: bool) -> None:
        msvcrt.locking(handle.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(handle: IO[str], *, wait: bool) -> None:
        # POSIX record locks, not flock: worker processes that outlive a killed parent do not inherit them.
        fcntl.lockf(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def locked(folder: Path, *, name: str = NAME, wait: bool = False) -> Iterator[None]:
    """Hold a lock of a folder for the length of the block.

    The operating system lets go of the lock when its holder ends, however it ends, so that a stale lock cannot exist;
    what the file says of its holder serves the message only. On a file system without locks the block runs without one,
    after a warning.

    Parameters
    ----------
    folder
        What is locked; made if it is not there.
    name
        Of the lock's file, of which a folder may have several: one for each part.
    wait
        Wait for another process that holds it, however long.

    Raises
    ------
    InputError
        If another process holds it, and one does not `wait`; says which. Or the folder was `staying` and is gone.
    """
    make_folder(folder)
    path = folder / name
    with path.open("a+", encoding="utf-8") as handle:
        try:
            _take(handle, wait=wait)
        except OSError as error:
            if error.errno in _HELD:
                handle.seek(0)
                holder = handle.read().strip() or "another process"
                raise InputError(
                    folder, f"a run is in progress here ({holder})", "Wait for it, stop it, or use another --out"
                ) from None
            logging.getLogger("pellucid").warning(
                "%s: this file system has no locks (%s). Start no second run here.", folder, error.strerror
            )
        handle.seek(0)
        handle.truncate()
        handle.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        handle.flush()
        try:
            yield
        finally:
            handle.truncate(0)
            handle.flush()
