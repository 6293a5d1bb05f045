"""Which slices and which lesions are shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pellucid.ground.files import read_json
from pellucid.image.grid import MNI_1MM, resized
from pellucid.image.nifti import write_volume
from pellucid.report.html.blocks import Note
from pellucid.report.quality.gallery import Gallery
from pellucid.report.quality.lesions import busiest, largest, lesions
from pellucid.report.quality.source import Source


def _mask() -> np.ndarray:
    mask = np.zeros((20, 20, 20), dtype=bool)
    mask[2:8, 2:8, 4] = mask[2:7, 2:7, 5] = True  # 61 voxels
    mask[10:13, 10:13, 10:14] = True  # 36
    mask[18, 18, 18] = mask[19, 19, 19] = True  # they touch at a corner: one lesion
    return mask


def test_the_slices_with_most_lesion_come_apart_and_rising() -> None:
    assert busiest(_mask(), 3, 3) == [4, 10, 13]
    assert busiest(_mask(), 2, 1) == [4, 5]
    assert busiest(_mask(), 99, 6) == [4, 10, 18]
    assert busiest(np.zeros((3, 3, 3), dtype=bool), 3, 1) == []


def test_the_largest_lesions_are_found_where_they_are_widest() -> None:
    found = largest(_mask(), 9)
    assert [size for size, *_ in found] == [61, 36, 2]
    _, i, j, k = found[0]
    assert k == 4
    assert 3 <= i <= 6
    assert 3 <= j <= 6
    assert found[1][1:3] == (11, 11)
    assert len(largest(_mask(), 1)) == 1
    assert largest(np.zeros((3, 3, 3), dtype=bool), 3) == []


def test_a_ring_is_shown_at_the_ring_and_not_in_its_hole() -> None:
    mask = np.zeros((30, 30, 3), dtype=bool)
    mask[5:25, 5:25, 1] = True
    mask[9:21, 9:21, 1] = False
    _, i, j, k = largest(mask, 1)[0]
    assert mask[i, j, k]


def test_a_mask_without_a_voxel_says_that_there_are_no_lesions(visits: Path, tmp_path: Path) -> None:
    record = read_json(visits / "logs/sub-01.json")
    grid = resized(MNI_1MM, (46, 55, 46))
    write_volume(tmp_path / "none.nii.gz", np.zeros(grid.shape, dtype=bool), grid, np.uint8)
    files = {key: str(visits / path) for key, path in record["files"].items()}
    source = Source(tmp_path, record | {"files": files | {"lesions_mni": "none.nii.gz"}})
    section = lesions(source, Gallery(tmp_path, Path("figures"), "sub-01"))
    assert [type(block) for block in section.blocks] == [Note]
    assert not (tmp_path / "figures").exists()
