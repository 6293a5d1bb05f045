from __future__ import annotations

import doctest

import numpy as np
import pandas as pd
import pytest

from pellucid.atlas import sides as module
from pellucid.atlas.sides import centres, side, sided_labels
from pellucid.image.grid import MNI_2MM, PAPER_GRID, Grid


def test_docstrings_run() -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("name", "sign"),
    [
        ("Right Hippocampus", 1),
        ("left_hippocampus", -1),
        ("L-Putamen", -1),
        ("Corticospinal tract R", 1),
        ("Cingulum (hippocampus) L", -1),
        ("Insula (R)", 1),
        ("Medial-lemniscus-L", -1),
        ("Precentral_right", 1),
        ("Rectus", 0),
        ("Lobule", 0),
        ("CSF", 0),
        ("Occipital pole", 0),
    ],
)
def test_sides_that_names_say(name: str, sign: int) -> None:
    assert side(name) == sign


@pytest.mark.parametrize(
    "grid", [MNI_2MM, PAPER_GRID, Grid.of((30, 40, 50), np.diag([3.0, 3, 3, 1]) - 40 * np.eye(4)[:, [3]])]
)
def test_centres_are_means_over_voxels(grid: Grid) -> None:
    labels = np.random.default_rng(3).choice(np.array([0, 0, 0, 2, 7, 14175], np.int32), grid.shape)
    found = centres(labels, grid)
    assert set(found) == {2, 7, 14175}
    for label, centre in found.items():
        np.testing.assert_allclose(centre, grid.world(np.argwhere(labels == label)).mean(axis=0), atol=1e-8)


def test_labels_on_the_wrong_side_are_named() -> None:
    labels = np.zeros(MNI_2MM.shape, np.int32)  # voxel 0 is the right edge
    labels[10], labels[80], labels[45] = 1, 2, 3
    regions = pd.DataFrame({"index": [1, 2, 3, 4], "name": ["Left A", "Left B", "C", "Right D"]})  # D has no voxel
    sided, wrong = sided_labels(labels, MNI_2MM, regions)
    assert sided == ["Left A", "Left B"]
    assert wrong == [("Left A", 70.0)]
