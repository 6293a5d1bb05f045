"""Max-pool with windows that do not overlap: the greatest value of each window, and where it was."""

from __future__ import annotations

import numpy as np
from numba import prange

from pellucid.ground.arrays import FloatArray
from pellucid.kernels.arrays import Size, Winners
from pellucid.kernels.compile import parallel


def pool(z: FloatArray, bias: FloatArray, size: Size) -> tuple[FloatArray, Winners]:
    """Return `max_q z[size p + q, o] + b[o]` of each window p and channel o, and the q that had it.

    Parameters
    ----------
    z
        (B, X, Y, Z, C).
    bias
        (C,), of z's data type.
    size
        Of a window along X, Y, Z, at most 256 positions; an incomplete window at the far end is dropped.

    Returns
    -------
    best, winner
        (B, X', Y', Z', C) each, X' = X // size; of equals the first wins, of NaNs the last.
    """
    shape = tuple(n // p for n, p in zip(z.shape[1:4], size, strict=True))
    best = np.empty((len(z), *shape, z.shape[4]), dtype=z.dtype)
    winner = np.empty(best.shape, dtype=np.uint8)
    _pool(z, bias, size, best, winner)
    return best, winner


@parallel
def _pool(z: FloatArray, bias: FloatArray, size: Size, best: FloatArray, winner: Winners) -> None:
    B, X, Y, Z, C = best.shape
    for row in prange(B * X):
        b, i = row // X, row % X
        for j in range(Y):
            for k in range(Z):
                top = best[b, i, j, k]
                first = winner[b, i, j, k]
                for q in range(size[0] * size[1] * size[2]):
                    u, v, w = q // (size[1] * size[2]), q // size[2] % size[1], q % size[2]
                    here = z[b, size[0] * i + u, size[1] * j + v, size[2] * k + w]
                    if q == 0:
                        for o in range(C):
                            top[o] = here[o]
                            first[o] = 0
                    else:
                        for o in range(C):
                            if here[o] > top[o] or np.isnan(here[o]):
                                top[o] = here[o]
                                first[o] = q
                for o in range(C):
                    top[o] += bias[o]
