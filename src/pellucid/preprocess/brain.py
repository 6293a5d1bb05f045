"""Brain extraction: which voxels of a head are brain, and whether somebody has taken the rest away before."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from scipy import ndimage
from torch.nn import functional

from pellucid.ground.arrays import BoolArray
from pellucid.ground.errors import InputError
from pellucid.image.grid import Box, Grid
from pellucid.image.masks import largest_part
from pellucid.image.nifti import Volume
from pellucid.image.prepare import find_brain
from pellucid.image.resample import resample

SkullStrip = Literal["auto", "force", "skip"]
SKULL_STRIP: tuple[SkullStrip, ...] = get_args(SkullStrip)

_load: Any = torch.jit.load  # untyped

# deviates: FSL's BET in the paper.
_COARSE, _FINE = (128, 128, 128), (256, 256, 256)  # the voxels of the networks' inputs
_MARGIN = 0.1  # of the coarse brain's extent, on each side
_MEAN, _SD = 0.449, 0.226  # of the intensities that the networks were trained on
_SMALLEST_ML, _LARGEST_ML = 400.0, 2600.0  # a newborn has 400 ml; the largest adult brains with their fluid 2200 ml
_FAR_MM = 6.0  # from the network's brain: a stripped scan's own rim stays within
_SKULL_SHARE = 0.03  # of the foreground: what may lie farther out in a scan without its skull
_BACKGROUND = 0.02  # of the 99th percentile


@dataclass(frozen=True, slots=True)
class Brain:
    """The brain of a scan: `mask` (X, Y, Z) on its grid, and whether the scan came `stripped` of its skull."""

    mask: BoolArray
    stripped: bool


def extract_brain(volume: Volume, mode: SkullStrip = "auto") -> Brain:
    """Find the brain of a T1w or FLAIR scan of any orientation and voxel size.

    - `force`: the network's brain.
    - `skip`: the scan's foreground (`find_brain`); its skull is off, and who says so is believed.
    - `auto`: the network's brain, unless next to nothing of the foreground (3 %) lies more than 6 mm outside of it;
      then the scan has no skull, and its own foreground is the brain.

    Raises
    ------
    InputError
        No brain was found, or one of less than 400 or more than 2600 ml.

    Notes
    -----
    The networks are deepbet's (Fisch et al. 2024, "deepbet: Fast brain extraction of T1-weighted MRI using
    convolutional neural networks", Comput Biol Med 179:108845; MIT): a 3D U-Net finds the brain among 128³ voxels of
    the scan, another one cuts it out among 256³ of its surroundings. Only the package's weights are used, by path: its
    code imports LGPL libraries for what scipy does here. Trained on T1w scans, they cut FLAIRs as well (Dice 0.94 to
    0.98 with the T1w's brain on four raw pairs).
    """
    where = str(volume.path or "the image")
    if mode not in SKULL_STRIP:
        raise InputError("--skull-strip", f"is {mode!r}", f"Give one of {', '.join(SKULL_STRIP)}")
    if mode == "skip":
        return Brain(check_size(find_brain(volume.data, where=where), volume.grid, where), stripped=True)
    network = check_size(_network_brain(volume, where), volume.grid, where)
    if mode == "auto" and skull_share(volume, network) < _SKULL_SHARE:
        return Brain(check_size(find_brain(volume.data, where=where), volume.grid, where), stripped=True)
    return Brain(network, stripped=False)


def skull_share(volume: Volume, brain: BoolArray) -> float:
    """Return the share of a scan's foreground that lies more than 6 mm outside of `brain`: (X, Y, Z), in [0, 1].

    Foreground is what exceeds 2 % of the 99th percentile of the brain.
    """
    foreground = volume.data > _BACKGROUND * float(np.percentile(volume.data[brain], 99.0))
    distance = ndimage.distance_transform_edt(~brain, sampling=volume.grid.voxel_sizes)
    outside = int(np.count_nonzero(foreground & (distance > _FAR_MM)))
    return outside / max(int(np.count_nonzero(foreground)), 1)


def check_size(brain: BoolArray, grid: Grid, where: str) -> BoolArray:
    """Return `brain`: (X, Y, Z) on `grid`, or raise InputError where it is too small or too large for one."""
    volume_ml = float(np.count_nonzero(brain)) * grid.voxel_volume_ml
    if not _SMALLEST_ML <= volume_ml <= _LARGEST_ML:
        what = f"the brain that was found has {volume_ml:.0f} ml; brains have {_SMALLEST_ML:.0f} to 2200 ml"
        raise InputError(
            where,
            what,
            "Check the scan: is it a whole head, and is its affine in millimetres? See also --skull-strip",
        )
    return brain


def _network_brain(volume: Volume, where: str) -> BoolArray:
    """Return the networks' brain on the grid of `volume`."""
    # Voxels of 1 mm along the world's axes, whatever the scan's are: what the networks were trained on.
    world = _millimetre_grid(volume.grid)
    scan = torch.from_numpy(resample(volume.data, volume.grid, world))
    with torch.inference_mode():
        coarse = _resized(scan, _COARSE)
        low, high = (float(v) for v in np.quantile(coarse.numpy(), (0.005, 0.995)))
        if not high > low:
            raise InputError(where, "the image has no contrast", "Check that it is a scan")
        found = largest_part((_network("bbox_model")(_normal(coarse, low, high)[None, None])[0, 1] > 0.5).numpy())
        if found.mean() < 0.005:
            raise InputError(where, "no brain was found in it", "Check that it is a scan of a head, with its brain")
        box = _widened(found, world.shape)
        part = scan[box]
        inside = _network("model")(_normal(_resized(part, _FINE), low, high)[None, None])[0, 1]
        inside = functional.interpolate(inside[None, None], part.shape, mode="trilinear", align_corners=False)[0, 0]
    probability = np.zeros(world.shape, dtype=np.float32)
    probability[box] = inside.numpy()
    brain = ndimage.binary_fill_holes(largest_part(probability > 0.5))
    return resample(np.where(brain, probability.clip(0.5, 1.0), probability.clip(0.0, 0.5)), world, volume.grid) > 0.5


def _millimetre_grid(grid: Grid) -> Grid:
    """Return the grid of 1 mm voxels, right-anterior-superior, that holds all of `grid`."""
    corners = grid.world(np.array(np.meshgrid(*[(0, n - 1) for n in grid.shape], indexing="ij")).reshape(3, -1).T)
    low, high = np.floor(corners.min(axis=0)), np.ceil(corners.max(axis=0))
    affine = np.eye(4)
    affine[:3, 3] = low
    return Grid.of(tuple(int(n) for n in high - low + 1), affine)


def _resized(scan: torch.Tensor, shape: tuple[int, int, int]) -> torch.Tensor:
    return functional.interpolate(scan[None, None], shape, mode="nearest-exact")[0, 0]


def _normal(scan: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """Scale intensities as the networks expect them."""
    scan = ((scan - low) / (high - low)).clamp(0.0, 1.0)
    return (scan - scan.mean()) / scan.std() * _SD + _MEAN


def _widened(found: BoolArray, shape: tuple[int, ...]) -> Box:
    """Return the box, among `shape` voxels, around the coarse brain, a tenth of its extent wider on each side."""
    slices: list[slice] = []
    for axis, n in enumerate(shape):
        share = found.mean(axis=tuple(a for a in range(3) if a != axis))
        inside = np.flatnonzero(share > min(0.02, 0.5 * float(share.max())))
        scale = n / found.shape[axis]
        start, stop = inside[0] * scale, (inside[-1] + 1) * scale
        margin = _MARGIN * (stop - start)
        slices.append(slice(max(0, round(start - margin)), min(n, round(stop + margin))))
    return slices[0], slices[1], slices[2]


@cache
def _network(name: str) -> Any:
    """Return one of deepbet's networks, on the CPU."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # TorchScript's retirement is theirs to see to
        return _load(str(weights(name)), map_location="cpu").eval()


def weights(name: str) -> Path:
    """Return the file of a network's weights, in the deepbet package.

    Raises
    ------
    InputError
        The package is not installed or lacks the file.
    """
    try:
        path = Path(str(distribution("deepbet").locate_file(f"data/models/{name}.pt")))
    except PackageNotFoundError:
        what, fix = "the package is not installed, and it holds the network for brain extraction", "pip install deepbet"
        raise InputError("deepbet", what, f"Run `{fix}`, or strip the skulls and give --skull-strip skip") from None
    if not path.is_file():
        raise InputError(path, "the deepbet package lacks this file", "Run `pip install --force-reinstall deepbet`")
    return path
