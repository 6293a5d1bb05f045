"""A convolution of one channel and the max-pool behind it in one pass: the convolution's output never exists.

For each pooling window all its outputs are computed at once, channels as the vector loop: for kernels and pools of
3x3x3 these are 27 running sums over 27 taps, from 125 values of the input. The source is generated, so that the sums
stay in registers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from itertools import product

import numpy as np

from pellucid.kernels.arrays import Floats, Size, Winners
from pellucid.kernels.compile import from_source


def convolve_pool(x: Floats, weight: Floats, kernel: Size, pool: Size) -> tuple[Floats, Winners]:
    """Return `max_q sum_t x[pool p + q + t] w[t, o]` of each window p and output channel o, and the q that had it.

    Parameters
    ----------
    x
        (B, X, Y, Z), C-contiguous.
    weight
        (taps, C), taps in C order of `kernel`, C-contiguous, of x's data type.
    kernel, pool
        Sizes along X, Y, Z. The convolution has stride 1 and no padding; windows do not overlap, an incomplete one at
        the far end is dropped.

    Returns
    -------
    best, winner
        (B, X', Y', Z', C) each, X' = (X - kernel + 1) // pool; of equals the first wins.
    """
    shape = tuple((n - k + 1) // p for n, k, p in zip(x.shape[1:], kernel, pool, strict=True))
    best = np.empty((len(x), *shape, weight.shape[1]), dtype=x.dtype)
    winner = np.empty(best.shape, dtype=np.uint8)
    _compiled(kernel, pool)(x, weight, best, winner)
    return best, winner


@cache
def _compiled(kernel: Size, pool: Size) -> Callable[..., None]:
    return from_source(_source(kernel, pool), "convolve_pool")


def _source(kernel: Size, pool: Size) -> str:
    """Write out the arithmetic of one window, statement by statement."""
    lines = [
        "import numpy as np",
        "from numba import prange",
        "",
        "",
        "def convolve_pool(x, weight, best, winner):",
        "    B, X, Y, Z, C = best.shape",
        "    for row in prange(B * X):",
        "        b, i = row // X, row % X",
        "        for j in range(Y):",
        "            for k in range(Z):",
    ]
    for a, b, c in _positions(k + p - 1 for k, p in zip(kernel, pool, strict=True)):
        at = f"b, {pool[0]} * i + {a}, {pool[1]} * j + {b}, {pool[2]} * k + {c}"
        lines += [f"                x_{a}_{b}_{c} = x[{at}]"]
    lines += ["                for o in range(C):"]
    window = _positions(pool)
    for t, tap in enumerate(_positions(kernel)):
        lines += [f"                    w = weight[{t}, o]"]
        for q, place in enumerate(window):
            value = "x_" + "_".join(str(u + v) for u, v in zip(tap, place, strict=True))
            lines += [f"                    z_{q} = " + (f"z_{q} + {value} * w" if t else f"{value} * w")]
    lines += ["                    top, first = z_0, np.uint8(0)"]
    for q in range(1, len(window)):
        lines += [f"                    if z_{q} > top:", f"                        top, first = z_{q}, np.uint8({q})"]
    lines += ["                    best[b, i, j, k, o] = top", "                    winner[b, i, j, k, o] = first"]
    return "\n".join(lines) + "\n"


def _positions(size: Iterable[int]) -> list[tuple[int, ...]]:
    """Return all positions in a box, in C order."""
    return list(product(*map(range, size)))
