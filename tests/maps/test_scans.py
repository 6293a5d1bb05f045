"""A scan as a model sees it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pellucid.ground.errors import InputError
from pellucid.image.nifti import read_volume, write_volume
from pellucid.image.prepare import prepare
from pellucid.maps.scans import open_scan
from pellucid.network.files import load_model


def test_a_scan_is_prepared_as_the_model_says_and_keeps_its_own_grid(arm: Path, scans: Path) -> None:
    path, model = scans / "images" / "sub-01_FLAIR.nii.gz", load_model(arm / "trial-00")
    scan, volume = open_scan(path, model), read_volume(path)
    expected = prepare(volume, model.grid, scaling=model.info.scaling, resampling=model.info.resampling)
    np.testing.assert_array_equal(scan.prepared.image, expected.image)
    assert scan.native.matches(volume.grid)
    assert scan.remark is None


def test_a_scan_that_is_refused_is_taken_by_force_alone(arm: Path, scans: Path, tmp_path: Path) -> None:
    volume, model = read_volume(scans / "images" / "sub-01_FLAIR.nii.gz"), load_model(arm / "trial-00")
    write_volume(tmp_path / "flipped.nii.gz", np.flip(volume.data, 2), volume.grid)
    with pytest.raises(InputError, match="upside down"):
        open_scan(tmp_path / "flipped.nii.gz", model)
    forced = open_scan(tmp_path / "flipped.nii.gz", model, force=True)
    assert forced.remark is not None
    assert "upside down" in forced.remark
