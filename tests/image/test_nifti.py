from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest

from pellucid.ground.errors import InputError
from pellucid.image import nifti as module
from pellucid.image.grid import Grid
from pellucid.image.nifti import read_mask, read_volume, sidecar_path, write_volume

AFFINE = np.array([[-2.0, 0, 0, 10], [0, 2, 0, -12], [0, 0, 2, -8], [0, 0, 0, 1]])
SHAPE = (7, 8, 9)
GRID = Grid.of(SHAPE, AFFINE)
VALUES = np.random.default_rng(0).integers(0, 200, SHAPE).astype(np.float32)


def save(path: Path, data: npt.NDArray[Any], affine: npt.NDArray[np.float64] | None = AFFINE, kind: Any = None) -> Path:
    nib.save((kind or nib.Nifti1Image)(data, affine), path)
    return path


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64, np.bool_])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_round_trip_keeps_values_grid_and_type(tmp_path: Path, dtype: Any, suffix: str) -> None:
    data = VALUES > 100 if dtype is np.bool_ else VALUES
    path = tmp_path / f"a{suffix}"
    write_volume(path, data, GRID, dtype, description="relevance")
    volume = read_volume(path)
    assert volume.data.dtype == np.float32
    np.testing.assert_array_equal(volume.data, data)
    assert volume.grid == GRID
    assert volume.path == path
    image = nib.load(path)  # what another program sees
    assert image.get_data_dtype() == (np.uint8 if dtype is np.bool_ else dtype)
    assert int(image.header["sform_code"]) == int(image.header["qform_code"]) == 4
    assert image.header.get_xyzt_units()[0] == "mm"
    assert bytes(image.header["descrip"]).startswith(b"relevance")
    np.testing.assert_allclose(image.get_qform(), AFFINE, atol=1e-5)
    np.testing.assert_array_equal(image.get_fdata(), data)


def test_a_scan_in_the_scanners_space_does_not_claim_to_be_in_mni(tmp_path: Path) -> None:
    write_volume(tmp_path / "a.nii", VALUES, GRID, space="scanner")
    header = nib.load(tmp_path / "a.nii").header
    assert int(header["sform_code"]) == int(header["qform_code"]) == 1


def test_stored_values_are_multiplied_by_their_slope(tmp_path: Path) -> None:
    write_volume(tmp_path / "a.nii.gz", VALUES, GRID, np.uint8, slope=1 / 255)
    assert nib.load(tmp_path / "a.nii.gz").get_data_dtype() == np.uint8
    np.testing.assert_allclose(read_volume(tmp_path / "a.nii.gz").data, VALUES / 255, atol=1e-6)


def test_affines_that_contradict_each_other(tmp_path: Path) -> None:
    image = nib.Nifti1Image(VALUES, AFFINE)
    image.set_qform(AFFINE, code=1)
    nib.save(image, tmp_path / "agree.nii")
    assert read_volume(tmp_path / "agree.nii").remarks == ()
    moved = AFFINE.copy()
    moved[1, 3] += 5
    image.set_sform(moved, code=1)
    nib.save(image, tmp_path / "moved.nii")
    for read in (read_volume(tmp_path / "moved.nii"), read_mask(save_mask(tmp_path / "mask.nii", image))):
        assert read.remarks == ("its qform and its sform lie up to 5 mm apart; the sform was followed",)
        np.testing.assert_array_equal(read.grid.affine, moved)
    image.set_sform(moved, code=0)
    nib.save(image, tmp_path / "one.nii")
    assert read_volume(tmp_path / "one.nii").remarks == ()  # only one of them counts
    mirrored = AFFINE.copy()
    mirrored[0] *= -1
    image.set_sform(mirrored, code=1)
    nib.save(image, tmp_path / "mirrored.nii")
    for reader in (read_volume, read_mask):
        with pytest.raises(InputError, match=r"mirrored\.nii: its qform and its sform disagree about left and right"):
            reader(tmp_path / "mirrored.nii")


def save_mask(path: Path, image: nib.Nifti1Image) -> Path:
    mask = nib.Nifti1Image((VALUES > 100).astype(np.uint8), None, image.header)
    mask.header.set_data_dtype(np.uint8)
    nib.save(mask, path)
    return path


def test_same_input_same_bytes(tmp_path: Path) -> None:
    for name in ("a.nii.gz", "b.nii.gz"):
        write_volume(tmp_path / name, VALUES, GRID)
    content = (tmp_path / "a.nii.gz").read_bytes()
    assert content == (tmp_path / "b.nii.gz").read_bytes()
    assert content[4:8] == bytes(4)  # gzip's time stamp


def test_sidecar_is_there_before_its_volume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "sub-01_relevance.nii.gz"
    original = module.write_json

    def watch(where: Path, content: Any) -> None:
        assert not path.exists()
        original(where, content)

    monkeypatch.setattr(module, "write_json", watch)
    write_volume(path, VALUES, GRID, sidecar={"Units": "arbitrary"})
    assert json.loads((tmp_path / "sub-01_relevance.json").read_text()) == {"Units": "arbitrary"}
    assert sidecar_path(path) == tmp_path / "sub-01_relevance.json"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["sub-01_relevance.json", "sub-01_relevance.nii.gz"]


def test_failed_write_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_volume(tmp_path / "a.nii.gz", VALUES, GRID, sidecar={"logit": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_a_shear_has_no_quaternion(tmp_path: Path) -> None:
    sheared = AFFINE.copy()
    sheared[0, 1] = 0.5
    grid = Grid.of(SHAPE, sheared)
    write_volume(tmp_path / "a.nii", VALUES, grid)
    assert read_volume(tmp_path / "a.nii").grid == grid
    assert int(nib.load(tmp_path / "a.nii").header["qform_code"]) == 0


def test_write_refuses_what_it_cannot_say(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not on the grid"):
        write_volume(tmp_path / "a.nii", VALUES[1:], GRID)
    with pytest.raises(ValueError, match="79 bytes"):
        write_volume(tmp_path / "a.nii", VALUES, GRID, description="é" * 40)
    with pytest.raises(ValueError, match=r"ends in \.nii\.gz or \.nii"):
        write_volume(tmp_path / "a.img", VALUES, GRID)
    assert list(tmp_path.iterdir()) == []


def test_reads_nifti2_big_endian_scaled_and_trailing_axes(tmp_path: Path) -> None:
    for kind in (nib.Nifti1Image, nib.Nifti2Image):
        np.testing.assert_array_equal(read_volume(save(tmp_path / "a.nii.gz", VALUES, kind=kind)).data, VALUES)
    big = nib.Nifti1Image(VALUES, AFFINE, nib.Nifti1Header(endianness=">"))
    nib.save(big, tmp_path / "big.nii")
    np.testing.assert_array_equal(read_volume(tmp_path / "big.nii").data, VALUES)
    scaled = nib.Nifti1Image(VALUES.astype(np.int16), AFFINE)
    scaled.header.set_slope_inter(0.5, -3)
    nib.save(scaled, tmp_path / "scaled.nii")
    stored = nib.load(tmp_path / "scaled.nii")
    np.testing.assert_allclose(read_volume(tmp_path / "scaled.nii").data, stored.get_fdata(), rtol=1e-6)
    np.testing.assert_array_equal(read_volume(save(tmp_path / "t.nii", VALUES[..., None, None])).data, VALUES)


def test_gzip_is_known_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "a.nii").write_bytes(save(tmp_path / "b.nii.gz", VALUES).read_bytes())
    np.testing.assert_array_equal(read_volume(tmp_path / "a.nii").data, VALUES)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.nii: the file does not exist\. Check the path"):
        read_volume(tmp_path / "none.nii")
    with pytest.raises(InputError, match="it is a folder, not a file"):
        read_volume(tmp_path)


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.99, -8, -1])
def test_truncated_gzip(tmp_path: Path, keep: float) -> None:
    path = save(tmp_path / "a.nii.gz", VALUES)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if keep > 0 else int(keep)])
    with pytest.raises(InputError, match=r"a\.nii\.gz: the gzip file is truncated or corrupt"):
        read_volume(path)


@pytest.mark.parametrize("position", [0.5, -6])
def test_one_flipped_bit_in_the_gzip_is_found(tmp_path: Path, position: float) -> None:
    path = save(tmp_path / "a.nii.gz", VALUES)
    content = bytearray(path.read_bytes())
    content[int(position * len(content)) if position > 0 else int(position)] ^= 4
    path.write_bytes(content)
    with pytest.raises(InputError, match="truncated or corrupt"):
        read_volume(path)


@pytest.mark.parametrize("keep", [300, 348, 352, 1000])
def test_truncated_without_gzip(tmp_path: Path, keep: int) -> None:
    path = save(tmp_path / "a.nii", VALUES)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"a\.nii: "):
        read_volume(path)


@pytest.mark.parametrize("content", [b"participant_id\tgroup\n", b"\x00" * 4000, gzip.compress(b"no image", mtime=0)])
def test_not_nifti(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.nii").write_bytes(content)
    with pytest.raises(InputError, match="the file is not NIfTI"):
        read_volume(tmp_path / "a.nii")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.ones((3, 4, 5, 2), np.float32), r"has 4 dimensions \(3x4x5x2\), not 3"),
        (np.ones((3, 4), np.float32), r"has 2 dimensions \(3x4\), not 3"),
        (np.ones((3, 4, 5), np.complex64), "not a real number"),
        (np.zeros((3, 4, 5), [("R", "u1"), ("G", "u1"), ("B", "u1")]), "not a real number"),
        (np.zeros((3, 4, 5), np.float32), "every voxel of the image is 0"),
        (np.where(np.arange(60).reshape(3, 4, 5) == 7, np.nan, 1).astype(np.float32), "1 of 60 voxels are NaN or inf"),
        (np.where(np.arange(60).reshape(3, 4, 5) < 2, np.inf, 1).astype(np.float32), "2 of 60 voxels are NaN or inf"),
        (np.full((3, 4, 5), 1e300), "60 of 60 voxels are NaN or inf"),
    ],
)
def test_unusable_voxels(tmp_path: Path, data: npt.NDArray[Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_volume(save(tmp_path / "a.nii.gz", data))


def test_absent_affine(tmp_path: Path) -> None:
    image = nib.Nifti1Image(VALUES, None)
    image.header["sform_code"] = image.header["qform_code"] = 0
    nib.save(image, tmp_path / "a.nii")
    with pytest.raises(InputError, match="holds no affine"):
        read_volume(tmp_path / "a.nii")


@pytest.mark.parametrize(
    "rows",
    [
        [[0, 0, 0, 1], [0, 0, 0, 2], [0, 0, 0, 3]],
        [[1, 0, 1, 0], [0, 1, 0, 0], [1, 0, 1, 0]],
        [[1, 0, 1, 0], [0, 1, 0, 0], [1, 0, 1 + 2e-7, 0]],
        [[np.nan, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]],
    ],
)
def test_singular_affine(tmp_path: Path, rows: list[list[float]]) -> None:
    image = nib.Nifti1Image(VALUES, AFFINE)
    for name, row in zip(("srow_x", "srow_y", "srow_z"), rows, strict=True):
        image.header[name] = row
    # nibabel would not save such an affine, other programs do.
    content = image.header.binaryblock + bytes(4) + VALUES.tobytes(order="F")
    (tmp_path / "a.nii").write_bytes(content)
    with pytest.raises(InputError, match="the affine is singular"):
        read_volume(tmp_path / "a.nii")


def test_mask_may_be_empty_and_keeps_its_grid(tmp_path: Path) -> None:
    for mask in (VALUES > 100, np.zeros(SHAPE, bool)):
        read = read_mask(save(tmp_path / "m.nii.gz", mask.astype(np.uint8)), GRID)
        assert read.data.dtype == np.bool_
        np.testing.assert_array_equal(read.data, mask)
        assert read.grid.matches(GRID)


def test_mask_stored_with_a_scale_factor(tmp_path: Path) -> None:
    image = nib.Nifti1Image((VALUES > 100) / 3 + 0.0, AFFINE)
    image.set_data_dtype(np.uint8)
    nib.save(image, tmp_path / "third.nii")
    assert float(nib.load(tmp_path / "third.nii").dataobj.slope) != 1.0
    with pytest.raises(InputError, match="not binary"):
        read_mask(tmp_path / "third.nii")
    image = nib.Nifti1Image((VALUES > 100) * 1.0, AFFINE)
    image.set_data_dtype(np.uint8)
    nib.save(image, tmp_path / "whole.nii")
    np.testing.assert_array_equal(read_mask(tmp_path / "whole.nii").data, VALUES > 100)


@pytest.mark.parametrize("values", [(0, 2), (0, 1, 2), (0, 255), (-1, 0, 1), (0, 0.3, 1)])
def test_mask_that_is_not_binary(tmp_path: Path, values: tuple[float, ...]) -> None:
    data = np.resize(np.array(values, np.float32), SHAPE)
    with pytest.raises(InputError, match=r"m\.nii: the mask is not binary: \d+ voxels .* Threshold it"):
        read_mask(save(tmp_path / "m.nii", data))


def test_mask_on_another_grid(tmp_path: Path) -> None:
    shifted = AFFINE.copy()
    shifted[0, 3] += 1
    path = save(tmp_path / "m.nii", (VALUES > 100).astype(np.uint8), shifted)
    with pytest.raises(InputError, match=r"first voxel at \(11, -12, -8\) mm\) than its image .*\(10, -12, -8\)"):
        read_mask(path, GRID)
    flipped = AFFINE @ np.array([[-1.0, 0, 0, 6], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    path = save(tmp_path / "f.nii", (VALUES > 100).astype(np.uint8), flipped)
    with pytest.raises(InputError, match="another grid"):
        read_mask(path, GRID)


def test_scans_agree_with_nibabel(patients: Path, real_patients: bool) -> None:
    volume = read_volume(patients / "patient19_FLAIR.nii.gz")
    image = nib.load(patients / "patient19_FLAIR.nii.gz")
    np.testing.assert_array_equal(volume.data, image.get_fdata(dtype=np.float32))
    np.testing.assert_allclose(volume.grid.affine, image.affine)
    mask = read_mask(patients / "patient19_lesions.nii.gz", volume.grid)
    volume_ml = mask.data.sum() * mask.grid.voxel_volume_ml
    assert volume_ml == pytest.approx(nib.load(patients / "patient19_lesions.nii.gz").get_fdata().sum() / 1000)
    if real_patients:
        assert volume_ml == pytest.approx(49.8, abs=0.05)  # as the collection states
