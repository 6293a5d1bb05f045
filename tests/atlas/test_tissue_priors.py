from __future__ import annotations

import numpy as np
import pytest
from nilearn.datasets import load_mni152_gm_template, load_mni152_wm_template
from scipy import ndimage

from pellucid.atlas.template import mni_brain_mask, mni_template
from pellucid.atlas.tissue_priors import tissue_priors
from pellucid.image.grid import MNI_1MM, MNI_2MM, PAPER_GRID, Grid


@pytest.mark.parametrize("grid", [MNI_2MM, PAPER_GRID, Grid.of((4, 5, 6), np.diag([30.0, 30, 30, 1]))], ids=str)
def test_every_voxel_has_a_proper_prior(grid: Grid) -> None:
    priors = tissue_priors(grid)
    assert priors.dtype == np.float32
    assert priors.shape == (3, *grid.shape)
    assert priors.min() > 0.015
    np.testing.assert_allclose(priors.sum(axis=0), 1, atol=1e-5)


def test_on_the_averages_own_grid_it_is_the_formula() -> None:
    images = [load_mni152_gm_template(), load_mni152_wm_template()]
    grid = Grid.of(images[0].shape, images[0].affine)
    grey, white = (ndimage.gaussian_filter(image.get_fdata(), 2.0, mode="constant") for image in images)
    rest = np.maximum(1 - grey - white, 0)
    total = rest + grey + white + 0.06
    expected = np.stack([rest + 0.02, grey + 0.02, white + 0.02]) / total
    np.testing.assert_allclose(tissue_priors(grid), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("place", "tissue"),
    [
        ((-28, -30, 32), 2),  # centrum semiovale
        ((-16, -30, 18), 0),  # lateral ventricle
        ((-22, -60, -36), 2),  # cerebellar white matter
        ((-40, -60, -30), 1),  # cerebellar cortex
        ((-12, 12, 10), 1),  # caudate nucleus
        ((0, 0, 100), 0),  # above the head
    ],
)
def test_tissues_are_where_they_belong(place: tuple[int, int, int], tissue: int) -> None:
    at = tuple(MNI_1MM.voxel(place).round().astype(int))
    assert tissue_priors(MNI_1MM)[(slice(None), *at)].argmax() == tissue


def test_brightness_rises_from_fluid_to_white_matter() -> None:
    brain = mni_brain_mask(MNI_2MM)
    priors, template = tissue_priors(MNI_2MM)[:, brain], mni_template(MNI_2MM)[brain]
    csf, grey, white = (priors * template).sum(axis=1) / priors.sum(axis=1)
    assert csf < 0.9 * grey < 0.8 * white


def test_the_symmetric_average_is_symmetric() -> None:
    priors = tissue_priors(MNI_2MM)  # its columns lie at x = 90 to -90 mm
    np.testing.assert_allclose(priors, priors[:, ::-1], atol=0.02)
