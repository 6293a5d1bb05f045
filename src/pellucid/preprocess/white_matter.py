"""Where the white matter of a scan in MNI space is, found in the scan alone."""

from __future__ import annotations

from pellucid.ground.arrays import BoolArray
from pellucid.image.nifti import Volume
from pellucid.image.prepare import check_mni, find_brain
from pellucid.preprocess.tissue import segment_tissue


def find_white_matter(volume: Volume, lesions: BoolArray) -> BoolArray:
    """Return where white matter is the most probable tissue of a brain-extracted scan in MNI space, (X, Y, Z).

    Parameters
    ----------
    volume
        The scan.
    lesions
        Its lesion mask on the same grid; its intensities tell nothing of tissue.

    Raises
    ------
    InputError
        The scan is not in MNI space or not brain-extracted.
    """
    where = str(volume.path or "the image")
    brain = find_brain(volume.data, where=where)
    check_mni(brain, volume.grid, where=where)
    tissue = segment_tissue(volume.data, brain, volume.grid, lesions=lesions)
    return (tissue.white > tissue.csf) & (tissue.white > tissue.grey)
