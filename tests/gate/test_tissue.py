"""Tissues are found as they were made, and the weighting that they say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import ndimage
from tests.gate.conftest import LEVELS

from pellucid.gate.tissue import Tissues, judge_tissues, tissues_in_mni


@pytest.mark.parametrize("weighting", list(LEVELS))
def test_the_tissues_are_those_that_the_image_was_made_of(weighting: str, request: pytest.FixtureRequest) -> None:
    image = request.getfixturevalue(weighting.lower())
    tissues = tissues_in_mni(image.data, image.brain, image.grid)
    fluid, grey, white = LEVELS[weighting]
    assert tissues.grey == pytest.approx(grey / white, abs=0.05)
    assert tissues.fluid == pytest.approx(fluid / white, abs=0.25)  # fluid shares most of its voxels
    assert tissues.share > 0.5


def test_the_contrast_that_is_expected_is_asked_for(flair: Any, t1w: Any, t2w: Any) -> None:
    assert flair.kinds("FLAIR") == t1w.kinds("T1w") == t2w.kinds("T2w") == flair.kinds("") == {}
    assert t1w.kinds("FLAIR") == t2w.kinds("FLAIR") == t2w.kinds("T1w") == {"contrast": True}
    assert "looks like a T1w, where a FLAIR is expected" in t1w.look("FLAIR").findings[0].seen
    assert "looks like a T2w" in t2w.look("FLAIR").findings[0].seen


@pytest.mark.parametrize(
    ("grey", "fluid", "as_flair", "as_t1w"),
    [
        (0.90, 0.3, "looks like a T1w", ""),
        (1.02, 0.3, "may be a T1w", ""),
        (1.08, 0.3, "", "may be a FLAIR"),
        (1.20, 0.8, "", "looks like a FLAIR"),
        (1.20, 0.9, "looks like a T2w", "looks like a T2w"),
    ],
)
def test_clear_contrasts_are_refused_and_near_ones_remarked_on(
    grey: float, fluid: float, as_flair: str, as_t1w: str
) -> None:
    for modality, words in (("FLAIR", as_flair), ("T1w", as_t1w)):
        found = judge_tissues(Tissues(fluid=fluid, grey=grey, share=0.3), modality)
        assert [finding.refused for finding in found] == ([words.startswith("looks") and fluid < 0.9] if words else [])
        assert all(words in finding.seen and f"scan named {modality}" in finding.cure for finding in found)


@pytest.mark.parametrize(("share", "verdict"), [(0.02, [True]), (0.05, [False]), (0.11, [])])
def test_faint_anatomy_is_remarked_on(share: float, verdict: list[bool]) -> None:
    assert [finding.refused for finding in judge_tissues(Tissues(0.3, 1.2, share), "FLAIR")] == verdict


def test_bright_lesions_in_white_matter_make_no_t1w_of_a_flair(flair: Any) -> None:
    data = flair.data.copy()
    xyz = flair.grid.world(np.moveaxis(np.indices(data.shape), 0, -1))
    for side in (-25.0, 25.0):  # 50 ml
        data[np.linalg.norm(xyz - (side, -20.0, 25.0), axis=-1) < 18.0] = 190.0
    assert flair.but(data).look().findings == ()


@pytest.mark.parametrize("smooth", [0.0, 2.0])
def test_noise_in_the_shape_of_a_brain_shows_no_anatomy(smooth: float, flair: Any) -> None:
    noise = np.random.default_rng(1).normal(0.0, 1.0, flair.data.shape)
    noise = ndimage.gaussian_filter(noise, smooth) if smooth else noise
    data = np.where(flair.brain, (100.0 + 10.0 * noise / noise.std()).clip(1.0), 0.0)
    assert flair.but(data).kinds() == {"anatomy": True}
