"""Compiled kernels on disk, each with a digest: one that a power cut damaged is compiled again, not run."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba.core.caching import FunctionCache, IndexDataCacheFile

_DIGEST = hashlib.sha256().digest_size


class CheckedCache(FunctionCache):  # type: ignore[misc]
    """numba's cache of a function, whose files are read only if they are as they were written.

    numba itself unpickles whatever stands in a file, and gives LLVM the machine code in it: a file that was cut off
    ends the program with an odd error, and one with other bytes ends it without any.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        found = self._cache_file
        self._cache_file = _CheckedFiles(found._cache_path, self._impl.filename_base, found._source_stamp)


class _CheckedFiles(IndexDataCacheFile):  # type: ignore[misc]
    """numba's two kinds of file, each with the SHA-256 of the rest before it."""

    def _load_index(self) -> dict[Any, str]:
        """Return which signature is in which file; nothing where that is not known, of other code, or damaged."""
        try:
            version, stamp, files = self._read(Path(self._index_path))
        except (OSError, ValueError):
            return {}
        return files if (version, stamp) == (self._version, self._source_stamp) else {}

    def _save_index(self, overloads: dict[Any, str]) -> None:
        self._write(self._index_path, (self._version, self._source_stamp, overloads))

    def _load_data(self, name: str) -> Any:
        """Return a compiled function; raise OSError, which numba takes for a file that is gone, if it is damaged."""
        return self._read(Path(self._data_path(name)))

    def _save_data(self, name: str, data: Any) -> None:
        self._write(self._data_path(name), data)

    def _read(self, path: Path) -> Any:
        content = path.read_bytes()
        if hashlib.sha256(content[_DIGEST:]).digest() != content[:_DIGEST]:
            raise OSError(f"{path} is damaged")
        return pickle.loads(content[_DIGEST:])

    def _write(self, path: str, content: Any) -> None:
        data = self._dump(content)
        with self._open_for_write(path) as file:
            file.write(hashlib.sha256(data).digest() + data)
