from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pellucid.atlas.find import find_atlas
from pellucid.atlas.template import mni_brain_mask, mni_template
from pellucid.image.grid import MNI_1MM, MNI_2MM, PAPER_GRID
from pellucid.image.nifti import Volume, read_mask, read_volume
from pellucid.image.prepare import MNI_BRAIN_CENTRE, prepare


def test_template_is_fsls(shared_data: Path) -> None:
    reference = read_volume(shared_data / "templates" / "MNI152NLin6_res-1x1x1_T1w_descr-brain.nii.gz")
    np.testing.assert_allclose(mni_template(MNI_1MM), reference.data, atol=1e-2)
    coarse = read_volume(shared_data / "templates" / "MNI152NLin6_res-2x2x2_T1w_descr-brain.nii.gz")
    assert np.corrcoef(mni_template(MNI_2MM).ravel(), coarse.data.ravel())[0, 1] > 0.98


@pytest.mark.parametrize("millimetres", [1, 2])
def test_brain_mask_is_fsls(shared_data: Path, millimetres: int) -> None:
    grid = {1: MNI_1MM, 2: MNI_2MM}[millimetres]
    size = "x".join([str(millimetres)] * 3)
    name = f"MNI152NLin6_res-{size}_T1w_descr-brainmask.nii.gz"
    reference = read_mask(shared_data / "atlases" / "masks" / name, grid).data
    mask = mni_brain_mask(grid)
    assert 2 * (mask & reference).sum() / (mask.sum() + reference.sum()) > 0.985


def test_brain_mask_on_the_papers_grid() -> None:
    mask = mni_brain_mask(PAPER_GRID)
    assert mask.dtype == np.bool_
    assert mask.sum() * PAPER_GRID.voxel_volume_ml == pytest.approx(1838, rel=0.005)
    # The constant of the image floor, which knows no template.
    np.testing.assert_allclose(PAPER_GRID.world(np.argwhere(mask).mean(axis=0)), MNI_BRAIN_CENTRE, atol=0.1)
    labels = find_atlas("neuromorphometrics").on(PAPER_GRID).labels
    assert mask[labels > 0].mean() > 0.97


def test_the_template_prepares_like_a_scan() -> None:
    prepared = prepare(Volume(mni_template(MNI_1MM), MNI_1MM), PAPER_GRID, scaling="robust")
    np.testing.assert_array_equal(prepared.brain, mni_brain_mask(PAPER_GRID))
