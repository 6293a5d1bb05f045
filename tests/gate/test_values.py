"""Masks, label maps, probabilities and wild voxels are told from scans."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pellucid.atlas.tissue_priors import tissue_priors
from pellucid.gate.values import equal_share


def slow_equal_share(data: np.ndarray, brain: np.ndarray) -> float:
    pairs = [
        data[ijk] == data[other]
        for ijk in np.ndindex(data.shape)
        for axis in range(3)
        for other in [tuple(n + (a == axis) for a, n in enumerate(ijk))]
        if other[axis] < data.shape[axis] and brain[ijk] and brain[other]
    ]
    return float(np.mean(pairs))


def test_equal_neighbours_are_counted_as_by_hand() -> None:
    random = np.random.default_rng(0)
    data, brain = random.integers(0, 3, (4, 5, 6)).astype(np.float32), random.random((4, 5, 6)) < 0.8
    assert equal_share(data, brain) == pytest.approx(slow_equal_share(data, brain))


def test_a_scan_passes_in_any_range_and_number_of_bits(flair: Any) -> None:
    top = flair.data.max()
    for data in (flair.data / top, flair.data * 1e30, flair.data * 1e-12, np.rint(flair.data / top * 255)):
        assert flair.but(data).look().findings == ()


def test_masks_labels_and_probabilities_are_refused(flair: Any) -> None:
    brain = flair.brain
    fluid, grey, white = tissue_priors(flair.grid)
    for data in (
        brain,
        np.where(brain, 1 + np.argmax([fluid, grey, white], axis=0), 0),
        np.where(brain, np.rint(np.clip(1.6 * white - 0.3, 0, 1) * 255) / 255, 0),
    ):
        assert flair.but(data).kinds()["values"]
    for data in (grey, white):  # smooth, and nowhere of one value
        assert flair.but(np.where(brain, data, 0)).kinds() == {"contrast": True}


@pytest.mark.parametrize("value", [1e7, 1e38])
def test_one_wild_voxel_is_remarked_on(value: float, flair: Any) -> None:
    data = flair.data.copy()
    data[tuple(np.argwhere(flair.brain)[999])] = value
    (finding,) = flair.but(data).look().findings
    assert not finding.refused
    assert f"a voxel of {value:.3g} is" in finding.seen
