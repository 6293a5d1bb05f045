"""Null maps: what each must be, and the edge map against a loop over voxels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pellucid.analysis.lesions import lesion_share
from pellucid.analysis.nulls import NULLS, edge_map, null_maps
from pellucid.errors import InputError

SHAPE = (4, 3, 5)
IMAGES = hnp.arrays(np.float64, SHAPE, elements=st.integers(-9, 9).map(float))
MASKS = hnp.arrays(np.bool_, SHAPE)


def _slow_edge(image: np.ndarray, brain: np.ndarray) -> np.ndarray:
    result = np.zeros(SHAPE)
    for voxel in np.ndindex(*SHAPE):
        if not brain[voxel]:
            continue
        for axis in range(3):
            steps = []
            for side in (-1, 1):
                other = list(voxel)
                other[axis] += side
                if 0 <= other[axis] < SHAPE[axis] and brain[tuple(other)]:
                    steps.append(side * (image[tuple(other)] - image[voxel]))
            result[voxel] += (sum(steps) / len(steps)) ** 2 if steps else 0.0
    return np.sqrt(result)


@given(IMAGES, MASKS)
def test_the_edge_map_equals_its_slow_twin(image: np.ndarray, brain: np.ndarray) -> None:
    np.testing.assert_allclose(edge_map(image, brain), _slow_edge(image, brain), rtol=1e-6)


@given(IMAGES, MASKS, IMAGES)
def test_the_background_never_makes_an_edge(image: np.ndarray, brain: np.ndarray, background: np.ndarray) -> None:
    np.testing.assert_array_equal(edge_map(image, brain), edge_map(np.where(brain, image, background), brain))


def test_a_ramp_has_its_slope_everywhere_even_at_the_border() -> None:
    ramp = np.arange(4.0)[:, None, None] * 3 + np.arange(3.0)[None, :, None] * 4 + np.zeros(SHAPE)
    np.testing.assert_allclose(edge_map(ramp, np.ones(SHAPE, dtype=bool)), 5.0)


def test_the_four_nulls_are_what_they_say() -> None:
    generator = np.random.default_rng(0)
    shape = (20, 20, 20)
    image, mean_lesion = generator.normal(size=shape), generator.random(shape)
    brain = generator.random(shape) > 0.3
    maps = null_maps(image, brain, mean_lesion, seed=5)
    assert tuple(maps) == NULLS
    assert all(values.dtype == np.float32 and (values[~brain] == 0).all() for values in maps.values())
    np.testing.assert_allclose(maps["intensity"][brain], image[brain], rtol=1e-6)
    np.testing.assert_allclose(maps["mean-lesion"][brain], mean_lesion[brain], rtol=1e-6)
    np.testing.assert_array_equal(maps["edge"], edge_map(image.astype(np.float32), brain))
    noise = maps["random"][brain]
    assert abs(noise.mean()) < 0.05
    assert abs(noise.std() - 1) < 0.05
    np.testing.assert_array_equal(maps["random"], null_maps(image, brain, mean_lesion, seed=5)["random"])
    assert (maps["random"] != null_maps(image, brain, mean_lesion, seed=6)["random"]).any()


def test_noise_has_lift_one_in_the_mean() -> None:
    shape = (16, 16, 16)
    brain, lesions = np.ones(shape, dtype=bool), np.zeros(shape, dtype=bool)
    lesions[4:8, 4:8, 4:8] = True
    lifts = [
        lesion_share(null_maps(np.zeros(shape), brain, np.zeros(shape), seed=s)["random"], lesions, brain, brain)[
            "lift"
        ]
        for s in range(50)
    ]
    assert np.mean(lifts) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize(("brain", "lesion", "words"), [((4, 3, 4), SHAPE, "brain"), (SHAPE, (4, 3, 4), "mean lesion")])
def test_shapes_that_differ_are_refused(brain: tuple[int, ...], lesion: tuple[int, ...], words: str) -> None:
    with pytest.raises(InputError, match=words):
        null_maps(np.zeros(SHAPE), np.ones(brain, dtype=bool), np.zeros(lesion), seed=0)
