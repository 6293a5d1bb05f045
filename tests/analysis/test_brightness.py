"""Brightness alone: found where a scaling betrays the group, at chance where it does not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pellucid.analysis.brightness import brightness_alone, mean_brightness
from pellucid.ground.errors import InputError
from pellucid.image.scaling import SCALINGS, scale


def _subject(generator: np.random.Generator, *, patient: bool) -> tuple[np.ndarray, np.ndarray]:
    """A brain of noise around 100; a patient's has a few voxels of 300."""
    image = np.zeros((12, 12, 12), dtype=np.float32)
    brain = np.zeros(image.shape, dtype=bool)
    brain[1:-1, 1:-1, 1:-1] = True
    image[brain] = generator.normal(100.0, 10.0, brain.sum()).astype(np.float32).clip(1, None)
    if patient:
        image[5, 5, 5:8] = 300.0
    return image, brain


def test_mean_brightness_is_the_brains_mean_under_each_scaling() -> None:
    image, brain = _subject(np.random.default_rng(0), patient=True)
    means = mean_brightness(image, brain)
    assert tuple(means) == SCALINGS
    for name, value in means.items():
        assert value == pytest.approx(float(scale(image, brain, name)[brain].mean()), rel=1e-5, abs=1e-6)
    assert means["max"] == pytest.approx(float(image[brain].mean()) / 300.0, rel=1e-5)


def test_dividing_by_the_maximum_makes_brains_without_lesions_brighter() -> None:
    """One bright lesion sets the maximum: the flaw of the paper's scaling, seen as an AUC below 0.5."""
    generator = np.random.default_rng(1)
    rows = [
        {
            "participant_id": f"sub-{n:03d}",
            "label": int(n < 20),
            **mean_brightness(*_subject(generator, patient=n < 20)),
        }
        for n in range(40)
    ]
    table = brightness_alone(pd.DataFrame(rows)).set_index("scaling")
    assert table.index.tolist() == list(SCALINGS)
    assert table.loc["max", "auc"] == 0.0
    assert table.loc["max", "separability"] == 1.0
    assert table.loc["max", "high"] < 0.5


def test_equal_groups_stay_near_chance_and_the_interval_says_so() -> None:
    generator = np.random.default_rng(2)
    means = pd.DataFrame(
        {
            "participant_id": [f"{n:03d}" for n in range(100)],
            "label": np.arange(100) % 2,
            "robust": generator.random(100),
        }
    )
    row = brightness_alone(means).set_index("scaling").loc["robust"]
    assert row["low"] < 0.5 < row["high"]
    assert row["separability"] == max(row["auc"], 1 - row["auc"]) >= 0.5


def test_one_class_or_no_brightness_is_refused() -> None:
    means = pd.DataFrame({"participant_id": ["a", "b"], "label": [1, 1], "robust": [0.0, 1.0]})
    with pytest.raises(InputError, match="no controls"):
        brightness_alone(means)
    with pytest.raises(InputError, match="no column of mean brightness"):
        brightness_alone(means.drop(columns="robust"))
