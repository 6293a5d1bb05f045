"""Bright voxels: the count of a slow twin, what is chosen by whom, and what the choice must not see."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from pellucid.cohort.store import Store
from pellucid.ground.errors import InputError
from pellucid.image.grid import MNI_1MM, resized
from pellucid.image.scaling import scale
from pellucid.training.baselines.bright import SCALINGS, THRESHOLDS, bright_voxels, fit_bright, names
from pellucid.training.baselines.fit import run_baseline
from pellucid.training.baselines.search import Data
from pellucid.training.baselines.settings import BaselineSettings

GRID = resized(MNI_1MM, (12, 13, 11))
N = 60
ROWS = {"train": np.arange(30), "validation": np.arange(30, 40), "holdout": np.arange(40, N)}


def scans(*, lesions: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return images, brains and labels; patients have some voxels six spreads above the median, all have noise."""
    generator = np.random.default_rng(seed)
    label = np.arange(N) % 2
    images = generator.normal(0.0, 1.0, (N, *GRID.shape)).astype(np.float32)
    brain = np.zeros(images.shape, dtype=bool)
    brain[:, 1:-1, 1:-1, 1:-1] = True
    for n in np.flatnonzero(label == 1):
        images[n, 2:4, 2:4, 2 : 2 + generator.integers(0, lesions + 1)] = 4.4
    images[~brain] = 0.0
    return images, brain, label


def make_store(folder: Path, images: np.ndarray, brain: np.ndarray, label: np.ndarray, scaling: str) -> Store:
    table = pd.DataFrame(
        {
            "participant_id": [f"sub-{n:02d}" for n in range(N)],
            "session_id": None,
            "group": np.where(label == 1, "MS", "HC"),
            "label": label,
            "sha256": [f"{n:064x}" for n in range(N)],
        }
    )
    return Store(
        folder=folder,
        grid=GRID,
        scaling=scaling,
        modality="FLAIR",
        classes={0: "HC", 1: "MS"},
        table=table,
        problems=[],
        images=images,
        brain=brain,
        masks=np.zeros(images.shape, dtype=bool),
    )


def data_of(x: np.ndarray, label: np.ndarray, people: list[str] | None = None) -> Data:
    names_of = people if people is not None else [f"sub-{n:03d}" for n in range(len(label))]
    everyone = np.arange(len(label))
    return Data(x, label, np.array(names_of, dtype=object), everyone, everyone[:0])


def test_the_count_of_a_slow_twin() -> None:
    images, brain, _ = scans(lesions=3)
    values = [float(v) for v, inside in zip(images[1].ravel(), brain[1].ravel(), strict=True) if inside]
    median = float(np.median(values))
    spread = 1.4826 * float(np.median([abs(v - median) for v in values]))
    expected = [np.log((sum(v > median + t * spread for v in values) + 0.5) / (len(values) + 1)) for t in THRESHOLDS]
    np.testing.assert_allclose(bright_voxels(images[1], brain[1]), expected, rtol=1e-12)
    assert len(names()) == len(THRESHOLDS)


@given(factor=st.floats(0.01, 1000.0), offset=st.floats(-100.0, 100.0))
def test_the_unit_of_the_scan_does_not_matter(factor: float, offset: float) -> None:
    generator = np.random.default_rng(1)
    image, brain = generator.gamma(2.0, 1.0, (9, 9, 9)), generator.random((9, 9, 9)) < 0.8
    found = bright_voxels(factor * image + offset, brain)
    np.testing.assert_allclose(np.exp(found), np.exp(bright_voxels(image, brain)), atol=2 / brain.sum())


@pytest.mark.parametrize("scaling", SCALINGS)
def test_the_scalings_that_are_taken_keep_what_is_counted(scaling: str) -> None:
    generator = np.random.default_rng(2)
    image, brain = (100 * generator.gamma(2.0, 1.0, (20, 20, 20))).astype(np.float32), np.ones((20, 20, 20), dtype=bool)
    np.testing.assert_array_equal(bright_voxels(scale(image, brain, scaling), brain), bright_voxels(image, brain))


def test_a_scaling_that_cuts_bright_voxels_off_is_refused(tmp_path: Path) -> None:
    store = make_store(tmp_path, *scans(lesions=3), "percentile")
    with pytest.raises(InputError, match="cuts off the brightest"):
        run_baseline(store, ROWS, BaselineSettings(kind="bright-voxels"), tmp_path / "out")


def test_the_files_say_what_was_chosen_and_predict_by_it(tmp_path: Path) -> None:
    images, brain, label = scans(lesions=6)
    result = run_baseline(
        make_store(tmp_path, images, brain, label, "robust"), ROWS, BaselineSettings(kind="bright-voxels"), tmp_path
    )
    chosen = result.described["chosen"]
    assert chosen["metric"] == "auc"
    assert chosen["patients"] == "more"
    assert 2.5 <= chosen["threshold"] <= 4.25
    held = result.predictions[result.predictions["role"] == "holdout"]
    assert len(held) == 20
    x = np.array([bright_voxels(images[n], brain[n])[THRESHOLDS.index(chosen["threshold"])] for n in ROWS["holdout"]])
    assert roc_auc_score(held["label"], held["logit"]) == roc_auc_score(label[ROWS["holdout"]], x) > 0.8
    weights = result.described["weights"]
    assert [name for name, weight in weights.items() if weight] == [f"log_share_above_{chosen['threshold']:g}"]
    slope = weights[f"log_share_above_{chosen['threshold']:g}"]
    np.testing.assert_allclose(held["logit"], slope * x + result.described["intercept"], rtol=1e-9)
    np.testing.assert_allclose(held["probability_not_calibrated"], expit(held["logit"]))


def test_patients_with_fewer_bright_voxels_are_found_too() -> None:
    generator = np.random.default_rng(3)
    label = np.arange(40) % 2
    x = generator.normal(-6.0, 0.1, (40, len(THRESHOLDS)))
    x[:, 5] -= label
    fit = fit_bright(data_of(x, label))
    row = fit.history[fit.history["chosen"]].iloc[0]
    assert (row["threshold"], row["patients"]) == (THRESHOLDS[5], "fewer")
    assert row["mean"] == 1.0
    assert ((fit.decision > 0) == (label == 1)).all()


def test_who_is_held_out_chooses_nothing(tmp_path: Path) -> None:
    images, brain, label = scans(lesions=4)
    found = []
    for change in (0.0, 3.0):
        images[ROWS["holdout"], 5:8, 5:8, 5:8] += change
        out = tmp_path / str(change)
        store = make_store(tmp_path, images, brain, label, "robust")
        result = run_baseline(store, ROWS, BaselineSettings(kind="bright-voxels"), out)
        found.append((result.described["chosen"], result.described["weights"], result.described["intercept"]))
    assert found[0] == found[1]


def test_a_participant_counts_once_however_many_scans() -> None:
    generator = np.random.default_rng(4)
    label = np.repeat([0, 1], 8)
    x = generator.normal(-6.0, 1.0, (16, len(THRESHOLDS)))
    people = [f"sub-{n}" for n in range(16)]
    once = fit_bright(data_of(x, label, people))
    again = fit_bright(data_of(np.repeat(x, 3, axis=0), np.repeat(label, 3), [name for name in people for _ in "abc"]))
    assert once.history["mean"].tolist() == pytest.approx(again.history["mean"].tolist())
    assert once.intercept == pytest.approx(again.intercept)
    np.testing.assert_allclose(once.weights, again.weights)


def test_equal_scans_and_flat_brains_are_refused() -> None:
    with pytest.raises(InputError, match="same share of bright voxels"):
        fit_bright(data_of(np.full((6, len(THRESHOLDS)), -3.0), np.arange(6) % 2))
    flat = np.ones((4, 4, 4))
    for brain in (flat > 0, flat < 0):
        with pytest.raises(InputError, match="no spread"):
            bright_voxels(flat, brain)
