"""Lesion filling: what changes, what does not, and how what changed looks; `slice` against a slow twin."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import ndimage

from pellucid.ground.errors import InputError
from pellucid.image.grid import Grid
from pellucid.image.nifti import read_mask, read_volume
from pellucid.image.prepare import find_brain
from pellucid.preprocess.filling import (
    METHODS,
    RIM_MM,
    Filled,
    dilate,
    dilate_original,
    fill_lesions,
    healthy_white,
)

GRID = Grid.of((40, 44, 36), np.diag([-1.0, 1.0, 1.0, 1.0]))
CENTRE = (20, 22, 18)


def ball(grid: Grid, centre: tuple[int, int, int], millimetres: float) -> np.ndarray:
    ijk = np.moveaxis(np.indices(grid.shape), 0, -1)
    return np.linalg.norm((ijk - centre) * grid.voxel_sizes, axis=-1) <= millimetres


def head(*, seed: int = 1, lesion: float = 160.0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A ball of white matter (100) in grey matter (125), with a ventricle (20) and a lesion beside it and its halo."""
    rng = np.random.default_rng(seed)
    brain = ball(GRID, CENTRE, 17.0)
    white = ball(GRID, CENTRE, 14.0)
    fluid = ball(GRID, (20, 14, 18), 4.0)
    white &= ~fluid
    lesions = ball(GRID, (20, 22, 18), 4.0) & ~ndimage.binary_dilation(fluid)
    true = np.where(white, 100.0, np.where(fluid, 20.0, 125.0))
    share = ndimage.gaussian_filter(ndimage.binary_dilation(lesions).astype(float), 0.6) * ~fluid
    texture = ndimage.gaussian_filter(rng.standard_normal(GRID.shape), 0.6)
    image = true + share * (lesion - true) + 5.0 * texture / texture.std()
    return np.where(brain, image, 0.0).astype(np.float32), lesions, white, fluid


# --- the slow twin of `slice` -------------------------------------------------------------------------------------


def slow_slices(image: np.ndarray, lesions: np.ndarray, white: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The original's steps (docs/original.md, 3), voxel by voxel, on axes that are x, y, z; and the dilated mask."""
    hits = np.zeros(image.shape, dtype=int)
    for v in np.ndindex(image.shape):
        for step in product((-1, 0, 1), repeat=3):
            u = tuple(np.add(v, step))
            corner = all(step)
            if not corner and all(0 <= a < n for a, n in zip(u, image.shape, strict=True)):
                hits[v] += int(lesions[u])
    wider = hits >= hits.max() / 8
    rng = np.random.default_rng(seed)
    out = image.copy()
    for k in range(image.shape[2]):
        values = [float(image[i, j, k]) for i, j in np.ndindex(image.shape[:2]) if white[i, j, k] and image[i, j, k]]
        if not wider[:, :, k].any() or not values:
            continue
        mean = sum(values) / len(values)
        sd = (sum((v - mean) ** 2 for v in values) / len(values)) ** 0.5
        drawn = rng.normal(mean, sd / 2)
        for i, j in np.ndindex(image.shape[:2]):
            if wider[i, j, k]:
                out[i, j, k] = drawn
    return out, wider


def small(seed: int, shape: tuple[int, int, int] = (9, 8, 7)) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Random image with background, lesions and white matter; the top slice without white matter."""
    rng = np.random.default_rng(seed)
    image = rng.gamma(20.0, 5.0, shape).astype(np.float32)
    image[rng.random(shape) < 0.2] = 0.0
    white = rng.random(shape) < 0.6
    white[:, :, -1] = False
    return image, rng.random(shape) < 0.08, white


@pytest.mark.parametrize("seed", range(4))
def test_slice_agrees_with_the_slow_twin(seed: int) -> None:
    image, lesions, white = small(seed)
    lesions[4, 4, -1] = True
    grid = Grid.of(image.shape, np.eye(4))
    filled = fill_lesions(image, lesions, white, grid, seed=seed, method="slice")
    expected, wider = slow_slices(image, lesions, white, seed)
    np.testing.assert_array_equal(dilate_original(lesions), wider)
    np.testing.assert_allclose(filled.image, expected, rtol=1e-6)
    np.testing.assert_array_equal(filled.changed, wider & (np.arange(7) < 6))
    np.testing.assert_array_equal(filled.unfilled, lesions & (np.arange(7) == 6))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
@pytest.mark.parametrize("flips", [(), (0,), (1, 2)])
def test_slices_are_axial_whatever_the_voxel_order(order: tuple[int, int, int], flips: tuple[int, ...]) -> None:
    image, lesions, white = small(7)
    grid = Grid.of(image.shape, np.eye(4))
    expected = fill_lesions(image, lesions, white, grid, seed=3, method="slice").image
    turned, new = turn((image, lesions, white), grid, order, flips)
    found = fill_lesions(*turned, new, seed=3, method="slice").image
    np.testing.assert_array_equal(found, turn((expected,), grid, order, flips)[0][0])


def turn(
    volumes: tuple[np.ndarray, ...], grid: Grid, order: tuple[int, int, int], flips: tuple[int, ...]
) -> tuple[list[np.ndarray], Grid]:
    """Exchange and reverse the voxel axes, and the affine with them, so that every voxel keeps its place."""
    affine = grid.affine[:, [*order, 3]]
    shape = tuple(grid.shape[a] for a in order)
    for axis in flips:
        affine[:, 3] += affine[:, axis] * (shape[axis] - 1)
        affine[:, axis] *= -1
    out = [np.ascontiguousarray(np.flip(np.transpose(v, order), flips)) for v in volumes]
    return out, Grid.of(shape, affine)


# --- laws ---------------------------------------------------------------------------------------------------------


@given(
    seed=st.integers(0, 10_000),
    method=st.sampled_from(METHODS),
    sizes=st.tuples(*[st.sampled_from([0.7, 1.0, 3.0])] * 3),
    shape=st.tuples(*[st.integers(4, 11)] * 3),
)
def test_nothing_but_lesions_and_their_rim_changes(
    seed: int, method: str, sizes: tuple[float, float, float], shape: tuple[int, int, int]
) -> None:
    image, lesions, white = small(seed, shape)
    lesions &= np.random.default_rng(seed).random(shape) < 0.3
    given_image = image.copy()
    grid = Grid.of(shape, np.diag([*sizes, 1.0]))
    assume(method == "slice" or not lesions.any() or (white & (image != 0.0) & ~dilate(lesions, grid, 3.0)).any())
    filled = fill_lesions(image, lesions, white, grid, seed=seed, method=method)
    np.testing.assert_array_equal(image, given_image)
    assert filled.image.shape == shape
    assert filled.image.dtype == np.float32
    assert np.isfinite(filled.image).all()
    assert filled.image.min() >= 0.0
    np.testing.assert_array_equal(filled.image[~filled.changed], image[~filled.changed])
    allowed = dilate(lesions, grid, RIM_MM) if method == "local" else dilate_original(lesions)
    assert not (filled.changed & ~allowed).any()
    np.testing.assert_array_equal(filled.unfilled, lesions & ~filled.changed)
    assert not ((filled.wide | filled.whole_brain) & ~filled.changed).any()
    assert not (filled.wide & filled.whole_brain).any()
    if method == "local":
        assert (filled.image[image == 0.0] == 0.0).all()
        np.testing.assert_array_equal(filled.unfilled, lesions & (image == 0.0))
    again = fill_lesions(image, lesions, white, grid, seed=seed, method=method)
    np.testing.assert_array_equal(again.image, filled.image)


@pytest.mark.parametrize("method", METHODS)
def test_another_seed_is_another_image(method: str) -> None:
    image, lesions, white, _ = head()
    one, other = (fill_lesions(image, lesions, white, GRID, seed=seed, method=method).image for seed in (0, 1))
    assert (one != other).any()


@pytest.mark.parametrize("method", METHODS)
def test_an_empty_mask_gives_the_image_back(method: str) -> None:
    image, lesions, white, _ = head()
    filled = fill_lesions(image, np.zeros_like(lesions), white, GRID, seed=0, method=method)
    np.testing.assert_array_equal(filled.image, image)
    assert filled.image is not image
    assert not filled.changed.any()


@pytest.mark.parametrize(("order", "flips"), [((0, 1, 2), (0,)), ((2, 0, 1), ()), ((1, 0, 2), (1, 2))])
def test_the_voxel_order_changes_no_statistics(order: tuple[int, int, int], flips: tuple[int, ...]) -> None:
    image, lesions, white, _ = head()
    one = fill_lesions(image, lesions, white, GRID, seed=0)
    turned, grid = turn((image, lesions, white), GRID, order, flips)
    other = fill_lesions(*turned, grid, seed=0)
    back = turn((one.changed,), GRID, order, flips)[0][0]
    assert (back == other.changed).mean() > 0.9999  # nearest voxels that are equally near may differ
    assert other.image[other.changed].mean() == pytest.approx(one.image[one.changed].mean(), rel=0.02)
    assert other.image[other.changed].std() == pytest.approx(one.image[one.changed].std(), rel=0.25)


@given(factor=st.sampled_from([0.01, 1.0, 37.0]), offset=st.sampled_from([0.0, -500.0]))
def test_the_unit_of_the_image_does_not_matter(factor: float, offset: float) -> None:
    image, lesions, white, _ = head()
    brain = image != 0.0
    one = fill_lesions(image, lesions, white, GRID, seed=0, brain=brain)
    other = fill_lesions(image * np.float32(factor) + np.float32(offset), lesions, white, GRID, seed=0, brain=brain)
    np.testing.assert_array_equal(one.changed, other.changed)
    np.testing.assert_allclose(other.image, one.image * factor + offset, atol=0.02 * factor + 2e-3)


# --- how it looks -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lesion", [160.0, 70.0])
def test_the_lesion_looks_like_the_white_matter_around(lesion: float) -> None:
    image, lesions, white, _ = head(lesion=lesion)
    filled = fill_lesions(image, lesions, white, GRID, seed=0)
    around = healthy_white(image, lesions, white, GRID)
    assert abs(image[lesions].mean() - 100.0) > 20.0
    assert filled.image[lesions].mean() == pytest.approx(image[around].mean(), rel=0.03)
    assert filled.image[lesions].std() == pytest.approx(image[around].std(), rel=0.25)
    # The halo went with it.
    halo = dilate(lesions, GRID, RIM_MM) & ~lesions & white
    assert abs(image[halo].mean() - 100.0) > 10.0
    assert filled.image[halo].mean() == pytest.approx(100.0, abs=5.0)
    assert filled.changed[lesions].all()
    assert not (filled.wide | filled.whole_brain).any()


def test_mean_follows_the_white_matter_from_place_to_place() -> None:
    image, lesions, white, _ = head()
    shading = np.linspace(0.7, 1.3, GRID.shape[0], dtype=np.float32)[:, None, None]
    filled = fill_lesions(image * shading, lesions, white, GRID, seed=0)
    for i in (17, 20, 23):
        here = lesions.copy()
        here[:i] = here[i + 1 :] = False
        assert filled.image[here].mean() == pytest.approx(100.0 * float(shading[i, 0, 0]), rel=0.05)


def test_fluid_and_cortex_beside_a_lesion_stay() -> None:
    image, _, white, fluid = head()
    # Lesions that touch the ventricle and the cortex.
    lesions = (ball(GRID, (20, 19, 18), 2.5) & ~fluid) | (ball(GRID, (20, 34, 18), 2.5) & white)
    image[lesions] = 160.0
    filled = fill_lesions(image, lesions, white, GRID, seed=0)
    assert (dilate(lesions, GRID, RIM_MM) & fluid).sum() > 10
    assert not (filled.changed & fluid).any()
    cortex = dilate(lesions, GRID, RIM_MM) & (image != 0.0) & ~white & ~fluid
    assert cortex.sum() > 10
    assert filled.image[cortex].mean() == pytest.approx(125.0, abs=5.0)
    assert filled.image[cortex].min() > 105.0
    assert filled.image[lesions].mean() == pytest.approx(100.0, abs=3.0)


def test_lesions_do_not_count_as_white_matter() -> None:
    image, lesions, white, _ = head()
    healthy = healthy_white(image, lesions, white | lesions, GRID)
    assert not (healthy & dilate(lesions, GRID, 3.0)).any()
    assert image[healthy].max() < 130.0


def test_far_from_white_matter_it_comes_from_farther_away() -> None:
    grid = Grid.of((120, 16, 16), np.eye(4))
    image = np.random.default_rng(0).normal(100.0, 5.0, grid.shape).astype(np.float32)
    white = np.zeros(grid.shape, dtype=bool)
    white[:20] = True
    lesions = np.zeros(grid.shape, dtype=bool)
    for i in (24, 40, 100):
        lesions[i : i + 3, 6:9, 6:9] = True
    filled = fill_lesions(image + np.where(lesions, np.float32(80.0), np.float32(0.0)), lesions, white, grid, seed=0)
    where = [lesions & (abs(np.arange(120) - i - 1) < 3)[:, None, None] for i in (24, 40, 100)]
    assert not (filled.wide | filled.whole_brain)[where[0]].any()
    assert filled.wide[where[1]].all()
    assert filled.whole_brain[where[2]].all()
    for part in where:
        assert filled.image[part].mean() == pytest.approx(100.0, abs=6.0)


# --- errors -------------------------------------------------------------------------------------------------------


def test_what_cannot_be_filled_is_refused() -> None:
    image, lesions, white, _ = head()
    with pytest.raises(InputError, match="no white matter is left"):
        fill_lesions(image, lesions, np.zeros_like(white), GRID, seed=0)
    with pytest.raises(InputError, match="local, slice"):
        fill_lesions(image, lesions, white, GRID, seed=0, method="blur")
    with pytest.raises(ValueError, match="lesions of shape"):
        fill_lesions(image, lesions[1:], white, GRID, seed=0)
    tilted = GRID.affine
    tilted[:3, :3] = tilted[:3, :3] @ np.array([[1, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]])
    with pytest.raises(InputError, match="oblique"):
        fill_lesions(image, lesions, white, Grid.of(GRID.shape, tilted), seed=0, method="slice")
    # `local` does not mind.
    assert fill_lesions(image, lesions, white, Grid.of(GRID.shape, tilted), seed=0).changed.any()


# --- real patients ------------------------------------------------------------------------------------------------


def crude_white(t1: np.ndarray, lesions: np.ndarray) -> np.ndarray:
    """The brightest of three clusters of the T1w's intensities, two voxels inside the brain."""
    inner = ndimage.binary_erosion(find_brain(t1), iterations=2)
    x = t1[inner & ~lesions]
    centres = np.percentile(x, (5.0, 40.0, 85.0))
    for _ in range(50):
        nearest = np.abs(x[:, None] - centres).argmin(axis=1)
        centres = np.array([x[nearest == k].mean() for k in range(3)])
    return inner & (t1 > centres[1:].mean())


@pytest.mark.slow
@pytest.mark.parametrize("contrast", ["FLAIR", "T1"])
@pytest.mark.parametrize("patient", ["patient07", "patient19"])
def test_lesions_cannot_be_found_any_more(patient: str, contrast: str, patients: Path) -> None:
    folder = patients
    scan = read_volume(folder / f"{patient}_{contrast}.nii.gz")
    lesions = read_mask(folder / f"{patient}_lesions.nii.gz", scan.grid).data
    white = crude_white(read_volume(folder / f"{patient}_T1.nii.gz").data, lesions)
    filled = fill_lesions(scan.data, lesions, white, scan.grid, seed=0)
    look(filled, scan.data, lesions, white, scan.grid, sign=1.0 if contrast == "FLAIR" else -1.0)


def look(filled: Filled, image: np.ndarray, lesions: np.ndarray, white: np.ndarray, grid: Grid, *, sign: float) -> None:
    """At most 5 % found, mean within 5 % and spread within 25 % of the white matter 3 to 10 mm from the lesions."""
    healthy = white & ndimage.binary_erosion(white) & ~dilate(lesions, grid, 3.0)
    around = healthy & dilate(lesions, grid, 10.0)
    threshold = np.percentile(sign * image[healthy], 99.0)
    assert (sign * image[lesions] > threshold).mean() > 0.4
    assert (sign * filled.image[lesions] > threshold).mean() < 0.05
    # Of the lesions alone, for their rim may become cortex.
    assert filled.image[lesions].mean() == pytest.approx(image[around].mean(), rel=0.05)
    assert filled.image[lesions].std() == pytest.approx(image[around].std(), rel=0.25)
    outside = ~dilate(lesions, grid, RIM_MM)
    np.testing.assert_array_equal(filled.image[outside], image[outside])
    assert (filled.image[image == 0.0] == 0.0).all()
