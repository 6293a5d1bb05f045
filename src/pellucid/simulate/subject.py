"""One simulated subject: its shape, tissues, lesions and pictures."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from pellucid.ground.arrays import BoolArray, Float32Array, Int16Array
from pellucid.simulate.anatomy import Anatomy
from pellucid.simulate.contrast import Tissues, fractions
from pellucid.simulate.deformation import (
    Field,
    Warp,
    head_affine,
    lattice_of,
    random_velocity,
    sample,
    toward,
)
from pellucid.simulate.lesions import grow_lesions


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """How a subject differs from the average brain; structures in mm of widening (> 0) or shrinking (< 0)."""

    ventricles_mm: float
    sulci: float
    """Log-odds of fluid against tissue in the folds."""
    callosum_mm: float
    thalamus_mm: float
    hippocampus_mm: float
    lesion_volume_ml: float = 0.0
    lesion_brightness: float = 1.0
    """Mean over scans of the lesions' FLAIR intensity, relative to white matter."""

    def to_json(self) -> dict[str, Any]:
        """Describe the traits as JSON types."""
        return {name: round(value, 4) for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Fields:
    """The velocity fields, of 1 mm at their strongest, that widen each structure."""

    ventricles: Field
    callosum: Field
    thalamus: Field
    hippocampus: Field

    @classmethod
    def of(cls, anatomy: Anatomy) -> Fields:
        """Derive the fields from an anatomy's structures."""
        grid, lattice = anatomy.grid, lattice_of(anatomy.grid)
        return cls(
            ventricles=toward(anatomy.ventricles, grid, lattice, reach_mm=6.0),
            callosum=toward(anatomy.callosum, grid, lattice, reach_mm=3.0),
            thalamus=toward(anatomy.thalamus, grid, lattice, reach_mm=4.0),
            hippocampus=toward(anatomy.hippocampus, grid, lattice, reach_mm=4.0),
        )


def shape_subject(rng: np.random.Generator, anatomy: Anatomy, fields: Fields, traits: Traits) -> tuple[Tissues, Warp]:
    """Warp the average brain into a subject without lesions; the same generator and traits give the same subject."""
    grid, lattice = anatomy.grid, lattice_of(anatomy.grid)
    velocity = (
        random_velocity(rng, lattice)
        + np.float32(traits.ventricles_mm) * fields.ventricles
        + np.float32(traits.callosum_mm) * fields.callosum
        + np.float32(traits.thalamus_mm) * fields.thalamus
        + np.float32(traits.hippocampus_mm) * fields.hippocampus
    )
    warp = Warp.of(velocity, grid, lattice, head_affine(rng, grid))
    average = np.stack(
        [anatomy.brain, anatomy.grey, anatomy.white, anatomy.deep_grey, anatomy.ventricles, anatomy.caps]
    )
    points = warp.points()
    brain, grey, white, deep_grey, ventricles, caps = sample(average, points)
    white_share, grey_share, fluid_share = fractions(rng, grid, brain, grey, white, sulci=traits.sulci)
    return (
        Tissues(
            grid=grid,
            brain=brain,
            white=white_share,
            grey=grey_share,
            fluid=fluid_share,
            deep_grey=deep_grey,
            ventricles=ventricles,
            caps=caps,
            labels=_nearest(anatomy.labels, points),
            regions=anatomy.regions,
            lesions=np.zeros(grid.shape, dtype=bool),
        ),
        warp,
    )


def _nearest(labels: Int16Array, points: Float32Array) -> Int16Array:
    """Look labels (I, J, K) up at voxel coordinates (3, X, Y, Z); beyond the border, the border's."""
    i, j, k = (np.clip(np.rint(p).astype(np.int32), 0, n - 1) for p, n in zip(points, labels.shape, strict=True))
    return np.asarray(labels[i, j, k])


def add_lesions(
    rng: np.random.Generator,
    anatomy: Anatomy,
    tissues: Tissues,
    warp: Warp,
    *,
    traits: Traits,
    shares: dict[str, float],
) -> tuple[Tissues, dict[str, int]]:
    """Grow lesions in the subject's white matter; return the tissues with them and their number per class."""
    allowed: BoolArray = (tissues.white > 0.5 * tissues.brain) & (tissues.brain > 0.5)
    mask, counts = grow_lesions(rng, anatomy, warp, allowed, volume_ml=traits.lesion_volume_ml, shares=shares)
    return replace(tissues, lesions=mask, lesion_brightness=traits.lesion_brightness), counts
