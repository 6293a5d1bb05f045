"""`pellucid predict`: the model's own numbers, in every way of naming model and scan."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from pellucid.ground.files import read_json, read_tsv
from pellucid.image.grid import PAPER_GRID
from pellucid.image.nifti import read_volume
from pellucid.image.prepare import RESAMPLINGS, prepare
from pellucid.network.files import load_model, save_model
from pellucid.network.foreign import ForeignNetwork
from pellucid.network.info import ModelInfo


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
    assert list(table.columns) == [
        "image",
        "participant_id",
        "logit",
        "probability_not_calibrated",
        "class",
        "problems",
    ]
    assert list(table["participant_id"]) == ["sub-01", "sub-02"]
    for row in table.to_dict("records"):
        logit = logit_by_hand(arm, Path(row["image"]))
        assert row["logit"] == pytest.approx(logit, rel=1e-5)
        assert row["probability_not_calibrated"] == pytest.approx(1 / (1 + np.exp(-logit)), rel=1e-5)
        assert row["class"] == ("MS" if logit > 0 else "HC")
        assert f"{logit:.3f}" in shown.out
    content = read_json(out / "predictions.json")
    assert [entry["logit"] for entry in content["Predictions"]] == pytest.approx(list(table["logit"]))
    assert content["Scaling"] == "robust"
    assert "probability of MS, not calibrated" in shown.out
    assert "For research only" in shown.out


def test_scans_are_brought_to_the_grid_as_those_that_the_model_was_trained_on(
    arm: Path, scans: Path, tmp_path: Path, pellucid
) -> None:
    model, image = load_model(arm / "trial-00"), scans / "images" / "sub-01_FLAIR.nii.gz"
    save_model(tmp_path / "cubic", model, ModelInfo(modality="FLAIR", scaling="robust", resampling="cubic"))
    logits = []
    for resampling in RESAMPLINGS:
        x = prepare(read_volume(image), PAPER_GRID, scaling="robust", resampling=resampling).image
        with torch.no_grad():
            logits.append(float(model(torch.tensor(x)[None, None])[0]))
    assert logits[0] != pytest.approx(logits[1], rel=1e-4)
    for verb in ("predict", "explain"):
        assert pellucid(verb, tmp_path / "cubic", image, "--out", tmp_path / verb).code == 0
        content = read_json(tmp_path / verb / "predictions.json")
        assert content["Resampling"] == "cubic"
        assert content["Predictions"][0]["logit"] == pytest.approx(logits[1], rel=1e-6)
    (sidecar,) = (tmp_path / "explain").glob("*_relevance.json")
    assert read_json(sidecar)["Resampling"] == "cubic"


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


def test_a_network_of_one_s_own_is_named_on_the_command_line(
    scans: Path, tmp_path: Path, pellucid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "own"))
    name, image = "smallnets:SmallNet", scans / "images" / "sub-01_FLAIR.nii.gz"
    model = ForeignNetwork(name, options={"width": 3}, seed=0)
    save_model(tmp_path / "model", model, ModelInfo(modality="FLAIR", scaling="robust"))
    for verb in ("predict", "explain"):
        refused = pellucid(verb, tmp_path / "model", image, "--out", tmp_path / verb)
        assert refused.code == 2
        assert f"--network {name}" in " ".join(refused.err.split())
        shown = pellucid(verb, tmp_path / "model", image, "--out", tmp_path / verb, "--network", name)
        assert shown.code == 0, shown.err
        content = read_json(tmp_path / verb / "predictions.json")
        assert "FieldOfView" not in content
        assert content["FieldOfViewUnknown"].startswith("unknown")
        prepared = prepare(read_volume(image), PAPER_GRID, scaling="robust")
        with torch.no_grad():
            logit = float(model.eval()(torch.from_numpy(prepared.image)[None, None])[0])
        assert content["Predictions"][0]["logit"] == pytest.approx(logit, rel=1e-5)
    assert set(read_tsv(tmp_path / "explain" / "regions.tsv")["seen_share"].dropna()) == {1.0}
    assert pellucid("predict", tmp_path / "model", image, "--network", "nowhere:Net").code == 2
