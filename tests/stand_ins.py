"""Scans of simulated participants under the names of the real ones: what a bare clone is tested on instead."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial.transform import Rotation

from pellucid.image.grid import Grid
from pellucid.image.nifti import Volume, read_mask, read_volume, write_volume
from pellucid.image.resample import resample
from pellucid.simulate.cohort import simulate_cohort
from pellucid.simulate.settings import CohortSettings

FLUID_MM, SKULL_MM, SCALP_MM = 3.0, 9.0, 20.0  # how far each reaches from the brain
LEVELS = {"T1w": (0.25, 0.08, 1.1), "FLAIR": (0.15, 0.08, 1.1)}  # of these, as shares of the brain's bright end


def _simulated(folder: Path) -> list[dict[str, Path]]:
    """Simulate two patients of 1 mm; return the paths of `T1w`, `FLAIR` and `lesions` of each."""
    simulate_cohort(folder, CohortSettings(patients=2, controls=1, seed=3, voxel_size=1.0))
    found = []
    for name in ("sub-0001", "sub-0002"):
        (mask,) = (folder / "derivatives" / "lesions" / name / "anat").glob("*_mask.nii.gz")
        scans = {kind: folder / name / "anat" / f"{name}_{kind}.nii.gz" for kind in LEVELS}
        found.append(scans | {"lesions": mask})
    return found


def with_ringing(data: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Sharpen an image, so that values overshoot at every edge and fall below 0 beside the brain."""
    return (data + 0.3 * (data - ndimage.gaussian_filter(data, 1.0))).astype(np.float32)


def with_skull(scan: Volume, kind: str) -> Volume:
    """Put fluid, a dark skull and a bright scalp around a brain, and noise over all; the grid grows to hold them."""
    affine, wider = scan.grid.affine, int(SCALP_MM)
    affine[:3, 3] = scan.grid.world((-wider, -wider, -wider))
    data = np.pad(scan.data, wider)
    scan = Volume(data, Grid.of(data.shape, affine))
    brain = ndimage.binary_fill_holes(scan.data > 0)
    away = ndimage.distance_transform_edt(~brain, sampling=scan.grid.voxel_sizes)
    bright = float(np.percentile(scan.data[brain], 95))
    head, inner = scan.data.astype(np.float32), 0.0
    for level, outer in zip(LEVELS[kind], (FLUID_MM, SKULL_MM, SCALP_MM), strict=True):
        head[(away > inner) & (away <= outer)] = level * bright
        inner = outer
    noise = np.abs(np.random.default_rng(0).normal(0.0, 0.02 * bright, head.shape))
    return Volume(ndimage.gaussian_filter((head + noise).astype(np.float32), 0.5), scan.grid)


def scanner_grid(shape: tuple[int, int, int], millimetres: tuple[float, float, float]) -> Grid:
    """Return an oblique grid around the middle of MNI space, its first two axes reversed as on a scanner."""
    affine = np.eye(4)
    turned = Rotation.from_euler("xyz", (4.0, -3.0, 2.0), degrees=True).as_matrix()
    affine[:3, :3] = turned @ np.diag([-millimetres[0], -millimetres[1], millimetres[2]])
    affine[:3, 3] = np.array([0.0, -18.0, 18.0]) - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Grid.of(shape, affine)


def write_patients(folder: Path) -> None:
    """Write brain-extracted FLAIR, T1 and lesions of `patient07` and `patient19`, 1 mm in MNI space, with ringing."""
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as made:
        for name, paths in zip(("patient07", "patient19"), _simulated(Path(made) / "ms"), strict=True):
            for kind, word in (("FLAIR", "FLAIR"), ("T1w", "T1")):
                scan = read_volume(paths[kind])
                write_volume(folder / f"{name}_{word}.nii.gz", with_ringing(scan.data), scan.grid)
            mask = read_mask(paths["lesions"])
            write_volume(folder / f"{name}_lesions.nii.gz", mask.data, mask.grid, np.uint8)


def write_raw_pairs(folder: Path) -> None:
    """Write whole heads in scanner space: T1w and FLAIR of `patient04`, slices of 3 mm; a FLAIR of two others."""
    folder.mkdir(parents=True)
    pair, thick = (170, 200, 66), (170, 200, 50)
    with tempfile.TemporaryDirectory() as made:
        one, other = _simulated(Path(made) / "ms")
        for name, path, kind, grid in (
            ("patient04_study1_T1W", one["T1w"], "T1w", scanner_grid(pair, (1.3, 1.2, 3.0))),
            ("patient04_study1_FLAIR", one["FLAIR"], "FLAIR", scanner_grid(pair, (1.2, 1.2, 3.0))),
            ("patient01_study1_FLAIR", other["FLAIR"], "FLAIR", scanner_grid(thick, (1.2, 1.2, 4.0))),
            ("patient03_study2_FLAIR", other["FLAIR"], "FLAIR", scanner_grid(pair, (1.2, 1.2, 3.0))),
        ):
            head = with_skull(read_volume(path), kind)
            data = resample(head.data, head.grid, grid).clip(0.0)
            write_volume(folder / f"{name}.nii.gz", data, grid, space="scanner")
