"""Compiled kernels on disk, each with a digest: one that a power cut damaged is compiled again, not run."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba.core.caching import FunctionCache, IndexDataCacheFile

_DIGEST = hashlib.sha256().digest_size


class CheckedCache(FunctionCache):
    """numba's cache of a function, whose files are read only if they are as they were written.

    numba itself unpickles whatever stands in a file, and gives LLVM the machine code in it: a file that was cut off
    ends the program with an odd error, and one with other bytes ends it without any.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]
        found = self._cache_file
        place, stamp = found._cache_path, found._source_stamp
        self._cache_file = _CheckedFiles(place, self._impl.filename_base, stamp)  # type: ignore[no-untyped-call]


class _CheckedFiles(IndexDataCacheFile):
    """numba's two kinds of file, each with a SHA-256 of its version and of the rest before it."""

    def _load_index(self) -> dict[Any, str]:
        """Return which signature is in which file; nothing where the index is of other code, or damaged."""
        try:
            stamp, files = self._read(self._index_path)
        except OSError:
            return {}
        return dict(files) if stamp == self._source_stamp else {}

    def _save_index(self, overloads: dict[Any, str]) -> None:
        self._write(self._index_path, (self._source_stamp, overloads))

    def _load_data(self, name: str) -> Any:
        """Return a compiled function; raise OSError, which numba takes for a file that is gone, if it is damaged."""
        return self._read(self._data_path(name))  # type: ignore[no-untyped-call]

    def _save_data(self, name: str, data: Any) -> None:
        self._write(self._data_path(name), data)  # type: ignore[no-untyped-call]

    def _digest(self, data: bytes) -> bytes:
        return hashlib.sha256(self._version.encode() + data).digest()

    def _read(self, path: str) -> Any:
        content = Path(path).read_bytes()
        if self._digest(content[_DIGEST:]) != content[:_DIGEST]:
            raise OSError(f"{path} is damaged, or of another numba")
        return pickle.loads(content[_DIGEST:])

    def _write(self, path: str, content: Any) -> None:
        data = self._dump(content)  # type: ignore[no-untyped-call]
        with self._open_for_write(path) as file:
            file.write(self._digest(data) + data)
