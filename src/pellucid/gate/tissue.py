"""The tissues of an image: whether it shows any, and by which weighting."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import ndimage

from pellucid.atlas.template import mni_brain_mask
from pellucid.atlas.tissue_priors import tissue_priors
from pellucid.gate import bounds
from pellucid.gate.finding import PREPROCESS, Finding
from pellucid.gate.pose import Coarse, Fit, coarsen
from pellucid.ground.arrays import BoolArray, Float32Array, Float64Array
from pellucid.image.grid import Grid
from pellucid.image.prepare import MNI_BRAIN_CENTRE
from pellucid.image.scaling import MAD_TO_SD

_STEP_MM = 3.0
_ROUNDS = 8
_WHOLE = 0.99  # of a voxel


@dataclass(frozen=True, slots=True)
class Tissues:
    """The brightness of fluid, grey and white matter in an image.

    Parameters
    ----------
    fluid, grey
        Over that of white matter.
    share
        Share of the variance of the brightness, in voxels of 4 mm, that the tissues explain, in [0, 1].
    """

    fluid: float
    grey: float
    share: float


def find_tissues(data: Float32Array, grid: Grid, coarse: Coarse, fit: Fit) -> Tissues:
    """Estimate the brightness of three tissues in an image (X, Y, Z) on `grid` that the template was laid on.

    At the template's brain voxels, 3 mm apart, the image y is regressed on the tissue priors p_t:
    y = sum_t b_t p_t + e, by iteratively reweighted least squares with the weights min(1, s / |e|), s the residuals'
    robust deviation, so that lesions and borders count little. The b_t are what voxels of one tissue alone would have.
    How much the tissues explain (R², plain least squares) is asked of the coarse image, in which noise is small.
    Not to be taken for measurements of tissue: `pellucid.preprocess.tissue` makes those.
    """
    values, priors = _sampled(coarse.values, coarse.grid, coarse, fit, step=2)
    if values.size <= priors.shape[1] or not values.std() > 0.0:
        return Tissues(np.nan, np.nan, 0.0)
    left = values - priors @ np.linalg.lstsq(priors.T @ priors, priors.T @ values, rcond=None)[0]
    share = float(1.0 - left.var() / values.var())
    values, priors = _sampled(data, grid, coarse, fit, step=1)
    weights = np.ones_like(values)
    for _ in range(_ROUNDS):
        weighted = priors * weights[:, None]
        level = np.linalg.lstsq(weighted.T @ priors, weighted.T @ values, rcond=None)[0]
        off = np.abs(values - priors @ level)
        spread = max(MAD_TO_SD * float(np.median(off)), float(np.finfo(np.float64).tiny))
        weights = np.minimum(1.0, spread / np.maximum(off, spread))
    fluid, grey, white = (float(value) for value in level)
    if not white > 0.0:
        return Tissues(np.inf, np.inf, share)
    return Tissues(fluid / white, grey / white, share)


def tissues_in_mni(data: Float32Array, brain: BoolArray, grid: Grid) -> Tissues:
    """Return the tissues of an image (X, Y, Z) on `grid` that was registered to the template by 12 parameters."""
    there = Fit(score=1.0, linear=np.eye(3), centre=np.array(MNI_BRAIN_CENTRE), own=1.0, other=0.0)
    return find_tissues(data, grid, coarsen(data, brain, grid), there)


def _sampled(
    image: Float32Array, grid: Grid, coarse: Coarse, fit: Fit, *, step: int
) -> tuple[Float64Array, Float64Array]:
    """Return an image at the template's brain voxels, `step` times 3 mm apart, and the tissue priors there.

    Only where the coarse brain covers them whole: some 4 mm from its edge, where voxels of grey matter hold background,
    the more the larger they are. Values beyond the 2nd and the 98th percentile become those.
    """
    points, priors = _template(step)
    world = points @ fit.linear.T + fit.centre
    covered = ndimage.map_coordinates(coarse.covered, coarse.grid.voxel(world).T, order=1, mode="grid-constant")
    whole = covered > _WHOLE
    values = ndimage.map_coordinates(image, grid.voxel(world[whole]).T, order=1, mode="grid-constant")
    values = values.astype(np.float64)
    if values.size:
        values = values.clip(*np.percentile(values, (2.0, 98.0)))
    return values, priors[whole]


def judge_tissues(tissues: Tissues, modality: str) -> list[Finding]:
    """Judge the tissues of a scan that is to be of a modality; of others than T1w and FLAIR, its contrast is not."""
    if tissues.share < bounds.ANATOMY:
        seen = (
            f"it shows no anatomy: the tissues of the template explain {tissues.share:.3f} of its brightness, where "
            "they explain 0.11 and more of scans"
        )
        return [Finding("anatomy", seen, True, PREPROCESS)]
    low, high = bounds.GREY_RANGE
    ratio = f"grey over white matter is {tissues.grey:.2f}"
    faint = []
    if tissues.share < bounds.FAINT:
        seen = f"it shows little anatomy: the tissues of the template explain {tissues.share:.2f} of its brightness"
        faint = [Finding("anatomy", f"{seen}, where they explain 0.11 and more of scans", False, PREPROCESS)]
    if not low <= tissues.grey <= high:
        seen = f"its contrast is not that of a scan: {ratio}; scans have 0.56 to 1.51"
        return [Finding("contrast", seen, True, "Give the scan itself, not what was made of it")]
    return faint + (_judge_contrast(tissues, modality) if modality in OTHER else [])


OTHER = {"FLAIR": "T1w", "T1w": "FLAIR"}
"""What is taken by mistake for a scan of a modality."""


def _judge_contrast(tissues: Tissues, modality: str) -> list[Finding]:
    """Judge whether a scan is the T1w or the FLAIR that it is to be: refuse what is clear, remark on what is near.

    Fluid tells a T2w and a proton density from both, and grey over white matter tells the two apart, on a scale about
    the middle between them.
    """
    ratio = f"its grey matter is {tissues.grey:.2f} times as bright as its white"
    if tissues.fluid > bounds.BRIGHT_FLUID:
        seen = (
            f"it looks like a T2w, where a {modality} is expected: its fluid is {tissues.fluid:.2f} times as bright "
            "as its white matter"
        )
        return [Finding("contrast", seen, tissues.fluid > bounds.T2W_FLUID, _give(modality))]
    off = (bounds.GREY_MIDDLE - tissues.grey) * (1.0 if modality == "FLAIR" else -1.0)
    if off <= 0.0:
        return []
    looks = "looks" if off > bounds.GREY_SURE else "may be"
    like = f"it {looks} {'like ' if looks == 'looks' else ''}a {OTHER[modality]}, where a {modality} is expected"
    return [Finding("contrast", f"{like}: {ratio}", off > bounds.GREY_SURE, _give(modality))]


def _give(modality: str) -> str:
    """Say how to cure a scan of another weighting."""
    return f"Give the scan named {modality}, or a model that was trained on this weighting"


@cache
def _template(step: int) -> tuple[Float64Array, Float64Array]:
    """Return every `step`-th voxel of the template's brain (n, 3), in mm from its centre, and its priors (n, 3)."""
    n, size = 64 // step, _STEP_MM * step
    affine = np.diag([size, size, size, 1.0])
    affine[:3, 3] = np.array(MNI_BRAIN_CENTRE) - size * (n - 1) / 2.0
    grid = Grid.of((n, n, n), affine)
    brain = mni_brain_mask(grid)
    return grid.world(np.argwhere(brain)) - MNI_BRAIN_CENTRE, tissue_priors(grid)[:, brain].T.astype(np.float64)
