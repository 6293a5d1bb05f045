from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from pellucid.image.grid import MNI_1MM, PAPER_GRID, Grid, resized
from pellucid.image.resample import resample, resample_labels, resample_mask

GENERATOR = np.random.default_rng(5)
SOURCE = Grid.of((11, 9, 10), np.array([[-1.5, 0, 0, 8], [0, 1.0, 0, -4], [0, 0, 2.0, -10], [0, 0, 0, 1]]))
DATA = GENERATOR.normal(size=SOURCE.shape).astype(np.float32)


def rotation(degrees: float) -> npt.NDArray[np.float64]:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def oblique(shape: tuple[int, int, int], spacing: float, degrees: float, centre: npt.ArrayLike) -> Grid:
    affine = np.eye(4)
    affine[:3, :3] = rotation(degrees) * spacing
    affine[:3, 3] = np.asarray(centre) - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Grid.of(shape, affine)


CENTRE = SOURCE.world((np.array(SOURCE.shape) - 1) / 2)
OBLIQUE = oblique((8, 7, 6), 1.7, 20.0, CENTRE)


def parallel_grids() -> list[Grid]:
    """Grids over SOURCE whose axes are permuted, flipped, shifted, coarser and finer, and reach beyond it."""
    grids = []
    for axes, signs in itertools.product(itertools.permutations(range(3)), itertools.product((1, -1), repeat=3)):
        affine = np.zeros((4, 4))
        affine[3, 3] = 1
        shape = (8, 9, 13)
        for i, (axis, sign, spacing) in enumerate(zip(axes, signs, (2.3, 1.9, 1.1), strict=True)):
            affine[axis, i] = sign * spacing
        affine[:3, 3] = CENTRE + 0.3 - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
        grids.append(Grid.of(shape, affine))
    return grids


def slow_linear(data: npt.NDArray[np.float32], source: Grid, target: Grid, fill: float) -> npt.NDArray[np.float64]:
    """Trilinear interpolation, one voxel and one neighbour at a time."""
    out = np.zeros(target.shape)
    for index in np.ndindex(*target.shape):
        position = source.voxel(target.world(index))
        low = np.floor(position).astype(int)
        for corner in itertools.product((0, 1), repeat=3):
            neighbour = low + corner
            weight = np.prod([1 - abs(p - n) for p, n in zip(position, neighbour, strict=True)])
            inside = all(0 <= n < s for n, s in zip(neighbour, source.shape, strict=True))
            out[index] += weight * (data[tuple(neighbour)] if inside else fill)
    return out


def whole_volume(data: npt.NDArray[np.float32], source: Grid, target: Grid, order: int) -> npt.NDArray[np.float32]:
    """Smooth and interpolate the volume as a whole with scipy, no axis apart."""
    ratio = []
    for axis, size in enumerate(source.voxel_sizes):
        along = source.affine[:3, axis] / size
        step = 1 / np.linalg.norm(np.linalg.inv(target.affine[:3, :3]) @ along)
        ratio.append(max(step / size, 1.0))
    sigma = [np.sqrt((r**2 - 1) / (8 * np.log(2))) for r in ratio]
    smooth = ndimage.gaussian_filter(data.astype(np.float64), sigma, mode="constant")
    matrix = np.linalg.inv(source.affine) @ target.affine
    return np.asarray(
        ndimage.affine_transform(smooth, matrix, output_shape=target.shape, order=order, mode="grid-constant")
    )


@pytest.mark.parametrize("target", [*parallel_grids()[::7], OBLIQUE], ids=lambda grid: "grid")
def test_linear_agrees_with_the_slow_twin(target: Grid) -> None:
    for fill in (0.0, -3.5):
        out = resample(DATA, SOURCE, target, antialias=False, fill=fill)
        assert out.dtype == np.float32
        np.testing.assert_allclose(out, slow_linear(DATA, SOURCE, target, fill), atol=1e-5)


@pytest.mark.parametrize("order", [1, 3])
def test_axis_by_axis_is_the_whole_volume_at_once(order: int) -> None:
    for target in parallel_grids():
        fast = resample(DATA, SOURCE, target, order=order)
        np.testing.assert_allclose(fast, whole_volume(DATA, SOURCE, target, order), atol=2e-5)


def test_oblique_grids_are_smoothed_alike() -> None:
    np.testing.assert_allclose(resample(DATA, SOURCE, OBLIQUE), whole_volume(DATA, SOURCE, OBLIQUE, 1), atol=2e-5)
    # As the angle goes to zero the general way must arrive at the axis-by-axis one.
    almost, exactly = (oblique((8, 7, 6), 2.4, angle, CENTRE) for angle in (0.05, 0.0))
    np.testing.assert_allclose(resample(DATA, SOURCE, almost), resample(DATA, SOURCE, exactly), atol=0.02)


def test_same_grid_changes_nothing() -> None:
    for order in (1, 3):
        np.testing.assert_allclose(resample(DATA, SOURCE, SOURCE, order=order), DATA, atol=1e-6)
    np.testing.assert_array_equal(resample_mask(DATA > 0, SOURCE, SOURCE), DATA > 0)


@settings(max_examples=40)
@given(
    gradient=st.tuples(*[st.floats(-5, 5)] * 3),
    level=st.floats(-100, 100),
    degrees=st.one_of(st.just(0.0), st.just(90.0), st.floats(-180, 180)),
    spacing=st.floats(0.4, 3.0),
    antialias=st.booleans(),
)
def test_a_ramp_in_millimetres_stays_that_ramp(
    gradient: tuple[float, float, float], level: float, degrees: float, spacing: float, antialias: bool
) -> None:
    """Interpolation by affines, and symmetric smoothing away from the border, keep every linear function of place."""
    wide = Grid.of((40, 44, 38), SOURCE.affine)
    middle = wide.world((np.array(wide.shape) - 1) / 2)
    target = oblique((4, 5, 3), spacing, degrees, middle)
    everywhere = np.moveaxis(np.indices(wide.shape), 0, -1)
    data = (wide.world(everywhere) @ gradient + level).astype(np.float32)
    expected = target.world(np.moveaxis(np.indices(target.shape), 0, -1)) @ gradient + level
    np.testing.assert_allclose(resample(data, wide, target, antialias=antialias), expected, atol=2e-2, rtol=1e-3)


def test_the_papers_way_is_scipys_cubic_zoom() -> None:
    source = Grid.of((46, 54, 42), MNI_1MM.affine)
    shape = tuple(round(0.525 * n) for n in source.shape)
    target = resized(source, (shape[0], shape[1], shape[2]))
    data = np.zeros(source.shape, np.float32)
    data[8:-8, 8:-8, 8:-8] = GENERATOR.gamma(2, 100, (30, 38, 26))  # no brain touches the border
    expected = ndimage.zoom(data, 0.525, order=3)
    assert expected.shape == shape
    np.testing.assert_allclose(
        resample(data, source, target, order=3, antialias=False), expected, atol=1e-4 * data.max()
    )


def test_smoothing_turns_a_voxel_into_one_of_the_targets_width() -> None:
    source = Grid.of((41, 41, 41), np.eye(4))
    target = Grid.of((41, 41, 41), np.diag([3.0, 1, 1, 1]))  # coarser along the first axis alone
    wide = Grid.of((1, 41, 41), np.diag([3.0, 1, 1, 1]))
    centre = np.zeros(source.shape, np.float32)
    centre[20, 20, 20] = 1
    shifted = []
    for offset in range(-8, 9):  # read the smoothed profile voxel by voxel, without interpolation
        affine = wide.affine
        affine[0, 3] = 20 + offset
        shifted.append(resample(centre, source, Grid.of(wide.shape, affine))[0, 20, 20])
    profile = np.array(shifted)
    variance = (profile * np.arange(-8, 9) ** 2).sum() / profile.sum()
    assert variance == pytest.approx((3**2 - 1) / (8 * np.log(2)), rel=0.02)
    out = resample(centre, source, target)
    assert np.count_nonzero(out.sum(axis=(0, 1))) == np.count_nonzero(out.sum(axis=(0, 2))) == 1


def test_smoothing_removes_what_the_target_cannot_hold() -> None:
    source = Grid.of((40, 40, 40), np.eye(4))
    target = Grid.of((16, 16, 16), np.array([[2.0, 0, 0, 4], [0, 2, 0, 4], [0, 0, 2, 4], [0, 0, 0, 1]]))
    stripes = np.broadcast_to((np.arange(40) % 2)[:, None, None], source.shape).astype(np.float32)
    assert resample(stripes, source, target, antialias=False).max() == 0  # every sample falls on a dark stripe
    np.testing.assert_allclose(resample(stripes, source, target), 0.5, atol=0.13)


@pytest.mark.parametrize("target", [*parallel_grids()[::5], OBLIQUE], ids=lambda grid: "grid")
def test_labels_agree_with_the_slow_twin(target: Grid) -> None:
    labels = GENERATOR.integers(0, 200, SOURCE.shape)
    expected = np.zeros(target.shape, np.int32)
    for index in np.ndindex(*target.shape):
        nearest = np.floor(SOURCE.voxel(target.world(index)).round(6) + 0.5).astype(int)
        if all(0 <= n < s for n, s in zip(nearest, SOURCE.shape, strict=True)):
            expected[index] = labels[tuple(nearest)]
    out = resample_labels(labels, SOURCE, target)
    assert out.dtype == np.int32
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(resample_mask(labels > 100, SOURCE, target), expected > 100)


def test_masks_keep_their_volume_on_average() -> None:
    grid = Grid.of((60, 60, 60), MNI_1MM.affine)
    target = resized(grid, (32, 32, 32))
    before = after = 0.0
    for _ in range(60):
        centre = GENERATOR.uniform(10, 50, 3)
        radius = GENERATOR.uniform(1.0, 4.0)
        mask = ((np.moveaxis(np.indices(grid.shape), 0, -1) - centre) ** 2).sum(-1) <= radius**2
        before += mask.sum() * grid.voxel_volume_ml
        after += resample_mask(mask, grid, target).sum() * target.voxel_volume_ml
    assert after == pytest.approx(before, rel=0.05)


def test_a_mask_brought_linearly_is_where_the_unsmoothed_image_of_it_is_at_least_45_percent() -> None:
    mask = np.median(DATA) < DATA
    target = resized(SOURCE, (5, 7, 6))
    expected = resample(mask, SOURCE, target, antialias=False) >= 0.45
    found = resample_mask(mask, SOURCE, target, how="linear")
    np.testing.assert_array_equal(found, expected)
    assert (found != resample_mask(mask, SOURCE, target)).any()


def test_a_lattice_in_another_order_is_the_same_image() -> None:
    """One voxel of the right hemisphere stays on the right whatever the order of the axes."""
    data = np.zeros(PAPER_GRID.shape, np.float32)
    data[20, 60, 50] = 1
    place = PAPER_GRID.world((20, 60, 50))
    assert place[0] > 0
    for axes, flips in itertools.product(itertools.permutations(range(3)), ((), (0,), (1, 2), (0, 1, 2))):
        affine = PAPER_GRID.affine
        for axis in flips:
            affine[:3, 3] += affine[:3, axis] * (PAPER_GRID.shape[axis] - 1)
            affine[:3, axis] *= -1
        turned = Grid.of(tuple(PAPER_GRID.shape[a] for a in axes), affine[:, [*axes, 3]])
        out = resample(data, PAPER_GRID, turned)
        np.testing.assert_array_equal(out, np.flip(data, flips).transpose(axes))
        np.testing.assert_allclose(turned.world(np.argwhere(out)[0]), place)


def test_data_must_lie_on_its_grid() -> None:
    for function in (resample, resample_labels):
        with pytest.raises(ValueError, match=r"\(10, 9, 10\) is not on the grid 11x9x10"):
            function(DATA[1:], SOURCE, OBLIQUE)
