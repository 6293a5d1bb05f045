"""`pellucid predict`: the model's own numbers, in every way of naming model and scan."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from pellucid.files import read_json, read_tsv
from pellucid.image.grid import PAPER_GRID
from pellucid.image.nifti import read_volume
from pellucid.image.prepare import prepare
from pellucid.network.files import load_model


def logit_by_hand(arm: Path, image: Path) -> float:
    model = load_model(arm / "trial-00")
    x = prepare(read_volume(image), PAPER_GRID, scaling="robust").image
    with torch.no_grad():
        return float(model(torch.tensor(x)[None, None])[0])


def test_predictions_are_the_models(arm: Path, scans: Path, tmp_path: Path, pellucid) -> None:
    out = tmp_path / "out"
    shown = pellucid("predict", arm, scans / "images", "--out", out)
    assert shown.code == 0
    table = read_tsv(out / "predictions.tsv")
    assert list(table.columns) == ["image", "participant_id", "logit", "probability", "class", "problems"]
    assert list(table["participant_id"]) == ["sub-01", "sub-02"]
    for row in table.to_dict("records"):
        logit = logit_by_hand(arm, Path(row["image"]))
        assert row["logit"] == pytest.approx(logit, rel=1e-5)
        assert row["probability"] == pytest.approx(1 / (1 + np.exp(-logit)), rel=1e-5)
        assert row["class"] == ("MS" if logit > 0 else "HC")
        assert f"{logit:.3f}" in shown.out
    content = read_json(out / "predictions.json")
    assert [entry["logit"] for entry in content["Predictions"]] == pytest.approx(list(table["logit"]))
    assert content["Scaling"] == "robust"


def test_a_model_may_be_named_by_arm_folder_or_file(arm: Path, scans: Path, tmp_path: Path, pellucid) -> None:
    image = scans / "images" / "sub-01_FLAIR.nii.gz"
    found = []
    for model in (arm, arm / "trial-00", arm / "trial-00" / "model.safetensors", arm / "trial-00" / "model.json"):
        assert pellucid("predict", model, image, "--out", tmp_path).code == 0
        found.append((tmp_path / "predictions.tsv").read_text())
    assert len(set(found)) == 1


def test_odd_scans_are_remarked_on(arm: Path, scans: Path, tmp_path: Path, pellucid) -> None:
    shutil.copy(scans / "images" / "sub-01_FLAIR.nii.gz", tmp_path / "sub-01_T1w.nii.gz")
    shown = pellucid("predict", arm, tmp_path / "sub-01_T1w.nii.gz", "--out", tmp_path)
    assert shown.code == 0
    assert "it is named T1w, the model was trained on FLAIR" in read_tsv(tmp_path / "predictions.tsv")["problems"][0]


def test_gz_is_told_by_content_not_by_name(arm: Path, scans: Path, tmp_path: Path, pellucid) -> None:
    content = gzip.decompress((scans / "images" / "sub-01_FLAIR.nii.gz").read_bytes())
    (tmp_path / "sub-01_FLAIR.nii").write_bytes(content)
    assert pellucid("predict", arm, tmp_path / "sub-01_FLAIR.nii", "--out", tmp_path).code == 0
    table = pd.read_csv(tmp_path / "predictions.tsv", sep="\t")
    assert table["logit"][0] == pytest.approx(logit_by_hand(arm, scans / "images" / "sub-01_FLAIR.nii.gz"))
