"""A small BIDS dataset of made-up brains: the template's tissues as FLAIR shows them, with noise, at 4 mm."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pellucid.atlas.template import mni_brain_mask
from pellucid.atlas.tissue_priors import tissue_priors
from pellucid.ground.files import write_tsv
from pellucid.image.grid import MNI_1MM, Grid, resized
from pellucid.image.nifti import write_volume

NATIVE = resized(MNI_1MM, (46, 55, 46))
SMALL = resized(MNI_1MM, (24, 28, 24))


@pytest.fixture(scope="session")
def small() -> Grid:
    """A grid to prepare scans on, quickly."""
    return SMALL


@cache
def tissues(suffix: str) -> tuple[np.ndarray, np.ndarray]:
    """The MNI brain, and what it looks like without noise."""
    fluid, grey, white = tissue_priors(NATIVE)
    return mni_brain_mask(NATIVE), 40.0 * fluid + (75.0 if suffix == "T1w" else 115.0) * grey + 100.0 * white


def phantom(seed: int, suffix: str) -> np.ndarray:
    brain, image = tissues(suffix)
    noise = np.random.default_rng(seed).normal(0.0, 6.0, NATIVE.shape)
    return np.where(brain, image + noise, 0.0).astype(np.float32)


def lesion(seed: int) -> np.ndarray:
    mask = np.zeros(NATIVE.shape, dtype=bool)
    mask[20:24, 20 + seed % 4 : 25, 22:26] = True
    return mask


@pytest.fixture(scope="session")
def write_scan() -> Callable[..., Path]:
    """Write one scan, and its lesion mask if asked; return the scan's path."""

    def write(
        root: Path, subject: str, *, session: str = "", suffix: str = "FLAIR", seed: int, mask: bool = False
    ) -> Path:
        place = Path(subject, session, "anat") if session else Path(subject, "anat")
        stem = f"{subject}_{session}" if session else subject
        path = root / place / f"{stem}_{suffix}.nii.gz"
        write_volume(path, phantom(seed, suffix), NATIVE, np.float32)
        if mask:
            drawn = root / "derivatives" / "lesions" / place / f"{stem}_space-MNI152NLin6Asym_label-lesion_mask.nii.gz"
            write_volume(drawn, lesion(seed), NATIVE, np.uint8)
        return path

    return write


@pytest.fixture
def dataset(tmp_path: Path, write_scan: Callable[..., Path]) -> Path:
    """Six participants, three of each group; patients have lesion masks, but for the last."""
    root = tmp_path / "bids"
    subjects = [f"sub-{n:02d}" for n in range(6)]
    for seed, subject in enumerate(subjects):
        write_scan(root, subject, seed=seed, mask=seed in (0, 2))
    people = pd.DataFrame(
        {
            "participant_id": subjects,
            "group": ["MS", "HC"] * 3,
            "age": [31.0, 42.5, None, 55.0, 28.0, 61.0],
            "sex": ["F", "M"] * 3,
            "edss": [2.5, None, 4.0, None, 1.0, None],
        }
    )
    write_tsv(root / "participants.tsv", people)
    return root
