"""Intensity scaling: from a scanner's arbitrary units to what a network sees."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from pellucid.ground.arrays import BoolArray, Float32Array
from pellucid.ground.errors import InputError

Scaling = Literal["robust", "percentile", "minmax", "max"]
SCALINGS: tuple[Scaling, ...] = get_args(Scaling)

UNSCALED = "none"
"""What networks of masks say of the scaling of their images."""

ROBUST_RANGE = (-1.0, 5.0)
"""Where `robust` cuts off, in spreads from the median.

On FLAIR, fluid lies 5 to 6 spreads below the median, white matter about half a one, grey matter 1 above, lesions 2 to
4. Relevance is proportional to the input: cut at -2.5, a fifth to a third of the positive relevance of two real
patients lay in fluid.
"""

MAD_TO_SD = 1.4826
"""The standard deviation of a normal distribution over its median absolute deviation."""


def scale(unscaled: Float32Array, brain: BoolArray, method: str, *, where: str = "the image") -> Float32Array:
    """Scale the intensities x of an image: (X, Y, Z) within `brain`: (X, Y, Z); the background is exactly 0.

    - `robust`: (x - median) / (1.4826 MAD), median and median absolute deviation of the brain; cut to [-1, 5].
    - `percentile`: (x - p1) / (p99 - p1), cut to [0, 1]; percentiles of the brain.
    - `minmax`: (x - min) / (max - min) of the brain.
    - `max`: x / max of the image (Eitel 2019's code; the paper says min-max).

    Raises
    ------
    InputError
        `method` is none of these, or the brain is empty or has no spread; `where` names the image in the message.
    """
    if method not in SCALINGS:
        raise InputError(method, "is not an intensity scaling", f"Choose one of {', '.join(SCALINGS)}")
    x = unscaled[brain].astype(np.float64)
    if x.size == 0:
        raise InputError(where, "no brain was found in it", "Check that it shows a brain in MNI space")
    # deviates: the paper's code has `max` alone; `robust` is what studies do by default.
    if method == "robust":
        offset = float(np.median(x))
        spread = MAD_TO_SD * float(np.median(np.abs(x - offset)))
    elif method == "percentile":
        offset, top = (float(p) for p in np.percentile(x, (1.0, 99.0)))
        spread = top - offset
    elif method == "minmax":
        offset, spread = float(x.min()), float(x.max() - x.min())
    else:
        offset, spread = 0.0, float(x.max())
    if not spread > 0.0:
        what = f"the brain has no spread of intensities, so it cannot be scaled by '{method}'"
        raise InputError(where, what, "Check that it is a scan and not a mask or a label map")
    scaled = (x - offset) / spread
    if method == "percentile":
        scaled = scaled.clip(0.0, 1.0)
    elif method == "robust":
        scaled = scaled.clip(*ROBUST_RANGE)
    out = np.zeros(unscaled.shape, dtype=np.float32)
    out[brain] = scaled
    return out
