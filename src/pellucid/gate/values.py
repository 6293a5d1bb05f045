"""The values of an image: whether they are those of a scan, of a mask, of a map of labels or of probabilities."""

from __future__ import annotations

import numpy as np

from pellucid.gate import bounds
from pellucid.gate.finding import EXPORT, Finding
from pellucid.ground.arrays import BoolArray, Float32Array

_ROUNDING = 1e-6


def equal_share(data: Float32Array, brain: BoolArray) -> float:
    """Return the share of pairs of neighbouring voxels (faces touch) within `brain` that have exactly one value.

    `data` and `brain` are (X, Y, Z). Noise keeps it small in a scan, however few its bits.
    """
    pairs = equal = 0
    for axis in range(3):
        ahead, behind = np.moveaxis(data, axis, 0)[1:], np.moveaxis(data, axis, 0)[:-1]
        both = np.moveaxis(brain, axis, 0)[1:] & np.moveaxis(brain, axis, 0)[:-1]
        pairs += int(np.count_nonzero(both))
        equal += int(np.count_nonzero(both & (ahead == behind)))
    return equal / pairs if pairs else 1.0


def judge_values(data: Float32Array, brain: BoolArray) -> list[Finding]:
    """Judge the values of an image (X, Y, Z) within its brain."""
    values = data[brain]
    share = equal_share(data, brain)
    low, high = float(values.min()), float(values.max())
    probable = low >= 0.0 and high <= 1.0 + _ROUNDING
    if share > bounds.EQUAL_LABELS or (share > bounds.EQUAL_PROBABILITY and probable):
        what = "a map of a tissue's probability" if probable and high > low else "a mask or a label map"
        seen = f"it is {what}, not a scan: {100 * share:.0f} % of neighbouring voxels have exactly one value"
        return [Finding("values", seen, True, "Give the scan itself, not what was made of it")]
    usual = float(np.percentile(values, 99.0))
    if high > bounds.SPIKE * usual:
        seen = f"a voxel of {high:.3g} is {high / usual:.3g} times as bright as 99 % of its brain"
        return [Finding("values", seen, False, EXPORT)]
    return []
