"""A small model and two small scans, for tests of what is done with a scan and a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pellucid.atlas.template import mni_brain_mask
from pellucid.atlas.tissue_priors import tissue_priors
from pellucid.ground.arrays import BoolArray
from pellucid.ground.files import write_json
from pellucid.image.grid import MNI_2MM, Grid, resized
from pellucid.image.nifti import write_volume
from pellucid.network.files import save_model
from pellucid.network.info import ModelInfo
from pellucid.network.paper import PaperNetwork

COARSE = resized(MNI_2MM, (46, 55, 46))


def write_arm(folder: Path) -> None:
    """Write an arm with one untrained model of two channels, selected."""
    info = ModelInfo(modality="FLAIR", scaling="robust", classes={0: "HC", 1: "MS"})
    save_model(folder / "trial-00", PaperNetwork(channels=2, seed=1), info)
    write_json(folder / "selected.json", {"trial": "trial-00"})


def write_scans(folder: Path) -> None:
    """Write two scans in MNI space at 4 mm, the second with a bright spot and the lesion mask of it."""
    fluid, grey, white = tissue_priors(COARSE)
    noise = np.random.default_rng(0).normal(0.0, 4.0, COARSE.shape)
    image = np.where(mni_brain_mask(COARSE), 40.0 * fluid + 115.0 * grey + 100.0 * white + noise, 0.0)
    image = image.clip(0.0).astype(np.float32)
    mask = _spot(COARSE)
    write_volume(folder / "images" / "sub-01_FLAIR.nii.gz", image, COARSE)
    write_volume(folder / "images" / "sub-02_FLAIR.nii.gz", np.where(mask, 2 * image.max(), image), COARSE)
    write_volume(folder / "masks" / "sub-02_lesions.nii.gz", mask, COARSE, np.uint8)


def _spot(grid: Grid) -> BoolArray:
    """Return a ball of 10 mm around (30, -50, 20) mm."""
    ijk = np.moveaxis(np.indices(grid.shape), 0, -1)
    return np.linalg.norm(grid.world(ijk) - (30.0, -50.0, 20.0), axis=-1) <= 10.0
