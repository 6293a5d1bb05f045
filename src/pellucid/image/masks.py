"""Masks: where one lies, and the largest of its parts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from pellucid.ground.arrays import BoolArray
from pellucid.image.grid import Box


def bounding_box(mask: BoolArray, margin: Sequence[int] = (0, 0, 0)) -> Box:
    """Return the smallest box that holds a mask (X, Y, Z), `margin` voxels wider on each side where the image goes on.

    >>> bounding_box(np.arange(8).reshape(2, 2, 2) > 5, margin=(1, 0, 0))
    (slice(0, 2, None), slice(1, 2, None), slice(0, 2, None))

    Raises
    ------
    ValueError
        The mask is empty.
    """
    found = ndimage.find_objects(mask.view(np.uint8))
    if not found:
        raise ValueError("an empty mask has no box")
    i, j, k = (
        slice(max(span.start - more, 0), min(span.stop + more, n))
        for span, more, n in zip(found[0], margin, mask.shape, strict=True)
    )
    return i, j, k


def largest_part(mask: BoolArray) -> BoolArray:
    """Return the largest connected part of a mask (faces touch), the first of several as large; of none, nothing."""
    parts, n = ndimage.label(mask)
    if n == 0:
        return mask
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return np.asarray(parts == sizes.argmax())
