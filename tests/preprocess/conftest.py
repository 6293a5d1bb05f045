"""Small made-up heads, and whole ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation
from tests.conftest import MadeOnce

from pellucid.image.grid import Grid
from pellucid.image.nifti import Volume, read_volume, write_volume
from pellucid.preprocess.brain import Brain, extract_brain


def grid_of(shape: tuple[int, int, int], millimetres: tuple[float, float, float]) -> Grid:
    """Return an axis-aligned grid around the origin."""
    affine = np.diag([*millimetres, 1.0])
    affine[:3, 3] = [-(n - 1) * s / 2 for n, s in zip(shape, millimetres, strict=True)]
    return Grid.of(shape, affine)


def affine_matrix(
    degrees: tuple[float, float, float],
    shift: tuple[float, float, float],
    scales: tuple[float, float, float] = (1.0, 1.0, 1.0),
    shears: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> npt.NDArray[np.float64]:
    """Return rotation times scaling times shear, then a shift."""
    shear = np.eye(3)
    shear[0, 1], shear[0, 2], shear[1, 2] = shears
    matrix = np.eye(4)
    rotation = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    matrix[:3, :3] = rotation @ np.diag(scales) @ shear
    matrix[:3, 3] = shift
    return matrix


def blob_head(grid: Grid, *, seed: int = 0, size: float = 1.0) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Return an ellipsoid brain with a texture of its own, and its mask; `size` shrinks all of it."""
    voxels = np.stack(np.indices(grid.shape), axis=-1)
    xyz = grid.world(voxels) / size
    brain = (xyz**2 / np.array([60.0, 75.0, 55.0]) ** 2).sum(axis=-1) < 1.0
    rng = np.random.default_rng(seed)
    # The texture is a field in millimetres, so that any grid samples the same one.
    texture = np.zeros(grid.shape)
    for _ in range(25):
        k = rng.normal(0, 0.06, 3)
        texture += np.cos(xyz @ k + rng.uniform(0, 2 * np.pi))
    tissues = np.digitize(texture, (-2.5, 1.0))  # three of them, as in a head
    image = np.where(brain, np.array([40.0, 80.0, 110.0])[tissues], 0.0)
    return image.astype(np.float32), brain


@pytest.fixture(scope="session")
def stripped_t1w(patients: Path) -> Volume:
    """A T1w whose brain somebody else has extracted: real, or simulated where there is none."""
    real = patients.parents[1] / "healthy" / "ds002748" / "sub-53_T1w.nii.gz"
    return read_volume(real if real.is_file() else patients / "patient07_T1.nii.gz")


@pytest.fixture
def tiny_scan(tmp_path: Path) -> Path:
    """A file that is a scan by its header and holds no head."""
    grid = grid_of((30, 30, 30), (5.0, 5.0, 5.0))
    noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(0, 1, grid.shape), 1.0)
    write_volume(tmp_path / "noise.nii.gz", (100 + 50 * noise).astype(np.float32), grid, space="scanner")
    return tmp_path / "noise.nii.gz"


@pytest.fixture(scope="session")
def heads(raw_pairs: Path, made_once: MadeOnce) -> dict[str, tuple[Volume, Brain]]:
    """A whole head, T1w and FLAIR, and the brain that was found in each."""
    scans = {kind: read_volume(raw_pairs / f"patient04_study1_{kind}.nii.gz") for kind in ("T1W", "FLAIR")}

    def extract(folder: Path) -> None:
        folder.mkdir()
        for kind, scan in scans.items():
            found = extract_brain(scan)
            np.savez(folder / f"{kind}.npz", mask=found.mask, stripped=found.stripped)

    folder = made_once("heads", extract)
    out = {}
    for kind, scan in scans.items():
        with np.load(folder / f"{kind}.npz") as found:
            out[kind] = (scan, Brain(found["mask"], stripped=bool(found["stripped"])))
    return out
