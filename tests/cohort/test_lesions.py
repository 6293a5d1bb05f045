from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from pellucid.cohort.lesions import lesion_remarks, lesions_on
from pellucid.image.grid import MNI_1MM, PAPER_GRID
from pellucid.image.nifti import Mask, read_mask


def test_masks_keep_their_volume(patients: Path) -> None:
    experts = patients.parents[1] / "lesion_masks_mni" / "open_ms_data"  # where the real patients are, and theirs
    drawn = [experts / f"patient{number:02d}_lesions.nii.gz" for number in (3, 7, 9, 18, 20)]
    ratios = []
    for path in [*patients.glob("*_lesions.nii.gz"), *(path for path in drawn if path.is_file())]:
        mask = read_mask(path)  # experts' of 1.0, 1.3, 19, 0.9 and 9.2 ml: the smallest loads and the most scattered
        before = mask.data.sum() * mask.grid.voxel_volume_ml
        ratios.append(lesions_on(mask, PAPER_GRID).sum() * PAPER_GRID.voxel_volume_ml / before)
    assert min(ratios) > 0.90
    assert max(ratios) < 1.05


def test_a_lesion_stays_where_it_is() -> None:
    data = np.zeros(MNI_1MM.shape, dtype=bool)
    data[60:66, 80:88, 90:95] = True
    found = lesions_on(Mask(data, MNI_1MM), PAPER_GRID)
    before = MNI_1MM.world(np.argwhere(data).mean(axis=0))
    after = PAPER_GRID.world(np.argwhere(found).mean(axis=0))
    assert np.linalg.norm(after - before) < 0.7


def test_a_mask_that_a_coarse_grid_swallows_or_whose_file_is_odd_is_remarked_on() -> None:
    data = np.zeros(MNI_1MM.shape, dtype=bool)
    data[60:66, 80:88, 90:95] = True
    block = Mask(data, MNI_1MM)
    assert lesion_remarks(block, lesions_on(block, PAPER_GRID), PAPER_GRID) == []
    odd = replace(block, remarks=("its qform is damaged",))
    swallowed = np.zeros(PAPER_GRID.shape, dtype=bool)
    assert lesion_remarks(odd, swallowed, PAPER_GRID) == [
        "lesion mask: its qform is damaged",
        "lesion mask: of its 0.24 ml of lesions nothing is left on the network's grid",
    ]
    swallowed[0, 0, :10] = True
    ml = 10 * PAPER_GRID.voxel_volume_ml
    assert lesion_remarks(block, swallowed, PAPER_GRID) == [
        f"lesion mask: of its 0.24 ml of lesions {ml:.3g} ml is left on the network's grid"
    ]
