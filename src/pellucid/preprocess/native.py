"""A scan on its own grid: read and checked, its brain found, its surroundings cropped, its bias field taken out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pellucid.gate.shape import edges, judge_voxels
from pellucid.ground.arrays import BoolArray, Float32Array
from pellucid.image.grid import Affine, Grid
from pellucid.image.masks import bounding_box
from pellucid.image.nifti import Volume, read_mask, read_volume
from pellucid.image.resample import resample, resample_mask
from pellucid.preprocess.bias import correct_bias
from pellucid.preprocess.brain import Brain, check_size, extract_brain
from pellucid.preprocess.chain import Chain
from pellucid.preprocess.itk import moved
from pellucid.preprocess.registration import Side

_CROP_MARGIN_MM = 20.0  # around the brain: holds the skull and leaves the neck
_EDGE_CM2 = 10.0  # of brain on an outermost slice: it goes on beyond the field of view


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan, `data` and `brain` (X, Y, Z) on `grid`; `stripped` says that it came without a skull."""

    data: Float32Array
    brain: BoolArray
    grid: Grid
    stripped: bool

    @property
    def side(self) -> Side:
        """The scan as one of the images of a registration."""
        return Side(self.data, self.brain, self.grid)


def read_scan(chain: Chain, role: str, path: Path) -> Volume:
    """Read a scan; remark on what its header and voxels leave to wish for.

    Raises
    ------
    InputError
        The file cannot be used, or does not say what is left and right.
    """
    volume = read_volume(path)
    chain.warnings += [f"{path.name}: {remark}" for remark in volume.remarks]
    chain.warnings += [f"{path.name}: {finding.seen}" for finding in judge_voxels(volume.grid)]
    return volume


def find_own_brain(chain: Chain, role: str, volume: Volume) -> Brain:
    """Return a scan's brain: the user's mask, or what `extract_brain` finds."""
    given = chain.given(f"{role}_brain")
    if given:
        with chain.taken("brain extraction", given, of=role):
            mask = read_mask(given)  # perhaps on a cropped grid, as this program's own are
            inside = check_size(resample_mask(mask.data, mask.grid, volume.grid), volume.grid, str(given))
            return Brain(inside, stripped=False)
    with chain.step("brain extraction", f"deepbet, --skull-strip {chain.settings.skull_strip}", of=role):
        brain = extract_brain(volume, chain.settings.skull_strip)
    if brain.stripped and chain.settings.skull_strip == "auto":
        chain.warnings.append(f"{role}: came without a skull; its foreground was taken for the brain")
    return brain


def correct(chain: Chain, role: str, volume: Volume, brain: Brain) -> Scan:
    """Crop a scan around its brain, take out its bias field, and write it with its brain.

    What `brain` holds is on the scan's whole grid.
    """
    data, mask, grid = volume.data, brain.mask, volume.grid
    _remark_on_edges(chain, role, mask, grid)
    if chain.does("crop"):
        with chain.step("crop", f"{_CROP_MARGIN_MM:.0f} mm around the brain", of=role):
            box = bounding_box(mask, grid.reach(_CROP_MARGIN_MM))
            data, mask, grid = np.ascontiguousarray(data[box]), np.ascontiguousarray(mask[box]), grid.cropped(box)
    if chain.does("bias"):
        with chain.step("bias field", "N4, niimath", of=role):
            data, _ = correct_bias(data, mask, grid, threads=chain.threads)
    sources = chain.raw(role)
    with chain.step("writing", "NIfTI", of=role):
        chain.outputs.write(role, data, grid, sources=sources, SkullStripped=brain.stripped)
        reference = chain.derived(role)[0]
        chain.outputs.write(f"{role}_brain", mask, grid, sources=sources, Type="Brain", SpatialReference=reference)
    return Scan(data, mask, grid, brain.stripped)


def carried(brain: BoolArray, grid: Grid, to_brain: Affine, target: Grid) -> BoolArray:
    """Return a brain mask on `grid` as it lies on `target`; `to_brain` takes the target's world to the mask's."""
    return resample(brain, moved(grid, to_brain), target) >= 0.5


def _remark_on_edges(chain: Chain, role: str, brain: BoolArray, grid: Grid) -> None:
    """Remark on each edge of the field of view that the brain goes beyond."""
    chain.warnings += [
        f"{role}: the brain extends beyond the {face.side} of the field of view ({face.area:.0f} cm² of it are cut "
        "there)"
        for face in edges(brain, grid)
        if face.area > _EDGE_CM2
    ]
