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
    words = [part if isinstance(part, int) else zlib.crc32(part.encode()) for part in path]
    return int(np.random.SeedSequence([seed, *words]).generate_state(1)[0] >> 1)
