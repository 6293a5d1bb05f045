"""`fill_scan`: one scan on disk without its lesions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pellucid.ground.errors import InputError
from pellucid.ground.files import read_json
from pellucid.image.nifti import read_mask, read_volume, write_volume
from pellucid.preprocess.filled_scan import fill_scan


@pytest.fixture
def inputs(scans: Path) -> tuple[Path, Path]:
    return scans / "images" / "sub-02_FLAIR.nii.gz", scans / "masks" / "sub-02_lesions.nii.gz"


def test_what_is_returned_is_what_was_written(inputs: tuple[Path, Path], tmp_path: Path) -> None:
    image, mask = map(str, inputs)
    done = fill_scan(image, mask, out=str(tmp_path / "filled.nii.gz"), seed=2)
    assert done.files == (tmp_path / "filled.nii.gz", tmp_path / "filled.json")
    assert read_json(done.files[1]) == done.sidecar
    assert not done.empty
    assert done.remarks == dict.fromkeys(inputs)
    scan, filled = (read_volume(path).data for path in (inputs[0], done.files[0]))
    assert (scan != filled).sum() == done.sidecar["ChangedVoxels"] > 0


def test_an_empty_mask_leaves_the_scan_as_it_is(inputs: tuple[Path, Path], tmp_path: Path) -> None:
    mask = read_mask(inputs[1])
    write_volume(tmp_path / "sub-02_mask.nii.gz", np.zeros_like(mask.data), mask.grid, np.uint8)
    done = fill_scan(inputs[0], tmp_path / "sub-02_mask.nii.gz", out=tmp_path / "filled.nii")
    assert done.empty
    np.testing.assert_array_equal(read_volume(done.files[0]).data, read_volume(inputs[0]).data)


def test_the_mask_of_another_is_refused(inputs: tuple[Path, Path], tmp_path: Path, scans: Path) -> None:
    with pytest.raises(InputError, match="its name says that it belongs to sub-02"):
        fill_scan(scans / "images" / "sub-01_FLAIR.nii.gz", inputs[1], out=tmp_path / "filled.nii")
    assert not list(tmp_path.iterdir())
