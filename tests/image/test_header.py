"""What headers claim; how single bits of them are taken is in test_mutated.py."""

from __future__ import annotations

import gzip
import resource
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from pellucid.ground.errors import InputError
from pellucid.image.nifti import read_mask, read_volume

AFFINE = np.array([[-2.0, 0, 0, 90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]])
VALUES = np.random.default_rng(0).integers(1, 200, (17, 18, 19)).astype(np.float32)
VALUES[:, :, -3:] = 0


def raw(kind: Any = nib.Nifti1Image, affine: np.ndarray = AFFINE, **fields: Any) -> bytes:
    """Return an image's bytes, fields of its header set to what nibabel would not write."""
    image = kind(VALUES, affine)
    image.set_sform(affine, 4)
    image.set_qform(affine, 4)
    image.header.set_xyzt_units("mm")
    content = bytearray(image.to_bytes())
    head = np.ndarray((), kind.header_class.template_dtype, content)
    for name, value in fields.items():
        head[name] = value
    return bytes(content)


def row(voxels: int) -> bytes:
    return nib.Nifti2Image(np.ones((2, 2, voxels), np.uint8), AFFINE).to_bytes()


def read(folder: Path, content: bytes) -> Any:
    (folder / "a.nii").write_bytes(content)
    return read_volume(folder / "a.nii")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            raw(dim=(3, 2000, 2000, 2000, 1, 1, 1, 1)),
            "the file is truncated: it holds 23608 bytes, and its header says",
        ),
        (raw(dim=(3, 32767, 32767, 32767, 1, 1, 1, 1)), "the file is truncated"),
        (raw(nib.Nifti2Image, dim=(3, 2**62, 2**62, 2**62, 1, 1, 1, 1)), "the file is truncated"),
        (raw(dim=(3, -17, 18, 19, 1, 1, 1, 1)), r"damaged \(the dimensions are 3, -17, 18"),
        (raw(dim=(0, 17, 18, 19, 1, 1, 1, 1)), r"damaged \(the dimensions are 0, 17"),
        (raw(dim=(3, 0, 18, 19, 1, 1, 1, 1)), "damaged"),
        (raw(dim=(3, 15, 18, 19, 1, 1, 1, 1)), "bytes more than its header says .15x18x19 voxels of float32"),
        (
            raw(dim=(3, 17, 18, 18, 1, 1, 1, 1)),
            "1224 bytes more than its header says",
        ),  # a plane of zeros is no padding
        (raw(dim=(3, 19, 18, 17, 1, 1, 1, 1), datatype=4, bitpix=16), "bytes more than its header says"),
        (raw(vox_offset=np.inf), "vox_offset is inf"),
        (raw(vox_offset=np.nan), "vox_offset is nan"),
        (raw(vox_offset=1e19), "the file is truncated"),
        (raw(vox_offset=16), "damaged .vox offset 16 too low"),
        (raw(vox_offset=352.5), "vox_offset is 352.5"),
        (raw(nib.Nifti2Image, vox_offset=2**62), "the file is truncated"),
        (raw(scl_slope=1, scl_inter=np.nan), "header is damaged"),
        (raw(datatype=7), "header is damaged"),
        (raw(affine=AFFINE * [[1e-9], [1e-9], [1e-9], [1]]), "which no scan has .0.01 to 50 mm"),
        (raw(affine=np.diag([60.0, 60, 60, 1])), "voxels are 60x60x60 mm large"),
        (raw(affine=AFFINE + np.outer([1e30, 0, 0, 0], [0, 0, 0, 1])), "from the scanner's centre"),
        (raw(srow_x=(np.inf, 0, 0, 0)), "the affine is singular"),
        (raw(pixdim=(1, 2, 2, 2, 1, 1, 1, 1)), "its qform and its sform disagree about left and right"),
        (raw(sform_code=0, quatern_b=2.0), r"its only affine, the qform, is damaged \(a quaternion whose square is"),
        (raw(magic=b"ni1"), "only the header of an image with two files"),
        (b"", "the file is empty"),
        (row(60_000), "an axis of 60000 voxels is too long for a scan"),
        (raw()[:100], "not NIfTI|truncated"),
        (raw()[:351], "the file is truncated"),
        (b"<!doctype html><html>", "it is a web page"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_claim_that_cannot_be(tmp_path: Path, content: bytes, message: str, packed: bool) -> None:
    if packed:
        message = message.replace("it holds 23608 bytes", "it holds at most [0-9]+ bytes")
        content = gzip.compress(content)
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path, content)
    assert caught.value.where == str(tmp_path / "a.nii")
    assert "\n" not in str(caught.value)


def test_a_mask_is_weighed_as_a_scan_is(tmp_path: Path) -> None:
    (tmp_path / "m.nii").write_bytes(raw(dim=(3, 2000, 2000, 2000, 1, 1, 1, 1)))
    with pytest.raises(InputError, match="truncated"):
        read_mask(tmp_path / "m.nii")


@pytest.mark.parametrize(
    ("content", "remark"),
    [
        (raw(), None),
        (raw() + bytes(64), "64 bytes of 0 follow its voxels and were passed over"),
        (raw(sform_code=12), "its sform_code 12 is not defined in NIfTI; that form was ignored"),
        (raw(qform_code=0, pixdim=(-1, 3, 2, 2, 1, 1, 1, 1)), "states voxels of 3x2x2, its sform 2x2x2; the sform was"),
        (raw(pixdim=(-1, 3, 2, 2, 1, 1, 1, 1)), "its qform and its sform lie up to 16 mm apart"),
        (raw(quatern_c=np.nan), "its qform is damaged"),
        (raw(quatern_b=1.5), "its qform is damaged"),
        (raw(xyzt_units=3), "its header says micrometres, of which no head comes; its affine was taken as millimetres"),
    ],
)
def test_what_is_odd_is_remarked_on(tmp_path: Path, content: bytes, remark: str | None) -> None:
    volume = read(tmp_path, content)
    np.testing.assert_array_equal(volume.data, VALUES)
    np.testing.assert_allclose(volume.grid.affine, AFFINE, atol=1e-5)
    assert len(volume.remarks) == (remark is not None)
    assert remark is None or remark in volume.remarks[0]


@pytest.mark.parametrize(("unit", "factor"), [("meter", 1e-3), ("micron", 1e3)])
def test_other_units_become_millimetres_with_a_word(tmp_path: Path, unit: str, factor: float) -> None:
    image = nib.Nifti1Image(VALUES, AFFINE * [[factor], [factor], [factor], [1]])
    image.header.set_xyzt_units(unit)
    volume = read(tmp_path, image.to_bytes())
    np.testing.assert_allclose(volume.grid.affine, AFFINE, rtol=1e-5, atol=1e-5)
    assert "millimetres were made of it" in volume.remarks[0]


def test_a_quaternion_too_long_by_rounding_is_shortened(tmp_path: Path) -> None:
    """A turn by 180 degrees about the second axis, its quaternion 5e-7 too long, as in ds000168."""
    turned = np.diag([-2.0, 2, -2, 1])
    for kind in (nib.Nifti1Image, nib.Nifti2Image):
        for sform_code in (0, 4):
            odd = {"quatern_b": 0, "quatern_c": 1.0000005, "quatern_d": 0, "qoffset_x": 0, "sform_code": sform_code}
            volume = read(tmp_path, raw(kind, turned, **odd))
            np.testing.assert_allclose(volume.grid.affine, turned, atol=2e-4)
            assert volume.remarks == ()


def test_garbage_behind_a_gzip_file_is_remarked_on(tmp_path: Path) -> None:
    volume = read(tmp_path, gzip.compress(raw()) + b"\r\n")
    np.testing.assert_array_equal(volume.data, VALUES)
    assert volume.remarks == ("2 bytes follow the gzip file's end and were passed over, as gzip does",)


def test_extensions_are_passed_over(tmp_path: Path) -> None:
    image = nib.Nifti1Image(VALUES, AFFINE)
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"x" * 70_000))
    np.testing.assert_array_equal(read(tmp_path, image.to_bytes()).data, VALUES)


def test_a_bomb_takes_no_memory(tmp_path: Path) -> None:
    """A small gzip file that unpacks to half a gigabyte of zeros behind a header that says less."""
    path = tmp_path / "bomb.nii.gz"
    path.write_bytes(gzip.compress(raw(), 1) + gzip.compress(bytes(1 << 29), 1))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match="more than 4096 bytes more than its header says"):
        read_volume(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kilobytes


def test_more_than_the_memory_holds_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pellucid.ground.memory.available_memory", lambda: 50_000)
    with pytest.raises(
        InputError, match=r"its image of 17x18x19 voxels takes 6\.98e-05 GB of memory, and 5e-05 GB are"
    ):
        read(tmp_path, raw())
