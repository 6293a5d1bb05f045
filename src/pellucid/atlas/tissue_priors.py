"""Where fluid, grey and white matter are expected: the ICBM152 2009a average as a prior for one brain."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy import ndimage

from pellucid.atlas.icbm152 import icbm152
from pellucid.ground.arrays import Float32Array
from pellucid.image.grid import Grid
from pellucid.image.resample import resample

_BLUR_MM = 2.0
_FLOOR = 0.02


def tissue_priors(grid: Grid) -> Float32Array:
    """Return the priors of fluid, grey and white matter: (3, X, Y, Z) on `grid`; everywhere positive, summing to 1.

    p_t = (G * m_t + floor) / (1 + 3 floor), where m_grey and m_white are the ICBM152 2009a symmetric maps, m_csf what
    they leave of 1, G a Gaussian of 2 mm standard deviation, the few millimetres by which an affine registration
    misses, and the floor 0.02.

    Notes
    -----
    Far outside the average brain all is fluid but for the floor: a gyrus out there is what its image says it is. The
    maps come from T1w brightness, so that thalamus, pallidum, brain stem and ventral diencephalon are part grey, part
    white; cerebellar white matter is white.

    References
    ----------
    Fonov et al. 2011, as for `icbm152`.
    """
    grey, white, source = _average()
    maps = np.stack([resample(data, source, grid) for data in (grey, white)]).clip(0.0, 1.0)
    fluid = np.maximum(1.0 - maps.sum(axis=0, keepdims=True), 0.0)
    priors = np.concatenate([fluid, maps]) + np.float32(_FLOOR)
    priors /= priors.sum(axis=0)
    return priors


@cache
def _average() -> tuple[Float32Array, Float32Array, Grid]:
    """Return the smoothed grey and white matter maps and their 1 mm grid; outside of both lies 0."""
    (grey, grid), (white, _) = icbm152("gm"), icbm152("wm")
    maps = [ndimage.gaussian_filter(data, _BLUR_MM, mode="constant") for data in (grey, white)]
    for data in maps:
        data.setflags(write=False)  # one array for all who ask
    return maps[0], maps[1], grid
