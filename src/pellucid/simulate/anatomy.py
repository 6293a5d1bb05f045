"""The average brain that every simulated subject is a warp of: tissues, structures, and where lesions like to grow.

Tissue probabilities are the MNI ICBM152 2009a maps in nilearn's wheel; structures come from the Neuromorphometrics
atlas. Both are brought by their affines to a grid of the wanted spacing over FSL's MNI152 field of view.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import ndimage

from pellucid.atlas.find import find_atlas
from pellucid.atlas.icbm152 import icbm152, icbm152_brain
from pellucid.ground.arrays import BoolArray, Float32Array, Int16Array
from pellucid.image.grid import MNI_1MM, Grid, resized
from pellucid.image.resample import resample

_LABELS = {
    "lateral ventricles": (51, 52),
    "thalamus": (59, 60),
    "basal ganglia": (23, 30, 36, 37, 55, 56, 57, 58),
    "hippocampus and amygdala": (31, 32, 47, 48),
    "brain stem": (35, 61, 62),  # and the cerebral peduncles, which the atlas calls ventral diencephalon
    "cerebellum": (38, 39, 40, 41, 71, 72, 73),
}
"""Label numbers of the Neuromorphometrics atlas."""

_CLASSES = ("periventricular", "callosal", "juxtacortical", "deep", "infratentorial")
LESION_CLASSES: tuple[str, ...] = _CLASSES
"""Where lesions grow, in the terms of the McDonald criteria, callosal ones apart."""


@dataclass(frozen=True)
class Anatomy:
    """Maps on one grid, each (I, J, K): probabilities and weights from 0 to 1.

    `grid` is the box of `full` that any subject's brain fits in, from voxel `corner` on; images are written on `full`.
    `lesion_prior` maps a lesion class to its density of lesion centres, summing to 1 over the box.
    """

    full: Grid
    corner: tuple[int, int, int]
    grid: Grid
    grey: Float32Array
    white: Float32Array
    brain: Float32Array
    ventricles: Float32Array
    deep_grey: Float32Array
    thalamus: Float32Array
    hippocampus: Float32Array
    callosum: Float32Array
    caps: Float32Array
    labels: Int16Array
    """Neuromorphometrics, 0 where it has none."""
    regions: pd.DataFrame
    lesion_prior: dict[str, Float32Array]


def simulation_grid(voxel_size: float) -> Grid:
    """Return FSL's MNI152 field of view at a spacing of `voxel_size` mm (exactly that, to a voxel's rounding)."""
    shape = tuple(round((n - 1) / voxel_size) + 1 for n in MNI_1MM.shape)
    return resized(MNI_1MM, (shape[0], shape[1], shape[2]))


_BOX_MM = ((-82.0, 82.0), (-120.0, 84.0), (-78.0, 90.0))  # the average brain and a centimetre around it, x, y, z


def _box(full: Grid) -> tuple[tuple[int, int, int], Grid]:
    """Return the corner and the grid of the box within `full` that holds any simulated brain."""
    ends = np.sort(full.voxel(np.array(_BOX_MM).T), axis=0)
    low = np.clip(np.floor(ends[0]), 0, None).astype(int)
    high = np.minimum(np.ceil(ends[1]).astype(int) + 1, full.shape)
    affine = full.affine
    affine[:3, 3] = full.world(low)
    i, j, k = low.tolist()
    return (i, j, k), Grid.of(tuple(high - low), affine)


def _smooth(values: npt.NDArray[np.generic], grid: Grid, millimetres: float) -> Float32Array:
    """Blur with a Gaussian of standard deviation `millimetres`."""
    sigma = [millimetres / size for size in grid.voxel_sizes]
    return np.asarray(ndimage.gaussian_filter(values.astype(np.float32), sigma), dtype=np.float32)


def _distance(mask: BoolArray, grid: Grid) -> Float32Array:
    """Return the distance in mm of each voxel to the nearest voxel of `mask` (0 within)."""
    return np.asarray(ndimage.distance_transform_edt(~mask, sampling=grid.voxel_sizes), dtype=np.float32)


def _density(weight: Float32Array) -> Float32Array:
    """Scale a weight so that it sums to 1."""
    return np.asarray(weight / weight.sum(dtype=np.float64), dtype=np.float32)


@lru_cache(maxsize=2)
def load_anatomy(voxel_size: float) -> Anatomy:
    """Load the average brain at a spacing of `voxel_size` mm."""
    full = simulation_grid(voxel_size)
    corner, grid = _box(full)

    def tissue(data: npt.NDArray[np.generic], source: Grid) -> Float32Array:
        return np.clip(resample(data.astype(np.float32), source, grid), 0.0, 1.0)

    grey, white, brain = tissue(*icbm152("gm")), tissue(*icbm152("wm")), tissue(*icbm152_brain())

    atlas = find_atlas("neuromorphometrics").on(grid)

    def structure(name: str) -> BoolArray:
        return np.isin(atlas.labels, _LABELS[name])

    ventricles = structure("lateral ventricles") & (white + grey < 0.5)
    thalamus = structure("thalamus")
    deep_grey = thalamus | structure("basal ganglia")
    hippocampus = structure("hippocampus and amygdala")
    hindbrain = structure("brain stem") | structure("cerebellum")
    # The maps call the brain stem half grey; on FLAIR it is as bright as white matter, and has lesions as white matter.
    stem = structure("brain stem")
    white, grey = np.where(stem, white + grey, white), np.where(stem, 0.0, grey).astype(np.float32)

    i, j, k = np.meshgrid(*[np.arange(n) for n in grid.shape], indexing="ij", sparse=True)
    a = grid.affine
    x, y, z = (a[0, 0] * i + a[0, 3], a[1, 1] * j + a[1, 3], a[2, 2] * k + a[2, 3])
    # The corpus callosum is the white matter on the midline above the midbrain; the atlas has no label for it.
    callosum = (white > 0.5) & (np.abs(x) < 12.0) & (y > -46.0) & (y < 36.0) & (z > 0.0) & (z < 36.0) & ~deep_grey

    to_ventricle = _distance(ventricles, grid)
    to_cortex = _distance((grey > 0.5) & ~deep_grey, grid)
    # Around the tips of the frontal horns, in front of the foramina.
    caps = np.exp(-0.5 * (to_ventricle / 3.0) ** 2) * _smooth((y > 22.0) & np.ones(grid.shape, bool), grid, 3.0)
    caps = (caps * white / (caps * white).max()).astype(np.float32)

    hemispheres = white * ~hindbrain
    posterior = 1.0 / (1.0 + np.exp((y + 12.0) / 7.0))  # 1 behind, 0 before the middle of the ventricles' bodies
    infratentorial = structure("cerebellum") * white + 2.0 * structure("brain stem")
    prior = {
        "periventricular": hemispheres * np.exp(-0.5 * (to_ventricle / 4.0) ** 2) * (0.15 + posterior),
        "callosal": callosum * white * (0.3 + posterior),
        "juxtacortical": hemispheres * np.exp(-0.5 * (to_cortex / 2.0) ** 2) * (to_ventricle > 12.0) * (white > 0.6),
        "deep": hemispheres * (to_ventricle > 6.0) * (to_cortex > 3.0),
        "infratentorial": infratentorial,
    }
    return Anatomy(
        full=full,
        corner=corner,
        grid=grid,
        grey=grey,
        white=white,
        brain=brain,
        ventricles=_smooth(ventricles, grid, 0.7),
        deep_grey=_smooth(deep_grey, grid, 0.7),
        thalamus=thalamus.astype(np.float32),
        hippocampus=hippocampus.astype(np.float32),
        callosum=callosum.astype(np.float32),
        caps=caps,
        labels=atlas.labels.astype(np.int16),
        regions=atlas.regions,
        lesion_prior={name: _density(prior[name].astype(np.float32)) for name in _CLASSES},
    )
