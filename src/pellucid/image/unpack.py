"""The bytes of a file that may be packed with gzip: as many as are asked for and no more, checked to the end."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from pellucid.ground.errors import InputError, brief
from pellucid.ground.opening import open_file

_MAGIC = b"\x1f\x8b"
_CHUNK = 1 << 16
_TIGHTEST = 1032  # bytes that one packed byte can stand for, at most
_MOST_MEMBERS = 200_000  # a gzip file may be of several, as those of bgzip are, of 64 kB each
_MOST_AFTER = 1 << 20  # bytes behind the last member
_COPY = "Copy or export it again"


class Content:
    """What a file holds, unpacked, read from its start to its end.

    Parameters
    ----------
    path
        The file, which messages name.
    file
        The file, opened.
    packed
        Whether it is packed with gzip.
    """

    def __init__(self, path: Path, file: BufferedReader, *, packed: bool) -> None:
        self._path = path
        self._file = file
        self._unpacker = zlib.decompressobj(31) if packed else None
        self._pending = b""  # packed bytes that were read and not yet unpacked
        self._members = 1
        size = os.fstat(file.fileno()).st_size
        self.most = size * _TIGHTEST if packed else size
        """The bytes that it can hold at most; if it is not packed, those that it does hold."""
        self.packed = packed
        self.after = 0
        """The bytes behind the last member of gzip, once the end was reached: nobody's."""

    def read(self, size: int) -> bytes:
        """Return the next `size` bytes, fewer only at the end."""
        buffer = bytearray(size)
        got = self.read_into(memoryview(buffer))
        return bytes(buffer[:got])

    def read_into(self, view: memoryview) -> int:
        """Fill a view of bytes; return how many there were, fewer than it holds only at the end.

        Raises
        ------
        InputError
            What is packed is truncated or corrupt.
        """
        got = 0
        while got < len(view):
            part = self._next(len(view) - got)
            if not part:
                break
            view[got : got + len(part)] = part
            got += len(part)
        return got

    def _next(self, most: int) -> bytes:
        """Return up to `most` bytes, none only at the end."""
        if self._unpacker is None:
            return self._file.read(min(most, 1 << 24))
        try:
            while True:
                if self._unpacker.eof and not self._begin_member():
                    return b""
                packed = self._pending or self._file.read(_CHUNK)
                if not packed:
                    raise InputError(self._path, "the gzip file is truncated or corrupt (it ends too early)", _COPY)
                part = self._unpacker.decompress(packed, most)
                self._pending = self._unpacker.unused_data if self._unpacker.eof else self._unpacker.unconsumed_tail
                if part:
                    return part
        except zlib.error as error:
            raise InputError(self._path, f"the gzip file is truncated or corrupt ({brief(error)})", _COPY) from None

    def _begin_member(self) -> bool:
        """Go on to the next member, if there is one; zeros may stand before it."""
        while True:
            rest = self._pending.lstrip(b"\0")
            if len(rest) >= len(_MAGIC):
                break
            more = self._file.read(_CHUNK)
            self.after += len(self._pending) - len(rest)
            if not more:
                self.after, self._pending = self.after + len(rest), b""
                return False
            if self.after > _MOST_AFTER:
                raise InputError(self._path, "the gzip file is followed by more than a megabyte of zeros", _COPY)
            self._pending = rest + more
        if not rest.startswith(_MAGIC):
            left = len(self._pending) + os.fstat(self._file.fileno()).st_size - self._file.tell()
            self._file.seek(0, os.SEEK_END)
            self.after, self._pending = self.after + left, b""
            return False
        self._members += 1
        if self._members > _MOST_MEMBERS:
            raise InputError(self._path, f"the gzip file has more than {_MOST_MEMBERS} members", _COPY)
        self._unpacker, self._pending = zlib.decompressobj(31), rest
        return True


@contextmanager
def unpacked(path: Path) -> Iterator[Content]:
    """Open a file, packed with gzip or not; it is known by its first bytes, whatever its name says.

    Raises
    ------
    InputError
        It is missing, may not be read, or is no regular file.
    """
    with open_file(path) as file:
        packed = file.read(len(_MAGIC)) == _MAGIC
        file.seek(0)
        yield Content(path, file, packed=packed)
