"""Registration: known transforms are found again."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK
from tests.preprocess.conftest import affine_matrix, blob_head, grid_of

from pellucid.ground.errors import InputError
from pellucid.image.grid import Grid
from pellucid.image.nifti import Volume
from pellucid.image.prepare import find_brain
from pellucid.image.resample import resample
from pellucid.preprocess.brain import Brain
from pellucid.preprocess.itk import moved
from pellucid.preprocess.registration import Side, displacement, register

SIZE = 0.6  # of a head: registration works in voxels of 1 mm, whatever its images have
GRID = grid_of((48, 56, 44), (2.0, 2.0, 2.0))


def warped(data: npt.NDArray[np.float32], grid: Grid, matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Return the image whose anatomy lies where `matrix` takes it."""
    return resample(data, moved(grid, np.asarray(np.linalg.inv(matrix))), grid, order=3, antialias=False)


@pytest.mark.parametrize("kind", ["rigid", "affine"])
def test_a_known_transform_is_found(kind: str) -> None:
    data, brain = blob_head(GRID, size=SIZE)
    scales, shears = ((1, 1, 1), (0, 0, 0)) if kind == "rigid" else ((1.08, 0.93, 1.04), (0.05, -0.03, 0.04))
    matrix = affine_matrix((12, -7, 9), (6, -8, 5), scales, shears)
    moving = warped(data, GRID, matrix)
    there = warped(brain.astype(np.float32), GRID, matrix) > 0.5
    # Another contrast, so that only information is shared.
    moving = np.where(there, 200.0 - moving, 0.0).astype(np.float32)
    found = register(Side(data, brain, GRID), Side(moving, there, GRID), kind)  # type: ignore[arg-type]
    apart = displacement(found, matrix, GRID, brain)
    assert apart.mean() < 0.5  # voxels have 2 mm; the figures are kept on real scans, below
    assert apart.max() < 1.0
    if kind == "rigid":
        assert np.linalg.det(found[:3, :3]) == pytest.approx(1.0, abs=1e-6)


def test_threads_and_repetition_change_nothing() -> None:
    grid = grid_of((24, 28, 22), (4.0, 4.0, 4.0))
    data, brain = blob_head(grid, size=SIZE)
    moving = warped(data, grid, affine_matrix((5, 3, -4), (3, 2, -2)))
    sides = Side(data, brain, grid), Side(moving, moving > 20, grid)
    process = SimpleITK.ProcessObject
    before = process.GetGlobalDefaultNumberOfThreads()
    try:
        process.SetGlobalDefaultNumberOfThreads(1)
        one = register(*sides, "rigid")
        process.SetGlobalDefaultNumberOfThreads(2)
        two = register(*sides, "rigid")
    finally:
        process.SetGlobalDefaultNumberOfThreads(before)
    assert np.array_equal(one, two)


def test_an_oblique_anisotropic_moving_image() -> None:
    data, brain = blob_head(GRID, size=SIZE)
    tilted = Grid.of((90, 100, 30), affine_matrix((20, 10, -15), (-60, -90, -40)) @ np.diag([1.5, 1.6, 4.0, 1.0]))
    moving = resample(data, GRID, tilted)
    found = register(Side(data, brain, GRID), Side(moving, moving > 20, tilted), "rigid")
    assert displacement(found, np.eye(4), GRID, brain).max() < 0.8


def test_displacement_is_in_millimetres() -> None:
    shifted = np.eye(4)
    shifted[:3, 3] = (3, 0, 4)
    mask = np.ones(GRID.shape, bool)
    assert displacement(shifted, np.eye(4), GRID, mask) == pytest.approx(5.0)


def test_an_image_without_information_is_refused() -> None:
    data, brain = blob_head(GRID, size=SIZE)
    flat = np.where(brain, np.float32(7.0), np.float32(0.0))
    with pytest.raises(InputError, match="registration: the images cannot be registered"):
        register(Side(np.zeros_like(data), brain, GRID), Side(flat * 0, brain, GRID), "rigid")


@pytest.mark.slow
def test_a_known_warp_of_a_t1w_is_recovered(stripped_t1w: Volume) -> None:
    """The figure: 12 parameters to 0.3 mm on average and 0.8 mm at worst, under noise and a bias field."""
    grid, data = stripped_t1w.grid, stripped_t1w.data.clip(0.0)
    brain = find_brain(data)
    matrix = affine_matrix((9, -6, 11), (8, -10, 7), (1.06, 0.92, 1.04), (0.05, -0.06, 0.03))
    moving = warped(data, grid, matrix)
    rng = np.random.default_rng(3)
    bright = float(np.percentile(data[brain], 90))
    slope = np.linspace(0.85, 1.15, grid.shape[0], dtype=np.float32)[:, None, None]
    moving = (moving * slope + rng.normal(0, 0.02 * bright, moving.shape)).astype(np.float32)
    there = find_brain(np.where(moving > 0.05 * bright, moving, np.float32(0.0)))
    side = Side(np.where(there, moving, np.float32(0.0)), there, grid)
    apart = displacement(register(Side(data, brain, grid), side, "affine"), matrix, grid, brain)
    assert apart.mean() < 0.3
    assert apart.max() < 0.8


@pytest.mark.slow
def test_a_known_displacement_of_a_real_flair_is_recovered(heads: dict[str, tuple[Volume, Brain]]) -> None:
    """The figure: FLAIR to T1w, rigid, to 0.3 mm on average, on a raw pair with 3 mm slices (the benchmark: all).

    Where a FLAIR lies on its T1w is not known, but by how much it was moved is: the header's place, found from the
    place it came from, must differ by just that from where the moved one is found.
    """
    (t1w, found), (flair, also) = heads["T1W"], heads["FLAIR"]
    brain, other = found.mask, also.mask
    fixed = Side(t1w.data, brain, t1w.grid)
    before = register(fixed, Side(flair.data, other, flair.grid), "rigid")
    matrix = affine_matrix((8, -5, 10), (7, -9, 12))
    # Moved and interpolated anew onto a grid of its own, as if the head had lain otherwise.
    grid = Grid.of(flair.grid.shape, matrix @ flair.grid.affine)
    shifted = Grid.of(grid.shape, grid.affine @ affine_matrix((0, 0, 3), (0.4, 0.3, 0.2)))
    moving = resample(flair.data, grid, shifted, order=3, antialias=False)
    there = resample(other, grid, shifted) >= 0.5
    after = register(fixed, Side(moving, there, shifted), "rigid")
    assert displacement(after, matrix @ before, t1w.grid, brain).mean() < 0.3
