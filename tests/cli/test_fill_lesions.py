"""`pellucid fill-lesions`: the filled scan, its sidecar, and what is refused."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from pellucid.ground.files import read_json
from pellucid.image.grid import Grid
from pellucid.image.nifti import read_mask, read_volume, write_volume
from pellucid.preprocess.filling import METHODS, RIM_MM, dilate, dilate_original, fill_lesions


@pytest.fixture
def white(scans: Path, tmp_path: Path) -> Path:
    """A probability map of white matter: the template's brighter half."""
    scan = read_volume(scans / "images" / "sub-01_FLAIR.nii.gz")
    bright = scan.data > np.percentile(scan.data[scan.data > 0], 50)
    path = tmp_path / "white.nii.gz"
    write_volume(path, np.where(bright, 0.9, 0.1), scan.grid)
    return path


@pytest.fixture
def inputs(scans: Path) -> tuple[Path, Path]:
    return scans / "images" / "sub-02_FLAIR.nii.gz", scans / "masks" / "sub-02_lesions.nii.gz"


@pytest.mark.parametrize("method", METHODS)
def test_the_filled_scan_is_the_librarys_own(
    method: str, inputs: tuple[Path, Path], white: Path, tmp_path: Path, pellucid
) -> None:
    out = tmp_path / "out" / "filled.nii.gz"
    shown = pellucid(
        "fill-lesions", *inputs, "--out", out, "--method", method, "--white-matter", white, "--seed", 3
    )  # fmt: skip
    assert shown.code == 0, shown.err
    scan, lesions, filled = read_volume(inputs[0]), read_mask(inputs[1]), read_volume(out)
    expected = fill_lesions(
        scan.data, lesions.data, read_volume(white).data > 0.5, scan.grid, seed=3, method=method
    )  # fmt: skip
    np.testing.assert_array_equal(filled.data, expected.image)
    assert filled.grid == scan.grid
    assert nib.load(out).get_data_dtype() == np.float32
    wider = dilate(lesions.data, scan.grid, RIM_MM) if method == "local" else dilate_original(lesions.data)
    np.testing.assert_array_equal(filled.data[~wider], scan.data[~wider])
    assert filled.data[lesions.data].max() < scan.data[lesions.data].min()

    sidecar = read_json(out.with_name("filled.json"))
    assert sidecar["Method"] == method
    assert sidecar["Seed"] == 3
    assert sidecar["WhiteMatter"] == "given"
    assert sidecar["LesionMl"] == pytest.approx(lesions.data.sum() * scan.grid.voxel_volume_ml)
    assert sidecar["ChangedVoxels"] == expected.changed.sum()
    assert [(out.parent / source).resolve() for source in sidecar["Sources"]] == [*inputs, white]
    assert len(sidecar["SourceSha256"]) == 3
    assert "Research only" in sidecar["Description"]
    assert "research only" in shown.out
    assert f"{sidecar['LesionMl']:.2f} ml of lesions" in shown.out


def test_white_matter_is_found_in_a_scan_in_mni_space(inputs: tuple[Path, Path], tmp_path: Path, pellucid) -> None:
    out = tmp_path / "filled.nii.gz"
    shown = pellucid("fill-lesions", *inputs, "--out", out)
    assert shown.code == 0, shown.err
    scan, lesions, filled = read_volume(inputs[0]), read_mask(inputs[1]).data, read_volume(out)
    around = dilate(lesions, scan.grid, 12.0) & ~dilate(lesions, scan.grid, 4.0) & (scan.data > 0)
    assert filled.data[lesions].mean() == pytest.approx(np.percentile(scan.data[around], 75), rel=0.2)
    assert read_json(tmp_path / "filled.json")["WhiteMatter"] == "found in the scan"
    assert nib.load(out).header["sform_code"] == 4


def test_the_header_says_where_voxels_lie_as_it_did(
    inputs: tuple[Path, Path], white: Path, tmp_path: Path, pellucid
) -> None:
    given = nib.load(inputs[0])
    apart = given.affine.copy()
    apart[:3, 3] += (0.0, 0.5, 0.0)
    given.set_qform(apart, 1)
    given.set_sform(given.affine, 2)
    given.header.set_xyzt_units("unknown")
    given.to_filename(tmp_path / "sub-02_FLAIR.nii.gz")
    arguments = (tmp_path / "sub-02_FLAIR.nii.gz", inputs[1], "--white-matter", white, "--out", tmp_path / "f.nii.gz")
    shown = pellucid("fill-lesions", *arguments)
    assert shown.code == 0, shown.err
    written, given = nib.load(tmp_path / "f.nii.gz").header, nib.load(tmp_path / "sub-02_FLAIR.nii.gz").header
    for name in ("qform_code", "sform_code", "xyzt_units", "quatern_b", "qoffset_y", "srow_x", "srow_y", "srow_z"):
        np.testing.assert_array_equal(written[name], given[name])
    assert (int(written["qform_code"]), int(written["sform_code"])) == (1, 2)
    np.testing.assert_array_equal(written.get_qform(), given.get_qform())


def test_white_matter_is_not_looked_for_in_what_is_no_brain_in_mni_space(
    inputs: tuple[Path, Path], white: Path, tmp_path: Path, pellucid
) -> None:
    scan, lesions = read_volume(inputs[0]), read_mask(inputs[1])
    write_volume(tmp_path / "sub-02_FLAIR.nii.gz", np.flip(scan.data, 2), scan.grid)
    write_volume(tmp_path / "sub-02_lesions.nii.gz", np.flip(lesions.data, 2), scan.grid, np.uint8)
    pair = (tmp_path / "sub-02_FLAIR.nii.gz", tmp_path / "sub-02_lesions.nii.gz")
    shown = pellucid("fill-lesions", *pair, "--out", tmp_path / "f.nii.gz")
    assert shown.code == 2
    assert "its brain is upside down" in shown.err
    assert "give its white matter with --white-matter" in shown.err
    assert not (tmp_path / "f.nii.gz").exists()


def test_an_empty_mask_writes_the_scan_as_it_is(inputs: tuple[Path, Path], tmp_path: Path, pellucid) -> None:
    scan = read_volume(inputs[0])
    write_volume(tmp_path / "none.nii.gz", np.zeros(scan.grid.shape, dtype=bool), scan.grid, np.uint8)
    shown = pellucid("fill-lesions", inputs[0], tmp_path / "none.nii.gz", "--out", tmp_path / "filled.nii.gz")
    assert shown.code == 0
    assert "is empty: the scan is written unchanged" in shown.out
    np.testing.assert_array_equal(read_volume(tmp_path / "filled.nii.gz").data, scan.data)
    sidecar = read_json(tmp_path / "filled.json")
    assert sidecar["ChangedVoxels"] == 0
    assert sidecar["WhiteMatter"] == "not needed"


def test_an_integer_scan_keeps_every_value_outside(
    inputs: tuple[Path, Path], white: Path, tmp_path: Path, pellucid
) -> None:
    scan, lesions = read_volume(inputs[0]), read_mask(inputs[1]).data
    whole = nib.Nifti1Image((scan.data * 20).astype(np.int16), scan.grid.affine)
    nib.save(whole, tmp_path / "whole.nii.gz")
    shown = pellucid(
        "fill-lesions", tmp_path / "whole.nii.gz", inputs[1], "--out", tmp_path / "f.nii", "--white-matter", white
    )  # fmt: skip
    assert shown.code == 0, shown.err
    outside = ~dilate(lesions, scan.grid, RIM_MM)
    found, expected = np.asarray(nib.load(tmp_path / "f.nii").dataobj), np.asarray(whole.dataobj)
    np.testing.assert_array_equal(found[outside], expected[outside])


def test_what_could_not_be_filled_is_said(inputs: tuple[Path, Path], white: Path, tmp_path: Path, pellucid) -> None:
    scan, lesions = read_volume(inputs[0]), read_mask(inputs[1]).data
    lesions[0, 0, :5] = True  # off the brain
    write_volume(tmp_path / "mask.nii.gz", lesions, scan.grid, np.uint8)
    shown = pellucid(
        "fill-lesions", inputs[0], tmp_path / "mask.nii.gz", "--out", tmp_path / "f.nii", "--white-matter", white
    )  # fmt: skip
    assert shown.code == 0
    assert "5 voxels of lesions not filled" in shown.out
    assert read_json(tmp_path / "f.json")["UnfilledVoxels"] == 5


def test_bad_input_is_2_and_nothing_is_written(
    inputs: tuple[Path, Path], white: Path, tmp_path: Path, pellucid
) -> None:
    image, mask = inputs
    scan = read_volume(image)
    out = tmp_path / "out" / "filled.nii.gz"
    other = Grid.of(scan.grid.shape, scan.grid.affine + np.diag([0, 0, 0, 0]) + np.eye(4, k=3) * 9)
    write_volume(tmp_path / "moved_mask.nii.gz", read_mask(mask).data, other, np.uint8)
    write_volume(tmp_path / "moved_white.nii.gz", read_volume(white).data, other)
    write_volume(tmp_path / "percent.nii.gz", read_volume(white).data * 100, scan.grid)
    write_volume(tmp_path / "lesion.nii.gz", ndimage.binary_dilation(read_mask(mask).data), scan.grid)
    far = Grid.of(scan.grid.shape, scan.grid.affine + np.eye(4, k=3) * 60)
    write_volume(tmp_path / "far.nii.gz", scan.data, far)
    write_volume(tmp_path / "far_mask.nii.gz", read_mask(mask).data, far, np.uint8)
    usual = ["--out", out, "--white-matter", white]
    for arguments, words in (
        ([image, tmp_path / "moved_mask.nii.gz", *usual], "on another grid"),
        ([image, tmp_path / "missing.nii.gz", *usual], "does not exist"),
        ([image, image, *usual], "not binary"),
        ([image, mask, "--out", out, "--white-matter", tmp_path / "moved_white.nii.gz"], "on another grid"),
        ([image, mask, "--out", out, "--white-matter", tmp_path / "percent.nii.gz"], "nor a probability map"),
        ([image, mask, "--out", out, "--white-matter", tmp_path / "lesion.nii.gz"], "no white matter is left"),
        ([tmp_path / "far.nii.gz", tmp_path / "far_mask.nii.gz", "--out", out], "--white-matter"),
        ([image, mask, *usual, "--method", "blur"], "local, slice"),
        ([image, mask, *usual, "--seed", "-1"], "at least 0"),
        ([image, mask, "--out", tmp_path / "filled.png", "--white-matter", white], ".nii.gz"),
        ([image, mask, "--out", image, "--white-matter", white], "overwrite"),
        ([image, mask, "--out", str(image).removesuffix(".gz"), "--white-matter", white], "overwrite"),
        ([image, mask], "--out"),
    ):
        shown = pellucid("fill-lesions", *arguments)
        assert shown.code == 2, arguments
        assert words in shown.err, shown.err
        assert "Traceback" not in shown.err
    assert not out.parent.exists()
