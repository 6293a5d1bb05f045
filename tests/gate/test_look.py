"""The gate on real scans: what is prepared passes untouched, what is raw or in another place does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.gate.test_pose import moved

from pellucid.gate.look import look
from pellucid.gate.tissue import OTHER
from pellucid.image.grid import Grid
from pellucid.image.nifti import read_volume
from pellucid.image.prepare import find_brain
from pellucid.simulate.cohort import simulate_cohort
from pellucid.simulate.settings import CohortSettings

OTHERS = ("patient07_FLAIR", "patient07_T1", "patient19_T1")
PATIENTS = ["patient19_FLAIR", *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)]


def kinds(path: Path, modality: str, grid: Grid | None = None, data: Any = None) -> dict[str, bool]:
    volume = read_volume(path)
    data = volume.data if data is None else data
    seen = look(data, find_brain(data), grid or volume.grid, modality=modality)
    return {finding.kind: finding.refused for finding in seen.findings}


@pytest.mark.parametrize("name", PATIENTS)
def test_real_patients_pass_and_their_broken_copies_do_not(name: str, shared_data: Path) -> None:
    path = shared_data / "ms_real" / "open_ms_data" / f"{name}.nii.gz"
    modality = "FLAIR" if "FLAIR" in name else "T1w"
    volume = read_volume(path)
    assert kinds(path, modality) == {}
    for size in (0.9, 1.1):
        assert kinds(path, modality, moved(volume.grid, size * np.eye(3))) == {}
    # Fifty millilitres of lesions bring the contrasts of the second patient's scans near to each other.
    assert kinds(path, OTHER[modality]) == {"contrast": "patient19" not in name}
    for axis in (1, 2):
        turned = np.ascontiguousarray(np.flip(volume.data, axis))
        assert kinds(path, modality, data=turned) == {"pose": True}
    assert kinds(path, modality, data=np.ascontiguousarray(np.flip(volume.data, 0))) == {}  # nobody can tell


def test_adults_in_mni_space_pass(shared_data: Path) -> None:
    for path in sorted((shared_data / "healthy" / "ds002748_T1_mni2mm").glob("*[37]_space*.nii.gz")):
        assert kinds(path, "T1w") == {}, path.name


def test_heads_with_their_skull_are_refused(raw_pairs: Path) -> None:
    raw = sorted(raw_pairs.glob("*study*.nii.gz"))
    assert len(raw) >= 4
    for path in [*raw, *raw_pairs.parents[1].glob("templates/MNI152NLin6_res-2x2x2_T1w.nii.gz")]:
        assert kinds(path, "FLAIR" if "FLAIR" in path.name else "T1w").get("skull"), path.name


def test_a_brain_in_scanner_space_is_refused(shared_data: Path) -> None:
    assert kinds(shared_data / "healthy" / "ds002748" / "sub-53_T1w.nii.gz", "T1w") == {"place": True}


def test_simulated_scans_pass(tmp_path: Path) -> None:
    simulate_cohort(tmp_path / "ms", CohortSettings(patients=3, controls=3, seed=2, voxel_size=4.0))
    paths = sorted((tmp_path / "ms").glob("sub-*/anat/*.nii.gz"))
    assert paths
    for path in paths:
        assert not any(kinds(path, "FLAIR" if "FLAIR" in path.name else "T1w").values()), path.name


def test_all_that_is_seen_is_said_at_once(flair: Any) -> None:
    data = flair.data.copy()
    data[:, :, 20] = 0
    far = flair.grid.affine
    far[:3, 3] += (0.0, 60.0, 0.0)
    assert flair.but(data).kinds()["coverage"]
    assert flair.but(grid=Grid.of(flair.grid.shape, far)).kinds()["place"]
    tiny = np.zeros_like(flair.data)
    tiny[20:22, 30, 20] = 7.0
    assert flair.but(tiny).kinds() == {"values": True, "size": True}
