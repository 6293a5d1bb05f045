"""One seed for a study, and from it one for every use, so that no two uses share their random numbers."""

from __future__ import annotations

import zlib

import numpy as np


def derive_seed(seed: int, *path: str | int) -> int:
    """Return the seed, below 2**31, of the use named by `path`.

    The same study seed and path give the same number on every machine; another path gives an independent one. Trials of
    different arms share their path on purpose: trial k of every arm is paired by its seed.

    >>> derive_seed(0, "trial", 1) == derive_seed(0, "trial", 1) != derive_seed(0, "trial", 2)
    True
    """
    return wide_seed(seed, *path) >> 1


def wide_seed(seed: int, *path: str | int) -> int:
    """Return the same as `derive_seed` with one bit more, below 2**32: for NumPy's generators alone."""
    words = [part if isinstance(part, int) else content_seed(part) for part in path]
    return int(np.random.SeedSequence([seed, *words]).generate_state(1)[0])


def content_seed(content: str | bytes) -> int:
    """Return the seed, below 2**32, of what has none of its own: the CRC-32 of its words or bytes.

    >>> content_seed("sub-01") == content_seed(b"sub-01")
    True
    """
    return zlib.crc32(content.encode() if isinstance(content, str) else content)
