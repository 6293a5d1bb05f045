"""`pellucid judge` on maps of any tool."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from pellucid.files import read_tsv, write_json
from pellucid.image.grid import PAPER_GRID
from pellucid.image.nifti import write_volume


def test_maps_without_a_sidecar_are_judged_within_the_template(scans: Path, tmp_path: Path, pellucid) -> None:
    # The scan itself as a map: its bright spot is the lesion.
    (tmp_path / "maps").mkdir()
    shutil.copy(scans / "images" / "sub-02_FLAIR.nii.gz", tmp_path / "maps" / "sub-02_map.nii.gz")
    shown = pellucid("judge", tmp_path / "maps", "--lesions", scans / "masks", "--out", tmp_path / "out")
    assert shown.code == 0
    table = read_tsv(tmp_path / "out" / "lesions.tsv").set_index("map")
    assert table.loc["map", "brain_from"] == "MNI template"
    assert table.loc["map", "strongest_in_lesion"] == 1
    assert table.loc["map", "lift"] > 2
    assert table.loc[["intensity", "edge", "mean-lesion"], "lift"].isna().all()
    assert table.loc["random", "lift"] == pytest.approx(1, abs=0.5)

    with_image = pellucid(
        "judge", tmp_path / "maps", "--lesions", scans / "masks", "--images", scans / "images",
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert with_image.code == 0
    table = read_tsv(tmp_path / "out" / "lesions.tsv").set_index("map")
    assert table.loc["map", "brain_from"] == "image"
    assert table.loc["intensity", "lift"] > 2


def test_the_scan_is_brought_to_the_grid_as_the_sidecar_says(scans: Path, tmp_path: Path, pellucid) -> None:
    path, image = tmp_path / "sub-02_map.nii.gz", scans / "images" / "sub-02_FLAIR.nii.gz"
    write_volume(path, np.ones(PAPER_GRID.shape, dtype=np.float32), PAPER_GRID)
    shares = []
    for sidecar in ({}, {"Resampling": "antialias"}, {"Resampling": "cubic"}):
        write_json(tmp_path / "sub-02_map.json", sidecar)
        shown = pellucid("judge", path, "--lesions", scans / "masks", "--images", image, "--out", tmp_path)
        assert shown.code == 0, shown.err
        table = read_tsv(tmp_path / "lesions.tsv").set_index("map")
        shares.append(table.loc["intensity", "positive_share"])
    assert shares[0] == shares[1] != shares[2]
