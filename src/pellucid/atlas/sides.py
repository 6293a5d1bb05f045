"""Whether left and right are where the names of the labels say: +x is right, as in every MNI space."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from pellucid.ground.arrays import Float64Array, Int32Array
from pellucid.image.grid import Grid

_PREFIX = re.compile(r"(right|left|r|l)[ _-]", re.IGNORECASE)
_SUFFIX = re.compile(r".*[ _-]\(?(right|left|r|l)\)?", re.IGNORECASE)


def side(name: str) -> int:
    """Return the side that a label's name begins or ends with: 1 for right, -1 for left, 0 for neither.

    >>> [side(name) for name in ("Right Thalamus", "Tapetum L", "Brain stem", "R_Fornix", "Lingual gyrus")]
    [1, -1, 0, 1, 0]
    """
    match = _PREFIX.match(name) or _SUFFIX.fullmatch(name.strip())
    return 0 if match is None else 1 if match[1][0] in "rR" else -1


def centres(labels: Int32Array, grid: Grid) -> dict[int, Float64Array]:
    """Return the centre of mass (x, y, z) in millimetres of every label of a map (X, Y, Z) but 0."""
    voxels = np.nonzero(labels)
    found, which = np.unique(labels[voxels], return_inverse=True)
    size = np.bincount(which)
    mean = np.stack([np.bincount(which, weights=axis) / size for axis in voxels], axis=-1)
    return dict(zip(found.tolist(), grid.world(mean), strict=True))


def sided_labels(labels: Int32Array, grid: Grid, regions: pd.DataFrame) -> tuple[list[str], list[tuple[str, float]]]:
    """Return the labels of the map that are named right or left, and of those the ones that lie on the other side.

    The second list holds name and x in millimetres of each label whose centre of mass has the sign that its name
    denies.
    """
    x = {index: float(centre[0]) for index, centre in centres(labels, grid).items()}
    named = [
        (str(name), side(str(name)), x[index])
        for index, name in zip(regions["index"], regions["name"], strict=True)
        if index in x and side(str(name))
    ]
    return [name for name, _, _ in named], [(name, at) for name, sign, at in named if sign * at < 0]
