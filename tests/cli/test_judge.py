"""`pellucid judge` on maps of any tool."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from pellucid.ground.files import read_json, read_tsv, write_json
from pellucid.image.grid import PAPER_GRID
from pellucid.image.nifti import read_mask, write_volume


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


ODD = [
    [],
    5,
    None,
    {"Sources": 5},
    {"Model": {}},
    {"SourceGrid": "x"},
    {"SourceGrid": {"shape": [2, 2, 2], "affine": [[0, 0, 0, 0]] * 4}},
    {"FieldOfView": "x"},
    {"FieldOfView": {"Stops": [1]}},
    {"FieldOfView": {"Stops": [9, 9, 9], "Grid": {"shape": [10**9] * 3, "affine": PAPER_GRID.to_json()["affine"]}}},
    {"Scaling": "min"},
    {"Resampling": 3},
]


def test_an_odd_sidecar_costs_its_own_map(scans: Path, tmp_path: Path, pellucid) -> None:
    maps = tmp_path / "maps"
    maps.mkdir()
    texts = [*map(json.dumps, ODD), "[" * 100_000, "1" * 5000]
    for n, text in enumerate(texts, start=3):
        shutil.copy(scans / "images" / "sub-01_FLAIR.nii.gz", maps / f"sub-{n:02d}_map.nii.gz")
        (maps / f"sub-{n:02d}_map.json").write_text(text)
    shutil.copy(scans / "images" / "sub-02_FLAIR.nii.gz", maps / "sub-02_map.nii.gz")
    shown = pellucid("judge", maps, "--lesions", scans / "masks", "--out", tmp_path / "out")
    assert shown.code == 1
    assert "Traceback" not in shown.err
    assert "unexpected" not in shown.err
    for n in range(3, 3 + len(texts)):
        assert f"{maps / f'sub-{n:02d}_map.json'}: " in shown.err
    assert set(read_tsv(tmp_path / "out" / "lesions.tsv")["participant_id"]) == {"sub-02"}


def test_what_is_odd_about_a_mask_is_shown_in_terminal_tables_and_sidecar(
    arm: Path, scans: Path, tmp_path: Path, pellucid
) -> None:
    masks, out = tmp_path / "masks", tmp_path / "out"
    masks.mkdir()
    mask = read_mask(scans / "masks" / "sub-02_lesions.nii.gz")
    write_volume(masks / "sub-02_lesions.nii", mask.data, mask.grid, np.uint8)
    with (masks / "sub-02_lesions.nii").open("ab") as file:
        file.write(bytes(512))  # padded
    write_volume(masks / "sub-01_lesions.nii", np.zeros_like(mask.data), mask.grid, np.uint8)
    said = {
        "sub-01": "lesion mask: it is empty, no voxel is a lesion",
        "sub-02": "lesion mask: 512 bytes of 0 follow its voxels and were passed over",
    }
    shown = pellucid("explain", arm, scans / "images", "--lesions", masks, "--out", out)
    assert shown.code == 0, shown.err
    judged = pellucid("judge", out, "--lesions", masks, "--out", tmp_path / "judged")
    assert judged.code == 0, judged.err
    predictions = read_tsv(out / "predictions.tsv").set_index("participant_id")["problems"]
    for who, words in said.items():
        sidecar = read_json(next(out.glob(f"{who}_*_relevance.json")))["LesionMask"]
        assert sidecar == {"File": str(masks / f"{who}_lesions.nii"), "Remark": words}
        assert words in predictions[who]
        for folder in (out, tmp_path / "judged"):
            table = read_tsv(folder / "lesions.tsv")
            assert table.loc[table["participant_id"] == who, "problems"].str.contains(words, regex=False).all()
        for text in (shown.out, judged.out):
            assert words in " ".join(text.split())


@pytest.mark.parametrize("at_once", [True, False])
def test_maps_of_two_models_are_no_two_scans_of_one_person(
    scans: Path, tmp_path: Path, pellucid, at_once: bool
) -> None:
    scan = scans / "images" / "sub-02_FLAIR.nii.gz"
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        shutil.copy(scan, tmp_path / folder / "sub-02_map.nii.gz")
    calls = [["one", "two"]] if at_once else [["one"], ["one"], ["two"]]
    for call in calls:
        folders = [tmp_path / name for name in call]
        shown = pellucid("judge", *folders, "--lesions", scans / "masks", "--out", tmp_path / "out")
        assert shown.code == 2 * ("two" in call), shown.err
    assert "the same scan and method (map) as" in shown.err
    if not at_once:
        files = read_tsv(tmp_path / "out" / "lesions.tsv")["file"]
        assert set(files) == {str(tmp_path / "one" / "sub-02_map.nii.gz")}
