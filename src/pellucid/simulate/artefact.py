"""A scanner's fault, of known place and strength: one element of the receive coil is too sensitive.

The signal near it is too bright, smoothly, in whatever lies there. It stays where it is in MNI space and is no part of
anybody's anatomy: a network that finds it has learned a scanner. It is planted behind on the right, where the paper's
network sees as well as the whole-brain one.
"""

from __future__ import annotations

import numpy as np

from pellucid.ground.arrays import Float32Array
from pellucid.image.grid import Grid

CENTRE_MM = (34.0, -72.0, 6.0)
"""Where it is strongest, in MNI space: the right occipital lobe."""

SPREAD_MM = 24.0
"""Standard deviation of its Gaussian."""

GAIN = 0.12
"""How much brighter the signal is at the centre, at a strength of 1."""


def coil_excess(grid: Grid) -> Float32Array:
    """Return where the coil is too sensitive: exp(-d² / (2 SPREAD_MM²)), d the distance from CENTRE_MM; (I, J, K)."""
    i, j, k = (np.arange(n) for n in grid.shape)
    x, y, z = np.moveaxis(grid.world(np.stack(np.meshgrid(i, j, k, indexing="ij"), axis=-1)), -1, 0)
    squares = sum((axis - centre) ** 2 for axis, centre in zip((x, y, z), CENTRE_MM, strict=True))
    return np.asarray(np.exp(-squares / (2.0 * SPREAD_MM**2)), dtype=np.float32)


def coil_gain(grid: Grid, strength: float) -> Float32Array:
    """Return the factor by which the coil multiplies the signal: 1 + strength * GAIN * coil_excess(grid), (I, J, K)."""
    return np.float32(1.0) + np.float32(strength * GAIN) * coil_excess(grid)
