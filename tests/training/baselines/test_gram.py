from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.feature_selection import VarianceThreshold
from sklearn.metrics.pairwise import rbf_kernel as slow_rbf
from sklearn.preprocessing import StandardScaler

from pellucid.training.baselines import gram
from pellucid.training.baselines.gram import chunks, grams, rbf_kernel, unit_kernel, weights

Array = np.ndarray


@pytest.fixture
def features() -> Array:
    """Forty scans of 300 voxels: shared structure, an offset far above the spread, and voxels that do not vary."""
    generator = np.random.default_rng(3)
    x = generator.normal(0, 1, (40, 300)) + 3 * generator.normal(0, 1, (40, 2)) @ generator.normal(0, 1, (2, 300))
    x[:, :50] = 100 + x[:, :50] / 100
    x[:, 50:60] = 0.1  # no float32 is 0.1 exactly
    x[:, 60] = np.where(np.arange(40) == 7, 5.0, 0.3)  # varies with scan 7 only
    return x.astype(np.float32)


@pytest.fixture(params=[None, 1, 7 * 8 * 30])
def chunk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param is not None:
        monkeypatch.setattr(gram, "_CHUNK_BYTES", request.param)


ROWS = np.r_[2:20, 30:40, 0]
TRAININGS = [np.arange(0, 29, 2), np.arange(29), np.arange(10, 29)]


def standardised(x: Array, training: Array) -> Array:
    varying = VarianceThreshold(1e-12).fit(x[training])
    z: Array = StandardScaler().fit(varying.transform(x[training])).transform(varying.transform(x))
    return z


@pytest.mark.usefixtures("chunk")
def test_grams_against_standardising_the_features(features: Array) -> None:
    for matrix, training in zip(grams(features, ROWS, TRAININGS), TRAININGS, strict=True):
        z = standardised(features[ROWS].astype(np.float64), training)
        np.testing.assert_allclose(matrix, z @ z.T, rtol=1e-8, atol=1e-8)
    for matrix, training in zip(grams(features, ROWS, TRAININGS, scale=False), TRAININGS, strict=True):
        x = features[ROWS].astype(np.float64)
        kept = VarianceThreshold(1e-12).fit(x[training]).get_support()
        z = (x - x[training].mean(axis=0))[:, kept]
        np.testing.assert_allclose(matrix, z @ z.T, rtol=1e-8, atol=1e-8)


def test_a_voxel_that_the_training_scans_do_not_show_is_left_out(features: Array) -> None:
    changed = features.copy()
    changed[7, 60] = 1000.0
    position = int(np.flatnonzero(ROWS == 7)[0])
    without, with_it = np.delete(np.arange(29), position), np.arange(29)
    before, after = grams(features, ROWS, [without, with_it]), grams(changed, ROWS, [without, with_it])
    np.testing.assert_array_equal(before[0], after[0])
    far = features.copy()
    far[:, 60] = 0.3
    assert not np.allclose(before[1], grams(far, ROWS, [with_it])[0])


def test_rows_that_are_not_asked_for_are_not_read(features: Array) -> None:
    changed = features.copy()
    changed[np.setdiff1d(np.arange(40), ROWS)] = np.nan
    for a, b in zip(grams(features, ROWS, TRAININGS), grams(changed, ROWS, TRAININGS), strict=True):
        np.testing.assert_array_equal(a, b)


def test_test_scans_change_nothing_among_training_scans(features: Array) -> None:
    training = TRAININGS[0]
    changed = features.copy()
    changed[np.delete(ROWS, training)] *= -3
    a, b = (grams(x, ROWS, [training])[0][np.ix_(training, training)] for x in (features, changed))
    np.testing.assert_array_equal(a, b)


def test_unit_kernel_is_that_of_features_of_mean_square_length_one(features: Array) -> None:
    training = TRAININGS[0]
    (matrix,) = grams(features, ROWS, [training])
    z = standardised(features[ROWS].astype(np.float64), training)
    kernel, _ = unit_kernel(matrix, training)
    np.testing.assert_allclose(kernel, z @ z.T / z.shape[1], atol=1e-10)
    assert np.trace(kernel[np.ix_(training, training)]) == pytest.approx(len(training))


@pytest.mark.parametrize("components", [1, 3, 14])
def test_components_against_pca_of_the_features(features: Array, components: int) -> None:
    training = TRAININGS[0]
    (matrix,) = grams(features, ROWS, [training])
    z = standardised(features[ROWS].astype(np.float64), training)
    pca = PCA(components, svd_solver="full").fit(z[training])
    f = pca.transform(z) / np.sqrt(pca.transform(z[training]).var(axis=0).sum())
    kernel, _ = unit_kernel(matrix, training, components)
    np.testing.assert_allclose(kernel, f @ f.T, atol=1e-8)
    for gamma in (0.001, 1.0):
        np.testing.assert_allclose(rbf_kernel(kernel, gamma), slow_rbf(f, gamma=gamma), atol=1e-8)


def test_gamma_is_in_units_of_scale(features: Array) -> None:
    training = np.arange(29)
    z = standardised(features[ROWS].astype(np.float64), training)
    kernel, _ = unit_kernel(grams(features, ROWS, [training])[0], training)
    scale = 1.0 / (z.shape[1] * z.var())
    np.testing.assert_allclose(rbf_kernel(kernel, 0.1), slow_rbf(z, gamma=0.1 * scale), atol=1e-10)


def test_more_components_than_directions(features: Array) -> None:
    one = features[:, 100:101]
    (matrix,) = grams(one, ROWS, [np.arange(29)])
    np.testing.assert_allclose(unit_kernel(matrix, np.arange(29), 20)[0], matrix, atol=1e-8)


def test_nothing_varies() -> None:
    (matrix,) = grams(np.full((6, 4), 0.1, dtype=np.float32), np.arange(6), [np.arange(4)])
    for components in (0, 2):
        np.testing.assert_array_equal(unit_kernel(matrix, np.arange(4), components)[0], np.zeros((6, 6)))


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize("components", [0, 4])
def test_weights_say_what_the_kernel_says(features: Array, components: int) -> None:
    everyone = np.arange(len(ROWS))
    (matrix,) = grams(features, ROWS, [everyone])
    kernel, projection = unit_kernel(matrix, everyone, components)
    dual = np.random.default_rng(0).normal(size=len(ROWS))
    w, offset = weights(features, ROWS, projection @ dual)
    np.testing.assert_allclose(features[ROWS].astype(np.float64) @ w + offset, kernel @ dual, atol=1e-8)
    assert (w[50:60] == 0).all()
    w, offset = weights(features, ROWS, dual, scale=False)
    (matrix,) = grams(features, ROWS, [everyone], scale=False)
    np.testing.assert_allclose(features[ROWS].astype(np.float64) @ w + offset, matrix @ dual, atol=1e-6)


def test_memory_is_bounded_by_the_chunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    n, p = 20, 200_000
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(n, p)).astype(np.float32))
    x = np.load(tmp_path / "x.npy", mmap_mode="r")  # 16 MB, 32 in float64
    monkeypatch.setattr(gram, "_CHUNK_BYTES", 2**20)
    tracemalloc.start()
    try:
        grams(x, np.arange(n), [np.arange(n), np.arange(15)])
        weights(x, np.arange(n), np.ones(n))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 6 * 2**20 + 8 * p  # chunks, and the weights


def test_ticks_are_chunks(features: Array, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gram, "_CHUNK_BYTES", 8 * 29 * 128)
    ticks: list[int] = []
    grams(features, ROWS, TRAININGS, tick=lambda: ticks.append(1))
    assert len(ticks) == chunks(features, ROWS) == 3
