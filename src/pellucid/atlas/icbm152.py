"""The ICBM152 2009a symmetric average brain, from nilearn's wheel: grey matter, white matter, T1w, brain."""

from __future__ import annotations

from functools import cache
from typing import Literal

import numpy as np

from pellucid.atlas.places import wheel_file
from pellucid.ground.arrays import BoolArray, Float32Array
from pellucid.image.grid import Grid
from pellucid.image.nifti import read_volume

Map = Literal["gm", "wm", "t1"]
_BRAIN = 0.2


@cache
def icbm152(name: Map) -> tuple[Float32Array, Grid]:
    """Return a map of the average and its 1 mm grid: grey matter, white matter or T1w, from 0 to 1 (its maximum).

    The values are those of `nilearn.datasets.load_mni152_gm_template` and its like. Its wheel's files are read without
    nilearn, whose import takes longer (1.6 s of CPU) than all that is done with them, in each worker process.

    References
    ----------
    Fonov et al. 2011, "Unbiased average age-appropriate atlases for pediatric studies", NeuroImage 54.
    """
    path = wheel_file(
        f"mni_icbm152_{name}_tal_nlin_sym_09a_converted.nii.gz", package="nilearn", folder="datasets/data"
    )
    volume = read_volume(path)
    data = volume.data / volume.data.max()
    data.setflags(write=False)  # one array for all who ask
    return data, volume.grid


def icbm152_brain() -> tuple[BoolArray, Grid]:
    """Return the brain of the average and its 1 mm grid: where the T1w map is above 0.2 of its maximum."""
    data, grid = icbm152("t1")
    return data > np.float32(_BRAIN), grid
