"""The picture of one map: its limit, its cut, its alarms, and what cannot be drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.report.figures import pixels, words

from pellucid.ground.errors import InputError
from pellucid.image.grid import MNI_1MM, resized
from pellucid.report.pictures.overlay import field_of_view_figure, map_figure
from pellucid.report.pictures.style import ALARM, write

COARSE = resized(MNI_1MM, (31, 37, 31))  # voxel order left-anterior-superior, as the paper's
FULL = np.ones(COARSE.shape, dtype=bool)
WORLD = COARSE.world(np.moveaxis(np.indices(COARSE.shape), 0, -1))
BRAIN = (np.linalg.norm((WORLD - (0, -18, 18)) / (70, 90, 65), axis=-1) < 1).astype(float)


def _ball(centre: tuple[float, float, float], radius: float = 9.0) -> np.ndarray:
    return (np.linalg.norm(WORLD - centre, axis=-1) < radius).astype(float)


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_equal_maps_are_equal_files(tmp_path: Path, suffix: str) -> None:
    relevance, lesions = _ball((-40, -20, 20)) - _ball((40, -20, 20)), _ball((-40, -20, 20), 15) > 0
    files = [tmp_path / f"{name}{suffix}" for name in "ab"]
    for path in files:
        write(map_figure(BRAIN, relevance, COARSE, FULL, lesions=lesions, title="sub-01"), path)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert sorted(tmp_path.iterdir()) == files


def test_a_given_limit_and_centre_are_used(tmp_path: Path) -> None:
    relevance, redness = _ball((30, -20, 20)), []
    for limit, centre in ((1.0, (30, -20, 20)), (50.0, (30, -20, 20)), (1.0, (-30, -20, -30))):
        figure = map_figure(BRAIN, relevance, COARSE, FULL, title="", limit=limit, centre=centre)
        picture = pixels(figure, tmp_path / "map.png")
        redness.append(float((picture[..., 0] - picture[..., 2]).clip(0, None).sum()))
    assert redness[0] > 1.2 * redness[1]  # the colour bar is red in both
    assert redness[0] > 1.2 * redness[2]


def test_the_bar_says_that_voxels_lie_beyond_a_given_limit() -> None:
    relevance = _ball((30, -20, 20))
    assert "+1.00" in words(map_figure(BRAIN, relevance, COARSE, FULL, title=""))
    assert "≥ +0.500" in words(map_figure(BRAIN, relevance, COARSE, FULL, title="", limit=0.5))


def test_empty_maps_and_empty_lesions_can_be_drawn(tmp_path: Path) -> None:
    figure = map_figure(BRAIN, 0 * BRAIN, COARSE, FULL, lesions=~FULL, title="nothing")
    assert pixels(figure, tmp_path / "a.png").std() > 20


def test_a_field_of_view_is_drawn_without_a_map() -> None:
    seen = np.indices(COARSE.shape)[0] < 23
    figure = field_of_view_figure(BRAIN, COARSE, seen, title="view", centre=(0, 0, 0))
    assert len(figure.axes) == 3
    assert any("Hatched" in text for text in words(figure))


def test_scans_without_a_brain_are_refused() -> None:
    with pytest.raises(InputError, match="every voxel is 0"):
        map_figure(0 * BRAIN, BRAIN, COARSE, FULL, title="")


def test_alarms_are_drawn_in_red_above_the_panels_and_notes_below() -> None:
    plain = map_figure(BRAIN, BRAIN, COARSE, FULL, title="sub-01")
    alarms = ["the map sums to -8.26, the logit is +1.04: another sign", "the biases absorbed +9.3"]
    figure = map_figure(BRAIN, BRAIN, COARSE, FULL, title="sub-01", note="Gross.", alarms=alarms)
    (alarm,) = [text for text in figure.texts if text.get_color() == ALARM]
    assert " ".join(alarm.get_text().split()) == f"ALARM: {'; '.join(alarms)}."
    assert not [text for text in plain.texts if text.get_color() == ALARM]
    assert figure.texts[-1].get_text().endswith("Gross.")
    assert figure.get_figheight() > plain.get_figheight()  # no panel gives way
