"""The gate at the command line: what is refused, what --force marks, and what a derivative folder stands for."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from pellucid.ground.files import read_json, read_tsv, write_json
from pellucid.image.nifti import read_volume, write_volume


@pytest.fixture
def down(scans: Path, tmp_path: Path) -> Path:
    """A scan that lies upside down, whatever its header says."""
    scan = read_volume(scans / "images" / "sub-01_FLAIR.nii.gz")
    path = tmp_path / "sub-01_FLAIR.nii.gz"
    write_volume(path, np.flip(scan.data, 2), scan.grid)
    return path


@pytest.mark.parametrize("verb", ["predict", "explain"])
def test_a_refused_scan_has_no_logit_and_its_cure_is_named(verb: str, arm: Path, down: Path, tmp_path: Path, pellucid):
    shown = pellucid(verb, arm, down, "--out", tmp_path / "out")
    assert shown.code == 2
    said = " ".join(shown.err.split())
    assert "its brain is upside down" in said
    assert "pellucid preprocess BIDS derivatives/pellucid participant" in said
    assert "--force takes it as it is" in said
    table = read_tsv(tmp_path / "out" / "predictions.tsv")
    assert table["logit"].isna().all()
    assert "upside down" in table["problems"][0]


def test_force_leaves_a_mark_everywhere(arm: Path, down: Path, tmp_path: Path, pellucid) -> None:
    shown = pellucid("explain", arm, down, "--out", tmp_path / "out", "--force")
    assert shown.code == 0, shown.err
    assert "FORCED: its brain is upside down" in " ".join(shown.out.split())
    table = read_tsv(tmp_path / "out" / "predictions.tsv")
    assert table["problems"][0].startswith("FORCED: its brain is upside down")
    assert np.isfinite(table["logit"][0])
    sidecar = read_json(next((tmp_path / "out").glob("*_relevance.json")))
    assert sidecar["Gate"]["Verdict"] == "forced"
    assert sidecar["Gate"]["Findings"][0]["kind"] == "pose"
    assert "Left and right" in sidecar["Gate"]["Unchecked"]
    marked = next((tmp_path / "out").glob("*.png")).read_bytes()
    good = tmp_path / "good"
    write = read_volume(down)
    write_volume(good / "sub-01_FLAIR.nii.gz", np.flip(write.data, 2), write.grid)
    assert pellucid("explain", arm, good, "--out", good / "out").code == 0
    assert len(marked) != len(next((good / "out").glob("*.png")).read_bytes())


def test_judge_refuses_and_marks_the_image_of_a_map(arm: Path, down: Path, scans: Path, tmp_path: Path, pellucid):
    assert pellucid("explain", arm, down, "--out", tmp_path / "out", "--force").code == 0
    mask = read_volume(scans / "masks" / "sub-02_lesions.nii.gz")
    write_volume(tmp_path / "sub-01_lesions.nii.gz", mask.data, mask.grid, np.uint8)
    asked = (
        "judge",
        next((tmp_path / "out").glob("*_relevance.nii.gz")),
        "--lesions",
        tmp_path / "sub-01_lesions.nii.gz",
    )
    shown = pellucid(*asked, "--out", tmp_path / "judged")
    assert shown.code == 2
    assert "upside down" in shown.err
    shown = pellucid(*asked, "--out", tmp_path / "judged", "--force")
    assert shown.code == 0, shown.err
    assert "FORCED: its brain is upside down" in " ".join(shown.out.split())
    assert read_tsv(tmp_path / "judged" / "lesions.tsv")["problems"].str.startswith("FORCED").all()


@pytest.fixture
def derivative(scans: Path, tmp_path: Path) -> Path:
    """A folder as `pellucid preprocess` leaves it, in a derivative dataset whose run was stopped."""
    root = tmp_path / "out"
    write_json(root / "dataset_description.json", {"Name": "x", "BIDSVersion": "1.10.0", "DatasetType": "derivative"})
    anat = root / "sub-01" / "anat"
    anat.mkdir(parents=True)
    for name in (
        "desc-preproc_FLAIR",
        "space-MNI152NLin6Asym_desc-brain_FLAIR",
        "space-MNI152NLin6Asym_label-GM_probseg",
    ):
        shutil.copy(scans / "images" / "sub-01_FLAIR.nii.gz", anat / f"sub-01_{name}.nii.gz")
    return anat


def test_a_derivative_folder_stands_for_its_prepared_scans(arm: Path, derivative: Path, tmp_path: Path, pellucid):
    shown = pellucid("predict", arm, derivative, "--out", tmp_path / "p")
    assert shown.code == 0, shown.err
    table = read_tsv(tmp_path / "p" / "predictions.tsv")
    assert [Path(image).name for image in table["image"]] == ["sub-01_space-MNI152NLin6Asym_desc-brain_FLAIR.nii.gz"]
    said = " ".join(shown.err.split())
    assert "not used" in said
    assert "desc-preproc_FLAIR" in said
    assert "label-GM_probseg" in said
    next(derivative.glob("*desc-brain_FLAIR*")).unlink()
    shown = pellucid("predict", arm, derivative, "--out", tmp_path / "p")
    assert shown.code == 2
    assert "pellucid preprocess" in shown.err


def test_the_verdict_of_a_stopped_run_counts(arm: Path, derivative: Path, tmp_path: Path, pellucid) -> None:
    record = {"participant_id": "sub-01", "session_id": None, "state": "done", "error": None}
    finding = {"measure": "brain_dice", "verdict": "check", "text": "Dice is 0.91"}
    write_json(derivative.parents[1] / "logs" / "sub-01.json", record | {"verdict": "check", "findings": [finding]})
    shown = pellucid("predict", arm, derivative, "--out", tmp_path / "p")
    assert shown.code == 0, shown.err
    assert (
        "is to be checked, says quality control. Dice is 0.91"
        in read_tsv(tmp_path / "p" / "predictions.tsv")["problems"][0]
    )
    write_json(derivative.parents[1] / "logs" / "sub-01.json", record | {"verdict": "fail", "findings": [finding]})
    for asked in (derivative, derivative.parents[1]):
        shown = pellucid("predict", arm, asked, "--out", tmp_path / "p")
        assert shown.code == 2
        assert "sub-01 failed quality control" in " ".join(shown.err.split())
