from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform
from nibabel.processing import resample_to_output
from scipy import ndimage

from pellucid.ground.errors import InputError
from pellucid.image.grid import MNI_1MM, MNI_2MM, PAPER_GRID, Grid
from pellucid.image.nifti import Volume, read_mask, read_volume, write_volume
from pellucid.image.prepare import MNI_BRAIN_CENTRE, check_mni, find_brain, prepare, to_native
from pellucid.image.resample import resample_mask
from pellucid.image.scaling import SCALINGS, scale

COARSE = Grid.of((46, 55, 46), np.array([[-4.0, 0, 0, 90], [0, 4, 0, -126], [0, 0, 4, -72], [0, 0, 0, 1]]))


def phantom(grid: Grid = MNI_2MM) -> npt.NDArray[np.float32]:
    """An ellipsoid in the place of the MNI brain, brighter to the front, with a bright ball on the right."""
    x, y, z = np.moveaxis(grid.world(np.moveaxis(np.indices(grid.shape), 0, -1)), -1, 0)
    brain = ((x - 0.6) / 68) ** 2 + ((y + 21.5) / 85) ** 2 + ((z - 9.8) / 60) ** 2 <= 1
    ball = (x - 30) ** 2 + (y + 20) ** 2 + (z - 20) ** 2 <= 9**2
    return np.where(brain, 100 + 0.3 * y + 80 * ball, 0).astype(np.float32)


PHANTOM = Volume(phantom(), MNI_2MM)


def reoriented(image: nib.Nifti1Image, codes: str) -> nib.Nifti1Image:
    return image.as_reoriented(ornt_transform(io_orientation(image.affine), axcodes2ornt(tuple(codes))))


def dice(a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_]) -> float:
    return 2 * float((a & b).sum()) / float(a.sum() + b.sum())


@pytest.fixture(scope="module")
def patient(patients: Path) -> Path:
    return patients / "patient19_FLAIR.nii.gz"


def test_the_papers_resampling_is_a_cubic_zoom_without_smoothing() -> None:
    """Its twin is scipy's zoom of the whole grid, corner to corner, as Eitel 2019's code did it."""
    scan = Volume(phantom(MNI_1MM), MNI_1MM)
    prepared = prepare(scan, PAPER_GRID, scaling="max", resampling="cubic")
    zoomed = ndimage.zoom(scan.data, 0.525, order=3)
    inside = ndimage.binary_erosion(prepared.brain, iterations=3)
    assert zoomed.shape == PAPER_GRID.shape
    assert np.abs(prepared.unscaled - zoomed)[inside].max() < 0.5
    assert not prepared.image[~prepared.brain].any()
    smooth = prepare(scan, PAPER_GRID, scaling="max")
    assert np.array_equal(smooth.brain, prepared.brain)


def test_left_is_left_in_any_orientation_type_and_file(tmp_path: Path) -> None:
    expected = prepare(PHANTOM, PAPER_GRID, scaling="robust")
    brightest = PAPER_GRID.world(np.argwhere(expected.unscaled > 150).mean(axis=0))
    np.testing.assert_allclose(brightest, (30, -20, 20), atol=0.7)
    write_volume(tmp_path / "las.nii.gz", PHANTOM.data, MNI_2MM)
    image = nib.load(tmp_path / "las.nii.gz")
    for codes, dtype, suffix in [
        ("RAS", np.float64, ".nii"),
        ("LPS", np.float32, ".nii.gz"),
        ("PIR", np.float32, ".nii"),
        ("SLA", np.int16, ".nii.gz"),
        ("AIL", np.uint8, ".nii"),
    ]:
        turned = reoriented(image, codes)
        turned = nib.Nifti1Image(turned.get_fdata().astype(dtype), turned.affine)
        nib.save(turned, tmp_path / f"{codes}{suffix}")
        prepared = prepare(read_volume(tmp_path / f"{codes}{suffix}"), PAPER_GRID, scaling="robust")
        np.testing.assert_array_equal(prepared.brain, expected.brain)
        rounding = 1e-3 if np.issubdtype(dtype, np.floating) else 0.1  # whole numbers lose up to one of spread ten
        np.testing.assert_allclose(prepared.image, expected.image, atol=rounding)


def test_another_voxel_size_is_the_same_scan() -> None:
    expected = prepare(PHANTOM, PAPER_GRID, scaling="robust")
    affine = np.array([[0, 0, 1.3, -80], [1.1, 0, 0, -116], [0, 1.0, 0, -60], [0, 0, 0, 1]])  # permuted and anisotropic
    fine = Grid.of((175, 140, 125), affine)
    prepared = prepare(Volume(phantom(fine), fine), PAPER_GRID, scaling="robust")
    assert dice(prepared.brain, expected.brain) > 0.985
    both = ndimage.binary_erosion(prepared.brain & expected.brain, iterations=2)
    assert np.corrcoef(prepared.image[both], expected.image[both])[0, 1] > 0.98
    assert abs(prepared.image[both] - expected.image[both]).mean() < 0.05


@pytest.mark.parametrize("codes", ["RAS", "LPS", "PIR", "SAL"])
def test_a_scan_in_any_orientation(patient: Path, tmp_path: Path, codes: str) -> None:
    expected = prepare(read_volume(patient), PAPER_GRID, scaling="robust")
    nib.save(reoriented(nib.load(patient), codes), tmp_path / "turned.nii")
    prepared = prepare(read_volume(tmp_path / "turned.nii"), PAPER_GRID, scaling="robust")
    np.testing.assert_array_equal(prepared.brain, expected.brain)
    np.testing.assert_allclose(prepared.image, expected.image, atol=1e-3)


def test_a_scan_at_another_voxel_size(patient: Path, tmp_path: Path) -> None:
    expected = prepare(read_volume(patient), PAPER_GRID, scaling="robust")
    nib.save(resample_to_output(nib.load(patient), (1.5, 1.2, 1.4), order=1), tmp_path / "coarser.nii.gz")
    prepared = prepare(read_volume(tmp_path / "coarser.nii.gz"), PAPER_GRID, scaling="robust")
    assert dice(prepared.brain, expected.brain) > 0.97
    both = prepared.brain & expected.brain
    assert np.corrcoef(prepared.image[both], expected.image[both])[0, 1] > 0.97


@pytest.mark.parametrize("name", ["patient07", "patient19"])
def test_scans_come_out_clean(patients: Path, name: str) -> None:
    folder = patients
    volume = read_volume(folder / f"{name}_FLAIR.nii.gz")
    lesions = read_mask(folder / f"{name}_lesions.nii.gz", volume.grid)
    assert volume.data.min() < -10  # interpolation ringing, as the collection warns
    prepared = prepare(volume, PAPER_GRID, scaling="robust")
    assert prepared.image.dtype == prepared.unscaled.dtype == np.float32
    assert prepared.unscaled.min() == 0
    assert not prepared.image[~prepared.brain].any()
    assert not prepared.unscaled[~prepared.brain].any()
    _, parts = ndimage.label(prepared.brain)
    assert parts <= 3  # the native brain is one part; sampling may cut off a voxel or two
    assert prepared.off_grid == 0
    # The brain keeps its volume, and lesions lie in it and on what shines in FLAIR.
    native_ml = find_brain(volume.data).sum() * volume.grid.voxel_volume_ml
    assert prepared.brain.sum() * PAPER_GRID.voxel_volume_ml == pytest.approx(native_ml, rel=0.01)
    lesion = resample_mask(lesions.data, lesions.grid, PAPER_GRID)
    assert prepared.brain[lesion].mean() > 0.98
    assert prepared.image[lesion].mean() > prepared.image[prepared.brain & ~lesion].mean() + 1
    mirrored = np.flip(lesion, axis=0) & prepared.brain
    assert prepared.image[lesion].mean() > prepared.image[mirrored].mean() + 0.3


@pytest.mark.parametrize("scaling", SCALINGS)
def test_unscaled_image_gives_every_scaling(scaling: str) -> None:
    prepared = prepare(PHANTOM, PAPER_GRID, scaling=scaling)
    np.testing.assert_array_equal(prepared.image, scale(prepared.unscaled, prepared.brain, scaling))


def test_ringing_within_the_brain_is_clipped_too() -> None:
    data = PHANTOM.data.copy()
    data[40:44, 60:64, 40:44] = -20  # in a dark ventricle
    prepared = prepare(Volume(data, MNI_2MM), PAPER_GRID, scaling="robust")
    ventricle = tuple(int(v) for v in PAPER_GRID.voxel(MNI_2MM.world((41.5, 61.5, 41.5))).round())
    assert prepared.brain[ventricle]
    assert prepared.unscaled[ventricle] == pytest.approx(0, abs=1e-4)
    assert prepared.unscaled.min() > -1e-4


def test_the_rim_is_not_dimmed_by_the_background() -> None:
    constant = Volume(np.where(phantom() > 0, np.float32(50), np.float32(0)), MNI_2MM)
    constant.data[45, 54, 40] = 60
    prepared = prepare(constant, COARSE, scaling="minmax")
    np.testing.assert_allclose(prepared.unscaled[prepared.brain].min(), 50, rtol=1e-5)


def test_brain_agrees_with_scipys_hole_filling() -> None:
    data = phantom(COARSE)
    data[22:24, 30:32, 22:24] = 0  # a ventricle
    data[2, 2, 2] = 90  # a speck off the brain
    data[0:2, 50, 40] = 1.0  # ringing
    foreground = data > 0.02 * np.percentile(data[data > 0], 99)
    parts, _ = ndimage.label(foreground)
    sizes = ndimage.sum_labels(foreground, parts, range(1, parts.max() + 1))
    expected = ndimage.binary_fill_holes(parts == 1 + np.argmax(sizes))
    brain = find_brain(data)
    np.testing.assert_array_equal(brain, expected)
    assert brain[22, 30, 22]
    assert not brain[2, 2, 2]


def test_brain_may_touch_the_border() -> None:
    data = phantom()[20:70, :, 30:60]
    brain = find_brain(data)
    np.testing.assert_array_equal(brain, data > 0)


@pytest.mark.parametrize(
    ("shift", "words"),
    [
        ((45, 0, 0), r"45 mm from the MNI brain's \(45 mm right\)"),
        ((-45, 0, 0), r"\(45 mm left\)"),
        ((0, 45, 0), r"\(45 mm anterior\)"),
        ((0, -45, 0), r"\(45 mm posterior\)"),
        ((0, 0, 45), r"\(45 mm superior\)"),
        ((0, -30, -40), r"50 mm from the MNI brain's \(30 mm posterior, 40 mm inferior\)"),
    ],
)
def test_not_in_mni_space(shift: tuple[float, float, float], words: str) -> None:
    affine = COARSE.affine
    affine[:3, 3] += shift
    with pytest.raises(InputError, match=rf"scan\.nii: .*not in MNI space.* {words}\. Run `pellucid preprocess`"):
        check_mni(phantom(COARSE) > 0, Grid.of(COARSE.shape, affine), where="scan.nii")


def test_thirty_millimetres_are_the_limit() -> None:
    for distance, fails in ((29.0, False), (31.0, True)):
        affine = np.eye(4)
        affine[:3, 3] = np.array(MNI_BRAIN_CENTRE) + np.array((0, distance, 0)) - 2
        brain = np.zeros((5, 5, 5), bool)
        brain[1:4, 1:4, 1:4] = True
        if fails:
            with pytest.raises(InputError, match="31 mm"):
                check_mni(brain, Grid.of(brain.shape, affine))
        else:
            check_mni(brain, Grid.of(brain.shape, affine))


def test_who_has_found_the_brain_gives_it() -> None:
    brain = find_brain(PHANTOM.data)
    given = prepare(PHANTOM, PAPER_GRID, scaling="robust", brain=brain)
    np.testing.assert_array_equal(given.image, prepare(PHANTOM, PAPER_GRID, scaling="robust").image)
    brain[:, :50] = False
    assert prepare(PHANTOM, PAPER_GRID, scaling="robust", brain=brain).brain.sum() < 0.8 * given.brain.sum()


def test_standardised_scan_is_refused() -> None:
    data = PHANTOM.data
    inside = data > 0
    standardised = np.where(inside, (data - data[inside].mean()) / data[inside].std(), 0).astype(np.float32)
    with pytest.raises(InputError, match="it was already standardised"):
        prepare(Volume(standardised, MNI_2MM), PAPER_GRID, scaling="robust")


def test_nothing_positive_is_refused() -> None:
    with pytest.raises(InputError, match="no voxel is positive"):
        prepare(Volume(-PHANTOM.data, MNI_2MM), PAPER_GRID, scaling="robust")


def test_share_off_the_grid() -> None:
    assert prepare(PHANTOM, PAPER_GRID, scaling="robust").off_grid == 0
    half = Grid.of((48, 114, 96), PAPER_GRID.affine)  # from the right to 0.5 mm right of the midline
    prepared = prepare(PHANTOM, half, scaling="robust")
    border = PAPER_GRID.world((47.5, 0, 0))[0]
    x = MNI_2MM.world(np.argwhere(PHANTOM.data > 0))[:, 0]
    assert prepared.off_grid == pytest.approx((x < border).mean())
    assert 0.4 < prepared.off_grid < 0.6
    affine = MNI_2MM.affine
    affine[:3, 3] = MNI_2MM.world((45, 0, 0))  # a grid of the same voxels, from the midline's to the left
    prepared = prepare(PHANTOM, Grid.of((46, 109, 91), affine), scaling="robust")
    assert prepared.off_grid == pytest.approx((x > 0).mean())


def test_a_map_comes_back_to_its_place() -> None:
    native = MNI_1MM
    values = np.zeros(PAPER_GRID.shape, np.float32)
    values[30:33, 40:43, 50:53] = 1
    back = to_native(values, PAPER_GRID, native)
    assert back.shape == native.shape
    centre = native.world(np.array(ndimage.center_of_mass(back)))
    np.testing.assert_allclose(centre, PAPER_GRID.world((31, 41, 51)), atol=0.05)
    assert back.sum() * native.voxel_volume_ml == pytest.approx(27 * PAPER_GRID.voxel_volume_ml, rel=0.01)
