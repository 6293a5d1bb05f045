"""The measures of a visit, taken in MNI space."""

from __future__ import annotations

import numpy as np

from pellucid.atlas.template import mni_brain_mask, mni_template
from pellucid.gate.tissue import tissues_in_mni
from pellucid.ground.arrays import BoolArray
from pellucid.image.grid import MNI_1MM, Grid
from pellucid.image.nifti import Mask
from pellucid.preprocess import quality
from pellucid.preprocess.mni import InMni

_NO_WHITE = 99.0  # where white matter is black, the other tissues are endlessly brighter


def measure(space: InMni, brain: BoolArray, grid: Grid, lesions: Mask | None) -> dict[str, float | None]:
    """Measure a visit: `quality.MEASURES` by name, None where there is nothing to measure.

    `brain` (X, Y, Z) on `grid` and `lesions` are those of the native scan.
    """
    template, inside = mni_template(MNI_1MM), mni_brain_mask(MNI_1MM)
    values: dict[str, float | None] = {
        "brain_dice": quality.dice(space.brain, inside),
        "scale": space.scale,
        "brain_ml": float(np.count_nonzero(brain)) * grid.voxel_volume_ml,
    }
    white = grey = None
    if space.tissue is not None:
        white = quality.healthy(space.tissue.white, space.lesions)
        grey = quality.healthy(space.tissue.grey, space.lesions)
    for role, image in (("t1w", space.t1w), ("flair", space.flair)):
        if image is None:
            continue
        values[f"{role}_nmi"] = quality.normalised_mutual_information(image, template, inside & (image > 0.0))
        tissues = tissues_in_mni(image, space.brain & (image > 0.0), MNI_1MM)
        values |= {f"{role}_grey": min(tissues.grey, _NO_WHITE), f"{role}_fluid": min(tissues.fluid, _NO_WHITE)}
        if white is not None and grey is not None:
            values[f"{role}_snr"] = quality.signal_to_noise(image, white)
            values[f"{role}_cnr"] = quality.contrast_to_noise(image, white, grey)
    if lesions is not None and space.lesions is not None:
        native_ml = float(np.count_nonzero(lesions.data)) * lesions.grid.voxel_volume_ml
        mni_ml = float(np.count_nonzero(space.lesions)) * MNI_1MM.voxel_volume_ml
        values |= {"lesion_ml": native_ml, "lesion_mni_ml": mni_ml}
        values["lesion_kept"] = mni_ml / (native_ml * space.scale) if native_ml > 0.0 else None
        if space.flair is not None and white is not None and space.filled is not None:
            seen = space.lesions & space.brain
            values["bright_before"] = quality.bright_share(space.flair, seen, white)
            values["bright_after"] = quality.bright_share(space.filled.image, seen, white)
    return values
