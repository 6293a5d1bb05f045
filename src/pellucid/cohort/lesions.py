"""Lesion masks on a network's grid: which voxels count as lesion, and what is odd about a mask."""

from __future__ import annotations

import numpy as np

from pellucid.ground.arrays import BoolArray
from pellucid.image.grid import Grid
from pellucid.image.nifti import Mask
from pellucid.image.resample import resample_mask

_KEPT = (0.5, 2.0)  # shares of a mask's volume beyond which it is another mask; a coarse grid rounds small ones


def lesions_on(mask: Mask, grid: Grid) -> BoolArray:
    """Bring a lesion mask to a network's `grid`, keeping its volume, as `resample_mask` does linearly."""
    return resample_mask(mask.data, mask.grid, grid, how="linear")


def lesion_remarks(mask: Mask, found: BoolArray, grid: Grid) -> list[str]:
    """Say what is odd about a mask's file, and whether `found`, it on `grid`, has another volume than was drawn."""
    said = list(mask.remarks)
    drawn = float(np.count_nonzero(mask.data)) * mask.grid.voxel_volume_ml
    kept = float(np.count_nonzero(found)) * grid.voxel_volume_ml
    if drawn and not _KEPT[0] <= kept / drawn <= _KEPT[1]:
        left = f"{kept:.3g} ml" if kept else "nothing"
        said.append(f"of its {drawn:.3g} ml of lesions {left} is left on the network's grid")
    return [f"lesion mask: {one}" for one in said]
