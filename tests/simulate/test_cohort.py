"""A simulated cohort is a valid BIDS dataset, the same however it was made, and true to its own truth."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pellucid.ground.errors import InputError
from pellucid.ground.files import read_json, read_tsv
from pellucid.image.nifti import read_mask, read_volume
from pellucid.simulate.cohort import simulate_cohort
from pellucid.simulate.settings import CohortSettings, PretrainingSettings

SMALL = CohortSettings(patients=3, controls=2, seed=4, voxel_size=4.0)
PRE = PretrainingSettings(patients=2, controls=2, visits=2, seed=4, voxel_size=4.0)


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    out = tmp_path_factory.mktemp("ms") / "bids"
    simulate_cohort(out, SMALL)
    return out


def test_tables_and_files_agree(cohort):
    table = read_tsv(cohort / "participants.tsv")
    assert sorted(table["group"]) == ["HC", "HC", "MS", "MS", "MS"]
    for row in table.itertuples():
        flair = read_volume(cohort / row.participant_id / "anat" / f"{row.participant_id}_FLAIR.nii.gz")
        t1w = read_volume(cohort / row.participant_id / "anat" / f"{row.participant_id}_T1w.nii.gz")
        name = f"{row.participant_id}_space-MNI152NLin6Asym_label-lesion_mask.nii.gz"
        lesions = read_mask(cohort / "derivatives" / "lesions" / row.participant_id / "anat" / name, flair.grid)
        assert flair.grid.matches(t1w.grid)
        assert lesions.data.sum() * flair.grid.voxel_volume_ml == pytest.approx(row.lesion_volume_ml, abs=1e-3)
        assert not np.any(lesions.data & (flair.data == 0.0)), "lesions lie in the brain"
        if lesions.data.sum() > 20:
            brain = flair.data > 0.0
            assert flair.data[lesions.data].mean() > 1.1 * np.median(flair.data[brain]), "lesions are bright on FLAIR"
            assert t1w.data[lesions.data].mean() < np.percentile(t1w.data[brain], 80), "and dark on T1w"


def test_the_brain_sits_in_mni_space_with_the_left_on_the_left(cohort):
    flair = read_volume(cohort / "sub-0001" / "anat" / "sub-0001_FLAIR.nii.gz")
    assert flair.grid.affine[0, 0] < 0, "voxel order LAS, as FSL's template"
    centre = flair.grid.world(np.argwhere(flair.data > 0).mean(axis=0))
    np.testing.assert_allclose(centre, (0.0, -20.0, 10.0), atol=8.0)


def test_resuming_and_workers_change_nothing(cohort, tmp_path):
    out = tmp_path / "again"
    steps = []

    def stop_after_two(done: int, total: int, what: str) -> None:
        steps.append((done, total))
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate_cohort(out, SMALL, progress=stop_after_two)
    assert not (out / "participants.tsv").exists(), "an unfinished cohort must not look whole"
    steps.clear()
    simulate_cohort(out, SMALL, workers=2, progress=lambda done, total, what: steps.append((done, total)))
    assert steps[0] == (2, 5)
    assert steps[-1] == (5, 5)
    assert files(out) == files(cohort)


def test_another_cohort_is_not_mixed_in(cohort):
    with pytest.raises(InputError, match=r"seed: 4 there, 5 asked"):
        simulate_cohort(cohort, CohortSettings(patients=3, controls=2, seed=5, voxel_size=4.0))


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(InputError, match="not empty"):
        simulate_cohort(tmp_path, SMALL)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_truth_says_what_differs(cohort):
    truth = read_json(cohort / "derivatives" / "truth" / "truth.json")
    assert set(truth["differs_between_groups"]) == {"lesions", "callosum", "thalamus", "age_gap"}
    assert "caps" in truth["in_both_groups"]
    for effect in (*truth["differs_between_groups"].values(), truth["in_both_groups"]["caps"]):
        path = cohort / "derivatives" / "truth" / f"tpl-MNI152NLin6Asym_desc-{effect['where']}_probseg.nii.gz"
        assert read_volume(path).data.max() == pytest.approx(1.0, abs=0.1)


def test_pretraining_cohort_has_sessions(tmp_path):
    out = tmp_path / "pre"
    simulate_cohort(out, PRE)
    table = read_tsv(out / "participants.tsv")
    assert sorted(table["group"]) == ["AD", "AD", "CN", "CN"]
    for name in table["participant_id"]:
        sessions = read_tsv(out / name / f"{name}_sessions.tsv")
        for session in sessions["session_id"]:
            read_volume(out / name / session / "anat" / f"{name}_{session}_T1w.nii.gz")


@pytest.mark.slow
@pytest.mark.parametrize("make", ["ms", "pre"])
def test_the_official_validator_agrees(cohort, tmp_path, make):
    if make == "pre":
        cohort = tmp_path / "pre"
        simulate_cohort(cohort, PRE)
    validator = Path(sys.executable).with_name("bids-validator-deno")
    if not validator.exists():
        pytest.skip("bids-validator-deno is not installed")
    done = subprocess.run([validator, cohort, "--format", "json"], capture_output=True, text=True, check=False)
    issues = json.loads(done.stdout)["issues"]["issues"]
    errors = [issue for issue in issues if issue["severity"] == "error"]
    assert errors == []
