"""Null maps: what each must be, and those with neighbours against loops over voxels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from pellucid.ground.errors import InputError
from pellucid.trust.lesion_chance import PRIOR_MM, Logistic, local_contrast
from pellucid.trust.lesions import lesion_share
from pellucid.trust.nulls import NULLS, Learned, Nulls, brightest, edge_map, null_maps

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


SIZES = (2.0, 2.0, 2.5)
LOGISTIC = Logistic(mean=(0.1, 0.2, -2.0), sd=(2.0, 1.0, 0.5), weights=(1.0, 0.5, 2.0), intercept=-1.0)


def _subject(seed: int = 0, shape: tuple[int, int, int] = (20, 20, 20)) -> dict[str, Any]:
    generator = np.random.default_rng(seed)
    return {
        "image": generator.normal(size=shape),
        "brain": generator.random(shape) > 0.3,
        "seen": generator.random(shape) > 0.2,
        "learned": Learned(mean_lesion=generator.random(shape).astype(np.float32), logistic=LOGISTIC, missing=""),
    }


def _nulls(subject: dict[str, Any], seed: int = 5) -> Nulls:
    return null_maps(**subject, voxel_sizes=SIZES, seed=seed)


def test_the_nulls_are_what_they_say() -> None:
    subject = _subject()
    maps, missing = _nulls(subject)
    x, brain, prior = subject["image"], subject["brain"], subject["learned"].mean_lesion
    assert tuple(maps) == tuple(NULLS)
    assert missing == {}
    assert all(values.dtype == np.float32 and (values[~brain] == 0).all() for values in maps.values())
    np.testing.assert_allclose(maps["intensity"][brain], x[brain], rtol=1e-6)
    np.testing.assert_allclose(maps["mean-lesion"][brain], prior[brain], rtol=1e-6)
    np.testing.assert_array_equal(maps["edge"], edge_map(x.astype(np.float32), brain))
    np.testing.assert_allclose(maps["intensity-power-4"][brain], np.sign(x[brain]) * x[brain] ** 4, rtol=1e-5)
    smooth = ndimage.gaussian_filter(prior.astype(np.float64), [PRIOR_MM / size for size in SIZES], mode="constant")
    np.testing.assert_allclose(maps["intensity-x-prior"][brain], (x * smooth)[brain], rtol=1e-4, atol=1e-6)
    contrast = local_contrast(x, brain, SIZES)
    log_odds = -1.0 + 1.0 * (x - 0.1) / 2.0 + 0.5 * (contrast - 0.2) + 2.0 * (np.log10(smooth + 1e-4) + 2.0) / 0.5
    np.testing.assert_allclose(maps["logistic"][brain], 1 / (1 + np.exp(-log_odds[brain])), rtol=1e-4)
    B = brain & subject["seen"]
    bright = maps["brightest-percent"]
    top = bright != 0
    assert not top[~B].any()
    assert top.sum() == round(0.01 * B.sum())
    np.testing.assert_array_equal(bright[top], maps["intensity"][top])
    assert x[top].min() > x[B & ~top].max()


def test_noise_is_white_and_its_seed_alone_makes_it() -> None:
    subject = _subject()
    noise = _nulls(subject).maps["random"]
    inside = noise[subject["brain"]]
    assert abs(inside.mean()) < 0.05
    assert abs(inside.std() - 1) < 0.05
    np.testing.assert_array_equal(noise, _nulls(subject).maps["random"])
    assert (noise != _nulls(subject, seed=6).maps["random"]).any()


@pytest.mark.parametrize(
    ("changes", "absent", "words"),
    [
        ({"image": None}, {*NULLS} - {"random", "mean-lesion"}, "not available"),
        ({"learned": Learned()}, {"mean-lesion", "intensity-x-prior", "logistic"}, "no lesion masks"),
        (
            {"image": None, "learned": Learned(missing="nobody drew")},
            {*NULLS} - {"random"},
            "not available",
        ),
        (
            {"learned": Learned(mean_lesion=np.ones((20, 20, 20), dtype=np.float32), missing="one participant")},
            {"logistic"},
            "one participant",
        ),
    ],
)
def test_what_cannot_be_made_is_named_with_its_reason(changes: dict[str, Any], absent: set[str], words: str) -> None:
    whole, (maps, missing) = _nulls(_subject()), _nulls(_subject() | changes)
    assert set(missing) == absent
    assert set(maps) == {*NULLS} - absent
    assert any(words in reason for reason in missing.values())
    if "learned" not in changes:
        for name, values in maps.items():
            np.testing.assert_array_equal(values, whole.maps[name])


@given(IMAGES, MASKS, st.floats(0.01, 100))
def test_the_brightest_are_no_darker_than_any_other_and_as_many_as_asked(
    image: np.ndarray, inside: np.ndarray, percent: float
) -> None:
    found = brightest(image, inside, percent)
    assert not (found & ~inside).any()
    if inside.any():
        wanted = max(round(percent / 100 * inside.sum()), 1)
        threshold = sorted(image[inside])[-wanted]
        np.testing.assert_array_equal(found, inside & (image >= threshold))  # ties all together


@pytest.mark.parametrize("percent", [0.0, -1.0, 101.0, float("nan")])
def test_a_percentage_that_is_none_is_refused(percent: float) -> None:
    with pytest.raises(InputError, match="above 0"):
        brightest(np.zeros(SHAPE), np.ones(SHAPE, dtype=bool), percent)


def test_noise_has_lift_one_in_the_mean() -> None:
    shape = (16, 16, 16)
    brain, lesions = np.ones(shape, dtype=bool), np.zeros(shape, dtype=bool)
    lesions[4:8, 4:8, 4:8] = True
    noise = [null_maps(None, brain, brain, Learned(), voxel_sizes=SIZES, seed=s).maps["random"] for s in range(50)]
    lifts = [lesion_share(one, lesions, brain, brain)["lift"] for one in noise]
    assert np.mean(lifts) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize(("name", "words"), [("image", "image"), ("seen", "field of view"), ("learned", "mean lesion")])
def test_shapes_that_differ_are_refused(name: str, words: str) -> None:
    other = _subject(shape=(20, 20, 19))
    with pytest.raises(InputError, match=words):
        _nulls(_subject() | {name: other[name]})
