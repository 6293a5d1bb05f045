"""Mean, spread and texture around a voxel, against sums that are written out."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import ndimage

from pellucid.image.grid import Grid
from pellucid.preprocess.texture import SCALE_MM, WIDE_MM, local_statistics, nearest_statistics, robust, texture

OBLONG = Grid.of((6, 5, 4), np.diag([2.0, 3.0, 6.0, 1.0]))
CUBE = Grid.of((32, 32, 32), np.eye(4))


def slow_statistics(image: np.ndarray, tissue: np.ndarray, grid: Grid) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The formulas in float64, voxel by voxel and pair by pair."""
    sizes = np.array(grid.voxel_sizes)
    reach = [int(3.0 * SCALE_MM / s + 0.5) for s in sizes]
    voxels = list(itertools.product(*(range(n) for n in grid.shape)))

    def weight(v: tuple[int, ...], u: tuple[int, ...]) -> float:
        if any(abs(a - b) > r for a, b, r in zip(v, u, reach, strict=True)):
            return 0.0
        return float(np.exp(-(((np.array(v) - u) * sizes) ** 2).sum() / (2 * SCALE_MM**2)))

    kept = {v for v in voxels if tissue[v]}
    mean, spread, number = (np.zeros(grid.shape) for _ in range(3))
    for turn in range(3):
        for v in voxels:
            w = {u: weight(v, u) for u in kept}
            mean[v] = sum(w[u] * image[u] for u in kept) / sum(w.values())
            number[v] = sum(w.values()) ** 2 / sum(x * x for x in w.values())
        for v in voxels:
            w = {u: weight(v, u) for u in kept}
            spread[v] = np.sqrt(np.pi / 2) * sum(w[u] * abs(image[u] - mean[u]) for u in kept) / sum(w.values())
        if turn < 2:
            kept = {u for u in kept if abs(image[u] - mean[u]) <= 2.5 * spread[u]}
    z = np.linspace(-2.5, 2.5, 100_001)
    cut = (np.abs(z) * np.exp(-(z**2) / 2)).sum() / np.exp(-(z**2) / 2).sum() / np.sqrt(2 / np.pi)
    return mean, spread / cut, number


def test_statistics_agree_with_the_slow_twin() -> None:
    rng = np.random.default_rng(2)
    tissue = rng.random(OBLONG.shape) < 0.7
    image = rng.normal(100.0, 5.0, OBLONG.shape).astype(np.float32)
    image[3, 2, 2] = 400.0  # an outlier, that has to go
    tissue[3, 2, 2] = True
    found = local_statistics(image, tissue, OBLONG)
    for fast, slow in zip(found, slow_statistics(image, tissue, OBLONG), strict=True):
        np.testing.assert_allclose(fast, slow, rtol=2e-3)
        assert fast.dtype == np.float32
    assert found[1].max() < 10.0


def test_where_there_is_no_tissue_the_number_is_0() -> None:
    tissue = np.zeros(CUBE.shape, dtype=bool)
    tissue[:4] = True
    mean, spread, number = local_statistics(np.full(CUBE.shape, 7.0, np.float32), tissue, CUBE)
    assert (number[20:] == 0).all()
    assert (spread == 0).all()
    np.testing.assert_array_equal(mean, 7.0)
    assert number[2, 16, 16] > number[8, 16, 16] > 0


def test_spread_is_a_standard_deviation() -> None:
    image = np.random.default_rng(3).normal(50.0, 4.0, CUBE.shape).astype(np.float32)
    mean, spread, number = local_statistics(image, np.ones(CUBE.shape, dtype=bool), CUBE)
    assert spread.mean() == pytest.approx(4.0, rel=0.02)
    assert mean.mean() == pytest.approx(50.0, rel=0.002)
    # In the middle, Kish's number of a Gaussian: (4 pi)^(3/2) sigma³.
    assert number[16, 16, 16] == pytest.approx((4 * np.pi) ** 1.5 * SCALE_MM**3, rel=0.1)


def slow_correlation(field: np.ndarray, mask: np.ndarray, lag: tuple[int, int, int]) -> float:
    """The mean of products at one lag over pairs of voxels, by their definition."""
    products = [
        field[v] * field[tuple(np.add(v, lag))]
        for v in np.ndindex(field.shape)
        if all(0 <= a + b < n for a, b, n in zip(v, lag, field.shape, strict=True))
        and mask[v]
        and mask[tuple(np.add(v, lag))]
    ]
    return float(np.mean(products)) / float(field[mask].var())


@pytest.mark.parametrize("widths", [(0.0, 0.0, 0.0), (0.7, 0.7, 0.7), (1.2, 0.6, 0.3)])
def test_the_field_has_the_texture_of_the_tissue(widths: tuple[float, float, float]) -> None:
    rng = np.random.default_rng(4)
    residual = ndimage.gaussian_filter(rng.standard_normal(CUBE.shape), widths).astype(np.float32) * 30.0
    tissue = ndimage.gaussian_filter(rng.standard_normal(CUBE.shape), 3.0) > 0.0
    residual[~tissue] = 1e4  # what lies elsewhere has no part in it
    fields = [texture(residual, tissue, CUBE, np.random.default_rng(seed)) for seed in range(4)]
    assert np.std(fields) == pytest.approx(1.0, abs=0.05)
    assert np.mean(fields) == pytest.approx(0.0, abs=0.1)
    everywhere = np.ones(CUBE.shape, dtype=bool)
    for lag in ((1, 0, 0), (0, 1, 0), (0, 0, 1), (2, 0, 0), (1, 1, 0)):
        expected = slow_correlation(residual.astype(np.float64), tissue, lag)
        found = np.mean([slow_correlation(field, everywhere, lag) for field in fields[:2]])
        assert found == pytest.approx(expected, abs=0.06), lag


def test_without_any_tissue_the_field_is_white_noise() -> None:
    field = texture(np.zeros(CUBE.shape, np.float32), np.zeros(CUBE.shape, dtype=bool), CUBE, np.random.default_rng(0))
    assert field.std() == pytest.approx(1.0, abs=0.02)
    assert slow_correlation(field, np.ones(CUBE.shape, dtype=bool), (1, 0, 0)) == pytest.approx(0.0, abs=0.02)


def test_nearest_statistics_are_those_of_the_nearest() -> None:
    grid = Grid.of((80, 4, 4), np.diag([1.0, 1.5, 2.0, 1.0]))
    rng = np.random.default_rng(5)
    image = rng.normal(10.0, 1.0, grid.shape).astype(np.float32)
    tissue = np.zeros(grid.shape, dtype=bool)
    tissue[:20] = True
    voxels = np.array([[22, 1, 2], [30, 0, 0], [75, 3, 3]])
    median, spread, few = nearest_statistics(image, tissue, grid, voxels)
    known = np.argwhere(tissue)
    for v, m, s, none in zip(voxels, median, spread, few, strict=True):
        distance = np.sqrt((((known - v) * grid.voxel_sizes) ** 2).sum(axis=1))
        assert none == (np.count_nonzero(distance < WIDE_MM) < 60)
        nearest = image[tissue][np.argsort(distance)[:200]] if not none else image[tissue]
        # Which of several equally near ones is taken is nobody's business.
        assert m == pytest.approx(float(np.median(nearest)), abs=0.05)
        assert s == pytest.approx(1.4826 * float(np.median(np.abs(nearest - np.median(nearest)))), abs=0.1)
    assert list(few) == [False, False, True]


def test_robust_spread_heeds_no_outlier() -> None:
    values = np.append(np.random.default_rng(6).normal(5.0, 2.0, 5000), [1e6] * 50).astype(np.float32)
    assert robust(values) == pytest.approx((5.0, 2.0), abs=0.15)
