"""What tests of the gate share: a FLAIR made of the template's tissues, whole, with noise, at 4 mm."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from pellucid.atlas.template import mni_brain_mask
from pellucid.atlas.tissue_priors import tissue_priors
from pellucid.gate.look import Look, look
from pellucid.image.grid import MNI_1MM, Grid, resized
from pellucid.image.prepare import find_brain

GRID = resized(MNI_1MM, (46, 55, 46))
LEVELS = {"FLAIR": (40.0, 115.0, 100.0), "T1w": (30.0, 75.0, 100.0), "T2w": (150.0, 90.0, 70.0)}


@dataclass(frozen=True)
class Made:
    """An image that can be changed and looked at."""

    data: np.ndarray
    grid: Grid

    def but(self, data: np.ndarray | None = None, grid: Grid | None = None) -> Made:
        changed = self.data if data is None else np.ascontiguousarray(data, dtype=np.float32)
        return replace(self, data=changed, grid=grid or self.grid)

    @property
    def brain(self) -> np.ndarray:
        return find_brain(self.data)

    def look(self, modality: str = "FLAIR") -> Look:
        return look(self.data, self.brain, self.grid, modality=modality)

    def kinds(self, modality: str = "FLAIR") -> dict[str, bool]:
        """Return the kinds of findings, and whether they refuse."""
        return {finding.kind: finding.refused for finding in self.look(modality).findings}


def make(modality: str) -> Made:
    noise = np.random.default_rng(0).normal(0.0, 5.0, GRID.shape)
    image = sum(level * prior for level, prior in zip(LEVELS[modality], tissue_priors(GRID), strict=True))
    return Made(np.where(mni_brain_mask(GRID), image + noise, 0.0).clip(0.0).astype(np.float32), GRID)


@pytest.fixture(scope="session")
def flair() -> Made:
    return make("FLAIR")


@pytest.fixture(scope="session")
def t1w() -> Made:
    return make("T1w")


@pytest.fixture(scope="session")
def t2w() -> Made:
    return make("T2w")
