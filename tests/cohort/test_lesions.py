from __future__ import annotations

from pathlib import Path

import numpy as np

from pellucid.cohort.lesions import lesions_on
from pellucid.image.grid import MNI_1MM, PAPER_GRID
from pellucid.image.nifti import Mask, read_mask


def test_expert_masks_keep_their_volume(shared_data: Path) -> None:
    ratios = []
    for number in (3, 7, 9, 18, 20):  # 1.0, 1.3, 19, 0.9 and 9.2 ml; the smallest loads and the most scattered
        mask = read_mask(shared_data / "lesion_masks_mni" / "open_ms_data" / f"patient{number:02d}_lesions.nii.gz")
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
