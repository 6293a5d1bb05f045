"""`pellucid judge` on maps of any tool."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pellucid.files import read_tsv


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
