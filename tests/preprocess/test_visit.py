"""One visit through the chain: unusual scans, and steps left out."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from tests.preprocess.conftest import blob_head, grid_of

from pellucid.ground.errors import InputError, UnusableError
from pellucid.image.grid import MNI_1MM, Grid
from pellucid.image.nifti import Mask, Volume, read_mask, read_volume, write_volume
from pellucid.preprocess import registration
from pellucid.preprocess.chain import Chain
from pellucid.preprocess.inputs import Visit, find_visits
from pellucid.preprocess.outputs import FILES, Outputs
from pellucid.preprocess.quality import judge, verdict_of
from pellucid.preprocess.settings import Settings
from pellucid.preprocess.visit import drawn_on, process_visit, refuse_twins

BARE = Settings(skip=("bias", "tissue", "network"))


def process(out: Path, settings: Settings = BARE, **files: Path) -> Chain:
    return process_visit(Outputs(out, Visit("sub-1", None, **files)), settings)  # type: ignore[arg-type]


def test_a_visit_with_a_problem_is_refused_in_its_own_words(tmp_path: Path) -> None:
    visit = Visit("sub-1", None, problem="here: two FLAIRs. Keep one.")
    with pytest.raises(UnusableError, match=r"^here: two FLAIRs\. Keep one\.$"):
        process_visit(Outputs(tmp_path, visit), BARE)


def test_a_mask_belongs_to_the_scan_whose_grid_it_lies_on() -> None:
    grids = [grid_of((4, 5, 6), size) for size in ((1.0, 1.0, 1.0), (2.0, 2.0, 2.0), (3.0, 3.0, 3.0))]
    scans = [Volume(np.ones((4, 5, 6), np.float32), grid) for grid in grids]
    masks = [Mask(np.ones((4, 5, 6), bool), grid, Path("mask.nii")) for grid in grids]
    assert drawn_on(masks[0], scans[0], scans[1]) == "t1w"
    assert drawn_on(masks[1], scans[0], scans[1]) == "flair"
    assert drawn_on(masks[0], scans[0], scans[0]) == "flair"
    with pytest.raises(
        InputError, match=r"mask\.nii: the mask has the grid of none of its scans \(mask 4x5x6 at 3x3x3"
    ):
        drawn_on(masks[2], scans[0], scans[1])


def test_one_image_under_two_names_is_refused(tmp_path: Path) -> None:
    grid = grid_of((60, 70, 60), (3.0, 3.0, 3.0))
    data, _ = blob_head(grid)
    t1w, flair = tmp_path / "sub-1_T1w.nii.gz", tmp_path / "sub-1_FLAIR.nii"
    write_volume(t1w, data, grid)
    write_volume(flair, data, grid)
    with pytest.raises(InputError, match=r"sub-1_FLAIR\.nii: it is the same image, voxel for voxel, as the T1w"):
        process(tmp_path / "out", t1w=t1w, flair=flair)
    refuse_twins(Volume(data, grid), Volume(data + 1.0, grid))


def test_a_brain_that_goes_on_beyond_its_field_of_view_is_remarked_on(tmp_path: Path) -> None:
    from pellucid.preprocess.native import _remark_on_edges

    grid = grid_of((60, 70, 60), (3.0, 3.0, 3.0))
    _, brain = blob_head(grid)
    chain = Chain(Outputs(tmp_path, Visit("sub-1", None)), BARE, 1)
    _remark_on_edges(chain, "t1w", brain, grid)
    assert chain.warnings == []
    last = int(np.flatnonzero(brain.any(axis=(0, 1)))[-1])
    cut = brain[:, :, : last - 3]  # 12 mm off
    _remark_on_edges(chain, "t1w", cut, Grid.of(cut.shape, grid.affine))
    (warning,) = chain.warnings
    assert "the brain extends beyond the top of the field of view" in warning


def test_a_flair_whose_brain_is_not_found_takes_the_t1ws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pellucid.preprocess import visit as module
    from pellucid.preprocess.native import Scan

    grid = grid_of((60, 70, 60), (3.0, 3.0, 3.0))
    data, brain = blob_head(grid)

    def blind(*_: object) -> None:
        raise InputError("flair.nii", "no brain was found in it", "Look at it")

    monkeypatch.setattr(module, "find_own_brain", blind)
    settings = Settings(skip=("bias", "crop", "registration"))
    chain = Chain(Outputs(tmp_path, Visit("sub-1", None, flair=Path("flair.nii"))), settings, 1)
    flair, matrix = module.align_flair(chain, Volume(data, grid), Scan(data, brain, grid, stripped=False), np.eye(4))
    assert np.array_equal(flair.brain, brain)
    assert np.array_equal(matrix, np.eye(4))
    assert chain.measures["flair_dice"] is None
    assert "the T1w's stands in for it (flair.nii: no brain" in chain.warnings[0]
    with pytest.raises(InputError, match="no brain was found"):
        module.align_flair(chain, Volume(data, grid), None, np.eye(4))


def test_every_file_has_a_name_of_its_own_and_a_description(tmp_path: Path) -> None:
    outputs = Outputs(tmp_path, Visit("sub-1", "ses-2"))
    paths = {outputs.path(key) for key in FILES}
    assert len(paths) == len(FILES)
    assert all(path.parent == tmp_path / "sub-1" / "ses-2" / "anat" for path in paths)
    assert all(path.name.startswith("sub-1_ses-2_") for path in paths)
    assert all(file.description for file in FILES.values())
    assert outputs.existing() == {}


@pytest.mark.parametrize(
    "change", [{"skull_strip": "x"}, {"skip": ("x",)}, {"filling": "x"}, {"scaling": "x"}, {"seed": -1}]
)
def test_settings_are_checked(change: dict[str, object]) -> None:
    with pytest.raises(InputError):
        Settings(**change)  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_head_upside_down_is_flagged_and_not_silently_used(
    raw_pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A header that is wrong about up and down: the registration ends somewhere, and its measures say where not."""
    scan = read_volume(raw_pairs / "patient04_study1_T1W.nii.gz")
    coarse = Grid.of(scan.data[::2, ::2, ::2].shape, scan.grid.affine @ np.diag([2.0, 2.0, 2.0, 1.0]))
    write_volume(tmp_path / "t1w.nii.gz", scan.data[::2, ::2, ::-2], coarse, space="scanner")
    # Where it ends is wrong before its last and longest search.
    monkeypatch.setattr(registration, "_FINE", dataclasses.replace(registration._FINE, iterations=3))
    chain = process(tmp_path / "out", t1w=tmp_path / "t1w.nii.gz")
    findings = judge(chain.measures)
    assert verdict_of(findings) == "fail"
    assert "t1w_nmi" in {finding.measure for finding in findings}


@pytest.mark.slow
def test_a_flair_of_thick_slices_alone_goes_through_and_both_are_said(
    raw_pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = read_volume(raw_pairs / "patient01_study1_FLAIR.nii.gz")
    affine = scan.grid.affine
    affine[:3, 3] += affine[:3, 2] / 2
    affine[:3, 2] *= 2
    thick = (scan.data[:, :, 0:-1:2] + scan.data[:, :, 1::2]) / 2
    write_volume(tmp_path / "flair.nii.gz", thick, Grid.of(thick.shape, affine), space="scanner")
    # The last search is the longest and changes little.
    monkeypatch.setattr(registration, "_FINE", dataclasses.replace(registration._FINE, iterations=3))
    chain = process(tmp_path / "out", flair=tmp_path / "flair.nii.gz")
    assert verdict_of(judge(chain.measures)) == "pass"
    assert chain.measures["brain_dice"] >= 0.92  # type: ignore[operator]
    assert chain.measures.get("lesion_ml") is None  # a missing mask is missing
    assert any("its voxels are 8.0 mm long" in warning for warning in chain.warnings)
    assert any("registered to MNI space directly" in warning for warning in chain.warnings)


@pytest.mark.slow
def test_scans_in_mni_space_stay_where_they_are(tmp_path: Path) -> None:
    """A simulated patient, already registered and stripped: nothing moves, lesions keep their volume."""
    from pellucid.simulate.cohort import simulate_cohort
    from pellucid.simulate.settings import CohortSettings

    simulate_cohort(tmp_path / "raw", CohortSettings(patients=1, controls=1, seed=3, voxel_size=1.0))
    visit = max(find_visits(tmp_path / "raw"), key=lambda v: read_mask(v.lesions).data.sum() if v.lesions else 0)
    outputs = Outputs(tmp_path / "out", visit)
    chain = process_visit(outputs, Settings(skull_strip="skip", skip=("registration", "bias", "crop", "network")))
    assert chain.measures["scale"] == 1.0
    assert chain.measures["lesion_kept"] == pytest.approx(1.0, abs=1e-6)
    assert visit.flair is not None
    assert visit.lesions is not None
    before, after = read_volume(visit.flair), read_volume(outputs.path("flair_mni"))
    brain = read_mask(outputs.path("brain_mni")).data & (after.data > 0)
    assert np.abs(after.data - before.data)[brain].max() <= 1e-3 * before.data.max()
    assert np.array_equal(read_mask(outputs.path("lesions_mni")).data, read_mask(visit.lesions).data)
    assert read_volume(outputs.path("filled_mni")).grid == MNI_1MM
    assert chain.measures["bright_after"] <= 0.05  # type: ignore[operator]
