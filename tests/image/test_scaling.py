from __future__ import annotations

import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.ground.errors import InputError
from pellucid.image.scaling import ROBUST_RANGE, SCALINGS, scale

GENERATOR = np.random.default_rng(3)
BRAIN = GENERATOR.random((6, 7, 8)) < 0.6
IMAGE = np.where(BRAIN, GENERATOR.gamma(3.0, 100.0, BRAIN.shape), 0.0).astype(np.float32)


def slow(method: str) -> np.ndarray:
    """The formulas, one voxel at a time, in Python's own arithmetic."""
    inside = [float(v) for v, b in zip(IMAGE.ravel(), BRAIN.ravel(), strict=True) if b]
    ordered = sorted(inside)

    def percentile(p: float) -> float:
        position = p / 100 * (len(ordered) - 1)
        low = int(position)
        high = min(low + 1, len(ordered) - 1)
        return ordered[low] + (position - low) * (ordered[high] - ordered[low])

    median = statistics.median(inside)
    mad = statistics.median([abs(v - median) for v in inside])
    out = []
    for value, in_brain in zip(IMAGE.ravel(), BRAIN.ravel(), strict=True):
        v = float(value)
        if not in_brain:
            out.append(0.0)
        elif method == "robust":
            out.append(min(max((v - median) / (1.4826 * mad), -1.0), 5.0))
        elif method == "percentile":
            out.append(min(max((v - percentile(1)) / (percentile(99) - percentile(1)), 0.0), 1.0))
        elif method == "minmax":
            out.append((v - ordered[0]) / (ordered[-1] - ordered[0]))
        else:
            out.append(v / float(IMAGE.max()))
    return np.array(out).reshape(IMAGE.shape)


@pytest.mark.parametrize("method", SCALINGS)
def test_agrees_with_the_slow_formula(method: str) -> None:
    scaled = scale(IMAGE, BRAIN, method)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled, slow(method), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("method", SCALINGS)
def test_background_is_exactly_zero_whatever_it_was(method: str) -> None:
    noisy = np.where(BRAIN, IMAGE, np.float32(1e-3))
    np.testing.assert_array_equal(scale(noisy, BRAIN, method), scale(IMAGE, BRAIN, method))
    assert not scale(noisy, BRAIN, method)[~BRAIN].any()


@given(gain=st.floats(0.01, 100), offset=st.floats(0, 1000))
def test_scanner_gain_and_offset_drop_out(gain: float, offset: float) -> None:
    changed = np.where(BRAIN, gain * IMAGE + offset, 0).astype(np.float32)
    tolerance = 1e-4 * max(1.0, offset / gain / 100)
    for method in ("robust", "percentile", "minmax"):
        np.testing.assert_allclose(scale(changed, BRAIN, method), scale(IMAGE, BRAIN, method), atol=tolerance)
    np.testing.assert_allclose(scale(np.float32(gain) * IMAGE, BRAIN, "max"), scale(IMAGE, BRAIN, "max"), atol=1e-6)


@pytest.mark.parametrize("method", ["robust", "percentile", "minmax"])
def test_no_spread(method: str) -> None:
    with pytest.raises(InputError, match=r"scan\.nii: the brain has no spread"):
        scale(np.where(BRAIN, np.float32(5), np.float32(0)), BRAIN, method, where="scan.nii")


@pytest.mark.parametrize("method", SCALINGS)
def test_no_brain(method: str) -> None:
    with pytest.raises(InputError, match="no brain was found"):
        scale(IMAGE, np.zeros_like(BRAIN), method)


def test_unknown_method() -> None:
    with pytest.raises(InputError, match="Choose one of robust, percentile, minmax, max"):
        scale(IMAGE, BRAIN, "zscore")


def test_robust_is_cut_at_both_ends() -> None:
    outliers = IMAGE.copy()
    voxels = np.argwhere(BRAIN)
    outliers[tuple(voxels[0])], outliers[tuple(voxels[1])] = 1e6, 0.0
    dark = np.where(BRAIN, outliers + np.float32(1e4), 0).astype(np.float32)
    dark[tuple(voxels[1])] = 1.0
    scaled = scale(dark, BRAIN, "robust")
    assert (scaled.min(), scaled.max()) == ROBUST_RANGE
