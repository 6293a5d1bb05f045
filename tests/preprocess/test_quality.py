"""Measures of quality, beside slow twins, and the verdicts that follow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.atlas.template import mni_brain_mask
from pellucid.image.grid import MNI_1MM, MNI_2MM, Grid
from pellucid.image.nifti import Volume
from pellucid.preprocess.quality import (
    MEASURES,
    bright_share,
    contrast_to_noise,
    dice,
    healthy,
    judge,
    normalised_mutual_information,
    outside_field,
    signal_to_noise,
    verdict_of,
)

SHAPE = (12, 10, 8)
EVERYWHERE = np.ones(SHAPE, bool)


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(100, 15, SHAPE).astype(np.float32)


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_dice_is_the_share_of_voxels_in_both(a: int, b: int) -> None:
    one = np.random.default_rng(a).random(SHAPE) > 0.6
    other = np.random.default_rng(b + 5000).random(SHAPE) > 0.4
    both = sum(bool(x and y) for x, y in zip(one.ravel(), other.ravel(), strict=True))
    assert dice(one, other) == pytest.approx(2 * both / (int(one.sum()) + int(other.sum())))
    assert dice(one, one) == 1.0
    assert dice(one, ~one) == 0.0


def test_dice_of_nothing_with_nothing_is_1() -> None:
    assert dice(~EVERYWHERE, ~EVERYWHERE) == 1.0


def slow_nmi(one: np.ndarray, other: np.ndarray) -> float:
    """The twin: entropies counted voxel by voxel, with dictionaries."""
    binned = []
    for image in (one.ravel(), other.ravel()):
        low, high = np.percentile(image, (0.5, 99.5))
        binned.append([min(31, max(0, int((x - low) * (32 / (high - low))))) for x in image.astype(np.float64)])

    def entropy(values: list[object]) -> float:
        counts: dict[object, int] = {}
        for value in values:
            counts[value] = counts.get(value, 0) + 1
        return -sum(n / len(values) * np.log(n / len(values)) for n in counts.values())

    pairs = list(zip(*binned, strict=True))
    return (entropy(list(binned[0])) + entropy(list(binned[1]))) / entropy(list(pairs))


def test_mutual_information_is_what_its_twin_counts() -> None:
    one, other = noise(1), (200 - noise(1) + 0.3 * noise(2)).astype(np.float32)
    assert normalised_mutual_information(one, other, EVERYWHERE) == pytest.approx(slow_nmi(one, other), rel=0.02)


def test_mutual_information_is_2_of_an_image_with_itself_and_sees_through_contrast() -> None:
    one = noise(1)
    assert normalised_mutual_information(one, one, EVERYWHERE) == pytest.approx(2.0)
    assert normalised_mutual_information(one, 500 - 2 * one, EVERYWHERE) == pytest.approx(2.0, abs=0.1)
    assert normalised_mutual_information(one, np.full(SHAPE, np.float32(3)), EVERYWHERE) == 1.0
    related = normalised_mutual_information(one, one + noise(2), EVERYWHERE)
    assert normalised_mutual_information(one, noise(3), EVERYWHERE) < related


def test_noise_and_contrast_are_of_the_tissues_alone() -> None:
    image = noise(4)
    white, grey = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    white[:6], grey[6:] = True, True
    image[:6] += 60
    assert signal_to_noise(image, white) == pytest.approx(image[:6].mean() / image[:6].std(), rel=1e-5)
    expected = (image[:6].mean() - image[6:].mean()) / np.sqrt(image[:6].var() + image[6:].var())
    assert contrast_to_noise(image, white, grey) == pytest.approx(expected, rel=1e-5)
    assert contrast_to_noise(image, grey, white) == pytest.approx(expected, rel=1e-5)
    assert signal_to_noise(image, ~EVERYWHERE) is None
    assert contrast_to_noise(image, white, ~EVERYWHERE) is None
    assert signal_to_noise(np.ones(SHAPE, np.float32), white) is None


def test_healthy_white_matter_keeps_away_from_lesions() -> None:
    white = np.ones((20, 20, 20), np.float32)
    lesions = np.zeros(white.shape, bool)
    lesions[10, 10, 10] = True
    found = healthy(white, lesions)
    assert not found[10, 10, 13]
    assert found[10, 10, 14]
    assert healthy(white * 0.9, None).sum() == 0
    assert healthy(white, None).all()


def test_bright_is_brighter_than_99_percent_of_white_matter() -> None:
    image = noise(5)
    white, lesions = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    white[:8], lesions[10:] = True, True
    assert bright_share(image, white, white) == pytest.approx(0.01, abs=0.005)
    image[10:] += 1000
    assert bright_share(image, lesions, white) == 1.0
    assert bright_share(image, ~EVERYWHERE, white) is None
    assert bright_share(image, lesions, ~EVERYWHERE) is None


def test_verdicts_name_the_measure_its_value_and_its_bound() -> None:
    assert verdict_of(judge({"brain_dice": 0.96, "t1w_snr": 0.0, "lesion_kept": None})) == "pass"
    (finding,) = judge({"brain_dice": 0.9})
    assert (finding.measure, finding.verdict) == ("brain_dice", "check")
    assert "is 0.9, below 0.93" in finding.text
    findings = judge({"brain_dice": 0.5, "cut_off": 0.1, "scale": 3.0})
    assert [finding.verdict for finding in findings] == ["fail", "check", "fail"]
    assert "above 2.5" in findings[2].text
    assert verdict_of(findings) == "fail"
    assert verdict_of(findings[1:2]) == "check"


def test_a_failing_bound_lies_beyond_a_checking_one() -> None:
    for name, measure in MEASURES.items():
        assert measure.fail[0] <= measure.check[0], name
        assert measure.fail[1] >= measure.check[1], name
        judged = np.isfinite([*measure.check, *measure.fail]).any()
        assert bool(measure.why) == bool(judged), name


def test_what_of_the_template_lies_outside_a_field_of_view() -> None:
    brain = mni_brain_mask(MNI_2MM)
    whole = Volume(np.ones(MNI_1MM.shape, np.float32), MNI_1MM)
    assert outside_field(brain, MNI_2MM, whole, np.eye(4)) == 0.0
    top = int(np.flatnonzero(mni_brain_mask(MNI_1MM).any(axis=(0, 1)))[-1])
    for cropped in (False, True):  # 12 mm off the top, as empty slices or as none
        data = whole.data.copy()
        data[:, :, top - 11 :] = 0
        kept = data[:, :, : top - 11] if cropped else data
        scan = Volume(kept, Grid.of(kept.shape, MNI_1MM.affine))
        missing = outside_field(brain, MNI_2MM, scan, np.eye(4))
        expected = mni_brain_mask(MNI_1MM)[:, :, top - 11 :].sum() / 1000
        assert missing == pytest.approx(expected, rel=0.15)
        assert [f.verdict for f in judge({"t1w_missing": missing, "flair_missing": 0.0})] == ["check"]
    # A head elsewhere in the scanner is followed by its transform.
    away = np.eye(4)
    away[:3, 3] = (40.0, -30.0, 100.0)
    affine = away @ MNI_1MM.affine
    assert outside_field(brain, MNI_2MM, Volume(whole.data, Grid.of(MNI_1MM.shape, affine)), away) == 0.0
    assert outside_field(brain, MNI_2MM, whole, away) > 180.0


def test_another_weighting_is_to_be_checked() -> None:
    right = {"t1w_grey": 0.75, "t1w_fluid": 0.3, "flair_grey": 1.12, "flair_fluid": 0.5}
    assert judge(right) == []  # type: ignore[arg-type]
    for name, value in (("flair_grey", 0.75), ("t1w_grey", 1.12), ("flair_fluid", 1.6), ("t1w_fluid", 1.6)):
        (finding,) = judge(right | {name: value})  # type: ignore[arg-type]
        assert finding.verdict == "check"
        assert "look" in finding.text
