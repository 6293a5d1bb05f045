"""`explain_scan`: all that the command writes of a scan, in Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pellucid.ground.errors import InputError
from pellucid.ground.files import read_json, read_tsv, write_text
from pellucid.image.nifti import read_volume
from pellucid.maps import explain_scan, explain_scans, judge_map, predict_scan
from pellucid.network.files import load_model

TABLES = ("regions", "ledger", "sums", "lesions")


def test_what_is_returned_is_what_was_written(arm: Path, scans: Path, tmp_path: Path) -> None:
    image = scans / "images" / "sub-01_FLAIR.nii.gz"
    found = explain_scan(image, arm, method="gradient", out=tmp_path)
    np.testing.assert_array_equal(read_volume(found.files[0]).data, found.explained.relevance)
    assert found.prediction.logit == pytest.approx(predict_scan(image, arm).logit, rel=1e-5)
    assert set(found.tables) == {"regions", "ledger", "sums"}
    written = read_tsv(tmp_path / "regions.tsv")
    pd.testing.assert_frame_equal(written, found.tables["regions"], check_dtype=False, rtol=1e-9)


def test_a_loaded_model_is_as_good_as_its_folder(arm: Path, scans: Path, tmp_path: Path) -> None:
    image = scans / "images" / "sub-01_FLAIR.nii.gz"
    by_folder = explain_scan(image, arm, out=tmp_path)
    by_model = explain_scan(image, load_model(arm / "trial-00"), out=tmp_path)  # into one folder: it is the same model
    np.testing.assert_array_equal(by_folder.explained.relevance, by_model.explained.relevance)
    model = load_model(arm / "trial-00")
    model.fc.bias.data += 1.0
    with pytest.raises(InputError, match="another model"):
        explain_scan(image, model, out=tmp_path)
    changed = explain_scan(image, model, out=tmp_path / "changed")
    assert "Model" not in read_json(changed.files[0].with_name(changed.files[0].name.replace(".nii.gz", ".json")))
    table = judge_map(changed.files[0], None)
    assert set(table["networks"]) == {"unknown"}


def test_a_bad_mask_raises_once_all_else_is_written(arm: Path, scans: Path, tmp_path: Path) -> None:
    image, mask = scans / "images" / "sub-01_FLAIR.nii.gz", tmp_path / "sub-01_mask.nii.gz"
    write_text(mask, "no image")
    with pytest.raises(InputError, match="sub-01_mask"):
        explain_scan(image, arm, lesions=mask, out=tmp_path / "out")
    assert len(list((tmp_path / "out").glob("*_relevance.nii.gz"))) == 1
    row = read_tsv(tmp_path / "out" / "predictions.tsv").iloc[0]
    assert "sub-01_mask" in row["problems"]
    assert np.isfinite(row["logit"])
    assert not (tmp_path / "out" / "lesions.tsv").exists()


def test_a_bug_keeps_its_own_kind(arm: Path, scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("pellucid.maps.explaining.explain_image", broken)
    with pytest.raises(ZeroDivisionError):
        explain_scan(scans / "images" / "sub-01_FLAIR.nii.gz", arm, out=tmp_path)


def test_of_several_scans_who_has_no_mask_has_missing_values(arm: Path, scans: Path, tmp_path: Path) -> None:
    paths = sorted((scans / "images").iterdir())
    masks = dict(zip(paths, (None, scans / "masks" / "sub-02_lesions.nii.gz"), strict=True))
    seen: list[str] = []
    done = explain_scans(paths, arm, lesions=masks, out=tmp_path, then=lambda scan: seen.append(scan.name))
    assert seen == ["sub-01_FLAIR", "sub-02_FLAIR"]
    assert {path.stem for path in done.files} == {*TABLES, "predictions"}
    lesions = read_tsv(tmp_path / "lesions.tsv").groupby("participant_id")["auroc"]
    assert lesions.count().to_dict()["sub-01"] == 0
    assert lesions.count().to_dict()["sub-02"] > 0


def test_who_is_called_after_each_scan_may_fail_it(arm: Path, scans: Path, tmp_path: Path) -> None:
    def full(_: object) -> None:
        raise OSError("No space left on device")

    path = scans / "images" / "sub-01_FLAIR.nii.gz"
    done = explain_scans([path], arm, out=tmp_path, then=full)
    assert done.predictions.ended.failed == {path: "No space left on device"}
    assert len(read_tsv(tmp_path / "regions.tsv")) == 68
