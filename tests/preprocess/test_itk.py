"""ITK's coordinates: the same voxels at the same places, the same points by the same transforms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from pellucid.ground.errors import InputError
from pellucid.image.grid import Grid
from pellucid.image.nifti import write_volume
from pellucid.image.resample import resample
from pellucid.preprocess.itk import (
    from_itk,
    from_transform,
    moved,
    read_transform,
    to_itk,
    to_transform,
    write_transform,
)

sitk: Any = SimpleITK
angles = st.tuples(*[st.floats(-60, 60)] * 3)
shifts = st.tuples(*[st.floats(-50, 50)] * 3)


def rigid(degrees: tuple[float, ...], shift: tuple[float, ...]) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    matrix[:3, 3] = shift
    return matrix


def oblique(degrees: tuple[float, ...], shift: tuple[float, ...], flip: bool) -> Grid:
    return Grid.of((4, 5, 6), rigid(degrees, shift) @ np.diag([-0.7 if flip else 0.7, 0.9, 3.0, 1.0]))


@given(angles, shifts, st.booleans())
def test_voxels_stay_where_they_are(degrees: tuple[float, ...], shift: tuple[float, ...], flip: bool) -> None:
    grid = oblique(degrees, shift, flip)
    data = np.arange(120, dtype=np.float32).reshape(grid.shape)
    image = to_itk(data, grid)
    assert np.array_equal(from_itk(image), data)
    for voxel in ((0, 0, 0), (3, 4, 5), (1, 0, 2)):
        there = np.array(image.TransformIndexToPhysicalPoint(voxel)) * [-1, -1, 1]
        assert there == pytest.approx(grid.world(voxel), abs=1e-3)


def test_itk_reads_a_file_of_ours_as_we_do(tmp_path: Path) -> None:
    grid = oblique((10, -20, 30), (5, 6, 7), flip=True)
    data = np.random.default_rng(0).random(grid.shape).astype(np.float32)
    write_volume(tmp_path / "a.nii.gz", data, grid, space="scanner")
    theirs, ours = sitk.ReadImage(str(tmp_path / "a.nii.gz")), to_itk(data, grid)
    assert np.array_equal(from_itk(theirs), data)
    assert theirs.GetOrigin() == pytest.approx(ours.GetOrigin(), abs=1e-4)
    assert theirs.GetDirection() == pytest.approx(ours.GetDirection(), abs=1e-5)


def test_sheared_axes_are_refused() -> None:
    affine = np.eye(4)
    affine[0, 1] = 0.1
    with pytest.raises(InputError, match="sheared axes"):
        to_itk(np.zeros((2, 2, 2), np.float32), Grid.of((2, 2, 2), affine))


@given(angles, shifts, st.tuples(*[st.floats(0.5, 2.0)] * 3))
def test_a_transform_is_the_same_in_both_worlds(
    degrees: tuple[float, ...], shift: tuple[float, ...], scales: tuple[float, ...]
) -> None:
    matrix = rigid(degrees, shift) @ np.diag([*scales, 1.0])
    transform = to_transform(matrix)
    assert from_transform(transform) == pytest.approx(matrix, abs=1e-9)
    point = np.array([1.0, -2.0, 3.0])
    there = np.array(transform.TransformPoint([float(v) for v in point * [-1, -1, 1]])) * [-1, -1, 1]
    assert there == pytest.approx(matrix[:3, :3] @ point + matrix[:3, 3], abs=1e-9)


def test_a_file_that_itk_applies_gives_what_moved_grids_give(tmp_path: Path) -> None:
    """The slow twin: ITK resamples through the file that we wrote; we resample a moved header."""
    rng = np.random.default_rng(1)
    source = Grid.of((20, 22, 18), rigid((5, 3, -8), (-9, -12, -8)) @ np.diag([-1.0, 1.1, 1.2, 1.0]))
    target = Grid.of((16, 15, 14), np.array([[1.0, 0, 0, -8], [0, 1, 0, -7], [0, 0, 1, -7], [0, 0, 0, 1]]))
    data = rng.random(source.shape).astype(np.float32)
    matrix = rigid((4, -6, 2), (1, 0.5, -0.7)) @ np.diag([1.05, 0.95, 1.0, 1.0])
    write_transform(tmp_path / "a_xfm.txt", matrix)
    assert read_transform(tmp_path / "a_xfm.txt") == pytest.approx(matrix, abs=1e-6)
    theirs = from_itk(
        sitk.Resample(
            to_itk(data, source),
            to_itk(np.zeros(target.shape, np.float32), target),
            sitk.ReadTransform(str(tmp_path / "a_xfm.txt")),
            sitk.sitkLinear,
            0.0,
        )
    )
    ours = resample(data, moved(source, matrix), target, antialias=False)
    inside = np.zeros(target.shape, bool)
    inside[3:-3, 3:-3, 3:-3] = True
    assert np.abs(theirs - ours)[inside].max() < 1e-4


def test_what_is_no_linear_transform_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_transform(tmp_path / "none.txt")
    (tmp_path / "text.txt").write_text("hello")
    with pytest.raises(InputError, match="cannot read it as a transform"):
        read_transform(tmp_path / "text.txt")
    flat = sitk.AffineTransform(3)
    flat.SetMatrix([1.0, 0, 0, 0, 1, 0, 0, 0, 0.0001])
    sitk.WriteTransform(flat, str(tmp_path / "flat.txt"))
    with pytest.raises(InputError, match="singular"):
        read_transform(tmp_path / "flat.txt")
    warp = sitk.DisplacementFieldTransform(sitk.Image([4, 4, 4], sitk.sitkVectorFloat64))
    sitk.WriteTransform(warp, str(tmp_path / "warp.h5"))
    with pytest.raises(InputError, match="not linear"):
        read_transform(tmp_path / "warp.h5")
