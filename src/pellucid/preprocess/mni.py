"""A visit in MNI space: where its scans go by one interpolation each, and what comes of them there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid.ground.arrays import BoolArray, Float32Array
from pellucid.ground.errors import InputError
from pellucid.image.grid import MNI_1MM, Affine
from pellucid.image.resample import resample
from pellucid.preprocess.chain import Chain
from pellucid.preprocess.filling import Filled
from pellucid.preprocess.itk import moved
from pellucid.preprocess.native import Scan, carried
from pellucid.preprocess.tissue import Tissue


@dataclass(slots=True)
class InMni:
    """A visit in MNI space, all (X, Y, Z) on the template's 1 mm grid; None where there is no such thing.

    `scale` is the volume in MNI space over the native one.
    """

    brain: BoolArray
    scale: float
    t1w: Float32Array | None = None
    flair: Float32Array | None = None
    lesions: BoolArray | None = None
    tissue: Tissue | None = None
    filled: Filled | None = None


def to_mni(chain: Chain, t1w: Scan | None, t1w_to_mni: Affine, flair: Scan | None, flair_to_mni: Affine) -> InMni:
    """Bring the scans to MNI space and write them, 0 outside the brain."""
    first, matrix = (t1w, t1w_to_mni) if t1w is not None else (flair, flair_to_mni)
    assert first is not None
    space = InMni(carried(first.brain, first.grid, matrix, MNI_1MM), 1.0 / abs(float(np.linalg.det(matrix[:3, :3]))))
    if not space.brain.any():
        raise InputError("registration", "no part of the brain is in MNI space", "Check the scan's orientation")
    chain.outputs.write("brain_mni", space.brain, MNI_1MM, sources=chain.raw("t1w", "flair"), Type="Brain")
    if t1w is not None:
        space.t1w = warped(t1w, t1w_to_mni, space.brain)
        chain.outputs.write("t1w_mni", space.t1w, MNI_1MM, sources=chain.raw("t1w"), SkullStripped=True)
    if flair is not None:
        space.flair = warped(flair, flair_to_mni, space.brain)
        chain.measures["cut_off"] = float(1.0 - np.count_nonzero(space.flair[space.brain]) / space.brain.sum())
        chain.outputs.write("flair_mni", space.flair, MNI_1MM, sources=chain.raw("flair"), SkullStripped=True)
    return space


def warped(scan: Scan, matrix: Affine, brain: BoolArray) -> Float32Array:
    """Return a scan in MNI space, 0 outside `brain` and outside its field of view, nowhere negative.

    A scan without a skull is divided by the share of brain in each voxel, as `prepare` does: its rim is not dimmed.
    """
    grid = moved(scan.grid, matrix)
    if not scan.stripped:
        return np.where(brain, resample(scan.data, grid, MNI_1MM).clip(min=0.0), np.float32(0.0))
    covered = resample(scan.brain, grid, MNI_1MM)
    values = resample(np.where(scan.brain, scan.data, np.float32(0.0)), grid, MNI_1MM).clip(min=0.0)
    out = np.zeros(MNI_1MM.shape, dtype=np.float32)
    np.divide(values, covered, out=out, where=brain & (covered >= 0.5))
    return out
