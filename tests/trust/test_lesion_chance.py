"""What the chance of a lesion is made of, against loops over voxels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pellucid.trust.lesion_chance import CONTRAST_MM, PRIOR_MM, local_contrast, smooth_prior

SHAPE = (4, 3, 5)
SIZES = (2.0, 2.0, 2.5)
IMAGES = hnp.arrays(np.float64, SHAPE, elements=st.integers(-9, 9).map(float))
MASKS = hnp.arrays(np.bool_, SHAPE)


@given(IMAGES, MASKS)
def test_local_contrast_equals_its_slow_twin(image: np.ndarray, brain: np.ndarray) -> None:
    expected = np.zeros(SHAPE)
    sigma = np.array([CONTRAST_MM / size for size in SIZES])
    reach = (3.0 * sigma + 0.5).astype(int)
    for voxel in np.argwhere(brain):
        steps = np.argwhere(brain) - voxel
        near = (np.abs(steps) <= reach).all(axis=1)
        weight = np.exp(-0.5 * ((steps[near] / sigma) ** 2).sum(axis=1))
        around = (weight * image[brain][near]).sum() / weight.sum()
        expected[tuple(voxel)] = image[tuple(voxel)] - around
    np.testing.assert_allclose(local_contrast(image, brain, SIZES), expected, atol=1e-4)


def test_a_smoothed_prior_keeps_its_sum_and_width() -> None:
    point = np.zeros((41, 41, 41))
    point[20, 20, 20] = 1.0
    smooth = smooth_prior(point, SIZES)
    assert smooth.sum() == pytest.approx(1.0, rel=1e-4)
    for axis, size in enumerate(SIZES):
        profile = smooth.sum(axis=tuple(other for other in range(3) if other != axis))
        width = np.sqrt((profile * (np.arange(41) - 20) ** 2).sum()) * size
        assert width == pytest.approx(PRIOR_MM, rel=0.02)
