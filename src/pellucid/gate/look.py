"""One look at an image: a whole brain without its skull, in MNI space, of the weighting that is expected, or not."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy import ndimage

from pellucid.atlas.template import mni_brain_mask
from pellucid.gate import bounds
from pellucid.gate.finding import PREPROCESS, Finding, refusals
from pellucid.gate.pose import Fit, coarsen, fit_template, judge_pose
from pellucid.gate.shape import (
    TEMPLATE_ML,
    empty_slices,
    faces,
    field_size,
    judge_faces,
    judge_gaps,
    judge_size,
    judge_voxels,
)
from pellucid.gate.tissue import Tissues, find_tissues, judge_tissues
from pellucid.gate.values import judge_values
from pellucid.ground.arrays import BoolArray, Float32Array
from pellucid.ground.errors import InputError
from pellucid.image.grid import Grid
from pellucid.image.masks import bounding_box
from pellucid.image.prepare import check_mni, foreground, mni_offset

_WIDE_MM, _WIDE = 4.0, 72  # the grid on which it is measured how far a foreground reaches


@dataclass(frozen=True, slots=True)
class Look:
    """What was found in an image, and the measures behind it; a measure that was not needed is None."""

    findings: tuple[Finding, ...]
    ratio: float
    far: float
    fit: Fit | None = None
    tissues: Tissues | None = None

    def measures(self) -> dict[str, Any]:
        """Return the measures as numbers by name."""
        found = {"ratio": self.ratio, "far": self.far}
        if self.fit is not None:
            fit = {"fit": self.fit.score, "own": self.fit.own, "other": self.fit.other, "turned": self.fit.degrees}
            found |= fit
        if self.tissues is not None:
            found |= {"anatomy": self.tissues.share, "grey": self.tissues.grey, "fluid": self.tissues.fluid}
        return found


def look(data: Float32Array, brain: BoolArray, grid: Grid, *, modality: str, where: str = "the image") -> Look:
    """Look at an image (X, Y, Z) on `grid` whose foreground is `brain` (`find_brain`); say all that is wrong with it.

    First come the values, the size, empty slices and the voxels, which need no model of a brain. What passes them is
    laid on the template, in any of 24 orientations (`pose`). Then come the place, the pose, the skull, faces where the
    brain is cut off, and last the tissues and their contrast. What would follow from an earlier refusal is not looked
    at.

    Left and right cannot be checked, for brains are too symmetric.
    """
    gaps = judge_gaps(empty_slices(foreground(data), grid))
    box, field = bounding_box(brain, (1, 1, 1)), field_size(grid)
    data, brain, grid = np.ascontiguousarray(data[box]), np.ascontiguousarray(brain[box]), grid.cropped(box)
    ratio = float(np.count_nonzero(brain)) * grid.voxel_volume_ml / TEMPLATE_ML
    findings = [*judge_values(data, brain), *gaps, *judge_size(ratio, field), *judge_voxels(grid)]
    far = far_share(brain, grid)
    if refusals(findings):
        return Look(tuple(findings), ratio, far)
    findings += judge_faces(faces(brain, grid))
    if refusals(findings):
        return Look((*_judge_head(far, 0.0), *findings), ratio, far)
    coarse = coarsen(data, brain, grid)
    fit = fit_template(coarse)
    pose = judge_pose(fit)
    turned = [finding for finding in refusals(pose) if finding.kind == "pose"]
    place = _judge_place(brain, grid, where)
    # What is turned over reaches far, and what is far reaches farther: neither is a skull.
    head = [] if turned or refusals(place) else _judge_head(far, fit.score)
    findings += [*(refusals(place) if turned else place), *head, *([] if refusals(head) else pose)]
    if refusals(findings):
        return Look(tuple(findings), ratio, far, fit)
    tissues = find_tissues(data, grid, coarse, fit)
    return Look((*findings, *judge_tissues(tissues, modality)), ratio, far, fit, tissues)


def far_share(brain: BoolArray, grid: Grid) -> float:
    """Return the share of a foreground (X, Y, Z) that lies more than 10 mm outside the template's brain, in [0, 1]."""
    wide, far = _wide()
    steps = tuple(max(1, round(_WIDE_MM / size)) for size in grid.voxel_sizes)
    some = np.argwhere(brain[tuple(slice(None, None, step) for step in steps)]) * steps
    if not some.size:
        return 0.0
    index = np.rint(wide.voxel(grid.world(some))).astype(np.intp)
    known = ((index >= 0) & (index < _WIDE)).all(axis=1)
    return float((np.count_nonzero(far[tuple(index[known].T)]) + np.count_nonzero(~known)) / len(some))


def _judge_head(far: float, score: float) -> list[Finding]:
    """Judge how much of a foreground lies far outside the template's brain."""
    if far <= bounds.FAR_REMARK or (score - far / 2.0 >= bounds.HEAD_FIT and far <= bounds.FAR_REFUSED):
        return []
    reaches = f"{100 * far:.0f} % of its foreground lie more than 10 mm outside the template's brain"
    if far <= bounds.FAR_HEAD:
        return [Finding("skull", f"{reaches}: some of the skull or neck may be left on", False, PREPROCESS)]
    return [Finding("skull", f"its skull is on, or it is not aligned with the template: {reaches}", True, PREPROCESS)]


def _judge_place(brain: BoolArray, grid: Grid, where: str) -> list[Finding]:
    """Judge where a brain's centre lies."""
    try:
        check_mni(brain, grid, where=where)
    except InputError as error:
        return [Finding("place", error.what, True, PREPROCESS)]
    off = float(np.linalg.norm(mni_offset(brain, grid)))
    if off > bounds.OFF_MM:
        return [Finding("place", f"its brain's centre lies {off:.0f} mm from the MNI brain's", False, PREPROCESS)]
    return []


@cache
def _wide() -> tuple[Grid, BoolArray]:
    """Return a wide grid around the template, and where on it is more than 10 mm outside the template's brain."""
    affine = np.diag([_WIDE_MM, _WIDE_MM, _WIDE_MM, 1.0])
    affine[:3, 3] = -_WIDE_MM * (_WIDE - 1) / 2.0
    grid = Grid.of((_WIDE, _WIDE, _WIDE), affine)
    distance = ndimage.distance_transform_edt(~mni_brain_mask(grid), sampling=_WIDE_MM)
    return grid, np.asarray(distance > bounds.FAR_MM)
