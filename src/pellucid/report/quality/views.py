"""What all pages of quality control share: slices of MNI space with the template in them, and of a native brain."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from markupsafe import Markup
from scipy import ndimage

from pellucid.atlas.template import mni_brain_mask, mni_template
from pellucid.atlas.tissue_priors import tissue_priors
from pellucid.image.grid import MNI_1MM
from pellucid.image.nifti import Volume
from pellucid.report.pictures.brain import shade, window
from pellucid.report.pictures.mosaic import NORMAL, Canvas, Direction, Outline, Row, Sheet, row

BRAIN, WHITE, FLUID = "#35c3f0", "#ff9f1c", "#35c3f0"
"""Colours of outlines."""

BOX = ((-82, -116, -71), (82, 84, 90))
"""The template's brain and 10 mm around it, of those that MNI_1MM has: world millimetres, lowest and highest."""

_SPANS: dict[Direction, tuple[float, float]] = {
    "axial": (-44.0, 66.0),
    "coronal": (-86.0, 52.0),
    "sagittal": (-55.0, 55.0),
}
_COUNTS: dict[Direction, int] = {"axial": 7, "coronal": 7, "sagittal": 6}
_AROUND_MM = 12.0
_SMOOTH = 1.0  # voxels: the template's surface is stepped and has spurs
_ENOUGH = 100_000  # voxels that tell a brain's extent
_INNER = 0.1  # share of a brain's extent that the outermost slices lie within


@cache
def mni_sheet() -> Sheet:
    """Return three planes of slices in MNI space, the same for every visit."""
    return Sheet.of([row(direction, BOX, span, _COUNTS[direction]) for direction, span in _SPANS.items()])


def mni_rows(*headings: str) -> list[Row]:
    """Return the axial slices of MNI space once for each heading."""
    return [Row(first.grid, first.planes, heading) for first in mni_sheet().rows[:1] for heading in headings]


@cache
def thumbnail_sheet() -> Sheet:
    """Return one axial slice of MNI space, small."""
    return Sheet.of([row("axial", BOX, (18.0, 18.0), 1)], [[""]], width=240)


@dataclass(frozen=True, slots=True)
class Template:
    """The template in a sheet's slices: its grey levels, its brain, its white matter."""

    grey: Canvas
    brain: Canvas
    white: Canvas

    @property
    def outlines(self) -> list[Outline]:
        """The surface of its brain and the border of its white matter."""
        return [Outline(self.brain, BRAIN), Outline(self.white, WHITE)]


@cache
def template(sheet: str = "mni") -> Template:
    """Return the template in the slices of `mni_sheet`, or of `thumbnail_sheet` for `thumbnail`.

    Its white matter is where the prior of `tissue_priors` passes one half.
    """
    chosen = mni_sheet() if sheet == "mni" else thumbnail_sheet()
    image, brain, white = _template_volumes()
    cut = chosen.of_volume(image, MNI_1MM)
    return Template(
        shade(cut, window(cut[cut > 0])), chosen.of_volume(brain, MNI_1MM), chosen.of_volume(white, MNI_1MM)
    )


def native_sheet(brain: Volume) -> Sheet:
    """Return three planes of slices spread over a brain that lies anyhow in the scanner; 1 mm pixels along its axes."""
    where = np.argwhere(brain.data > 0.5)
    world = brain.grid.world(where[:: max(1, len(where) // _ENOUGH)])
    low, high = world.min(axis=0), world.max(axis=0)
    box = (low - _AROUND_MM, high + _AROUND_MM)
    rows = []
    for direction, axis in NORMAL.items():
        margin = _INNER * (high[axis] - low[axis])
        span = (low[axis] + margin, high[axis] - margin)
        rows.append(row(direction, box, span, _COUNTS[direction]))
    return Sheet.of(rows)


def key(colour: str, text: str) -> Markup:
    """Explain a colour in a caption."""
    return Markup('<span class="key" style="--key: {}">{}</span>').format(colour, text)


def grey_of(sheet: Sheet, volume: Volume, limits: tuple[float, float] | None = None) -> Canvas:
    """Return grey levels of a scan that is 0 outside the brain."""
    cut = sheet.of_volume(volume.data, volume.grid)
    return shade(cut, limits or window(cut[cut > 0]))


@cache
def _template_volumes() -> tuple[Canvas, Canvas, Canvas]:
    """Return template, brain and white matter on MNI_1MM; half a second."""
    return (
        mni_template(MNI_1MM),
        ndimage.gaussian_filter(mni_brain_mask(MNI_1MM).astype(np.float32), _SMOOTH),
        tissue_priors(MNI_1MM)[2].copy(),
    )
