"""A second call into one folder: rows and maps of the first stay, or the call is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from pellucid.ground.files import read_json, read_tsv
from pellucid.maps import explaining

TABLES = ("regions", "ledger", "lesions")


def test_explaining_twice_into_one_folder_loses_nothing(arm: Path, scans: Path, tmp_path: Path, pellucid) -> None:
    out, images = tmp_path / "out", scans / "images"
    one, two = (images / f"sub-0{n}_FLAIR.nii.gz" for n in (1, 2))
    for image in (two, one):
        shown = pellucid("explain", arm, image, "--lesions", scans / "masks", "--out", out)
        assert shown.code == (0 if image == two else 2), shown.err  # the other's mask is not this one's
    assert pellucid("explain", arm, one, "--out", out).code == 0
    assert read_tsv(out / "predictions.tsv")["participant_id"].tolist() == ["sub-02", "sub-01"]
    rows = read_json(out / "predictions.json")["Predictions"]
    assert [Path(row["image"]) for row in rows] == [two, one]
    there = {path.name.split("_")[0] for path in out.glob("*_relevance.nii.gz")}
    for name, people in zip(TABLES, ({"sub-01", "sub-02"}, {"sub-01", "sub-02"}, {"sub-02"}), strict=True):
        assert set(read_tsv(out / f"{name}.tsv")["participant_id"]) == people, name
    assert there == {"sub-01", "sub-02"}
    together = pellucid("explain", arm, images, "--out", tmp_path / "together")
    assert together.code == 0
    both = [
        read_tsv(folder / "regions.tsv").sort_values(["image", "area"], ignore_index=True)
        for folder in (out, tmp_path / "together")
    ]
    pd.testing.assert_frame_equal(*both)

    # The same again replaces its own rows, and takes the lesion rows away that it does not make again.
    assert pellucid("explain", arm, two, "--out", out).code == 0
    assert len(read_tsv(out / "predictions.tsv")) == 2
    assert not (out / "lesions.tsv").exists()
    before = sorted(path.name for path in out.iterdir())
    for method in ("gradient", "lrp-epsilon:epsilon=0.01"):
        shown = pellucid("explain", arm, one, "--out", out, "--method", method)
        assert shown.code == 2
        assert f"another set of methods (lrp-epsilon, now {method})" in shown.err
    assert sorted(path.name for path in out.iterdir()) == before

    # Predicting there keeps what was explained.
    assert pellucid("predict", arm, images, "--out", out).code == 0
    assert read_json(out / "predictions.json")["Methods"] == {"lrp-epsilon": {"epsilon": 1e-3}}


def test_a_scan_that_fails_now_leaves_no_map_of_before(arm: Path, scans: Path, tmp_path: Path, pellucid) -> None:
    out = tmp_path / "out"
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        shutil.copy(scans / "images" / "sub-01_FLAIR.nii.gz", tmp_path / folder / "scan.nii.gz")
    for folder in ("x", "y"):  # of one name: they do not overwrite each other
        assert pellucid("explain", arm, tmp_path / folder, "--native", "--out", out).code == 0
    assert {path.name.split("_")[0] for path in out.glob("*_relevance.nii.gz")} == {"scan", "y-scan"}
    (tmp_path / "x" / "scan.nii.gz").write_text("no image")
    assert pellucid("explain", arm, tmp_path / "x", "--out", out).code == 2
    assert {path.name.split("_")[0] for path in out.glob("*_relevance.*")} == {"y-scan"}
    table = read_tsv(out / "predictions.tsv").set_index("image")
    assert pd.isna(table.loc[str(tmp_path / "x" / "scan.nii.gz"), "logit"])
    assert set(read_tsv(out / "regions.tsv")["image"]) == {str(tmp_path / "y" / "scan.nii.gz")}


def test_judging_twice_into_one_folder_keeps_the_first(arm: Path, scans: Path, tmp_path: Path, pellucid) -> None:
    folder, out = tmp_path / "maps", tmp_path / "out"
    assert pellucid("explain", arm, scans / "images", "--out", folder).code == 0
    one, two = sorted(folder.glob("*_relevance.nii.gz"))
    shutil.copy(scans / "masks" / "sub-02_lesions.nii.gz", tmp_path / "sub-01_lesions.nii.gz")
    assert pellucid("judge", two, "--lesions", scans / "masks", "--out", out).code == 0
    assert pellucid("judge", one, "--lesions", tmp_path / "sub-01_lesions.nii.gz", "--out", out).code == 0
    table = read_tsv(out / "lesions.tsv")
    assert table["file"].drop_duplicates().tolist() == [str(two), str(one)]
    assert set(table["lesion_mask"]) == {
        str(scans / "masks" / "sub-02_lesions.nii.gz"),
        str(tmp_path / "sub-01_lesions.nii.gz"),
    }


def test_a_call_that_is_stopped_writes_down_what_is_done(
    arm: Path, scans: Path, tmp_path: Path, pellucid, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, begun = tmp_path / "out", []
    explain = explaining.explain_image

    def second_is_interrupted(*arguments: object) -> object:
        begun.append(arguments)
        if len(begun) == 2:
            raise KeyboardInterrupt
        return explain(*arguments)

    monkeypatch.setattr(explaining, "explain_image", second_is_interrupted)
    shown = pellucid("explain", arm, scans / "images", "--out", out)
    assert shown.code not in (0, 2)
    assert "stopped" in shown.err
    assert "Traceback" not in shown.err
    for name in ("predictions", "regions", "ledger"):
        assert set(read_tsv(out / f"{name}.tsv")["participant_id"]) == {"sub-01"}, name
    assert {path.name.split("_")[0] for path in out.glob("*_relevance.nii.gz")} == {"sub-01"}


def test_maps_of_a_call_that_was_killed_are_named(arm: Path, scans: Path, tmp_path: Path, pellucid) -> None:
    out, images = tmp_path / "out", scans / "images"
    assert pellucid("explain", arm, images / "sub-01_FLAIR.nii.gz", "--out", out).code == 0
    for path in [*out.glob("*.tsv"), out / "predictions.json"]:
        path.unlink()  # as if it had been killed before them
    shown = pellucid("explain", arm, images / "sub-02_FLAIR.nii.gz", "--out", out)
    assert shown.code == 0
    assert "contains maps without rows" in shown.err
    assert str(images / "sub-01_FLAIR.nii.gz") in shown.err
    assert "without rows" not in pellucid("explain", arm, images, "--out", out).err
