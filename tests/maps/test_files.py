"""Maps on disk: what is written is read again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from pellucid.ground.files import read_json
from pellucid.image.grid import MNI_2MM, PAPER_GRID
from pellucid.image.nifti import read_volume
from pellucid.maps.explainer import explain_image, open_explainer
from pellucid.maps.files import write_map
from pellucid.maps.sidecars import read_ledger
from pellucid.network.files import save_model
from pellucid.network.info import ModelInfo
from pellucid.network.paper import PaperNetwork


def test_a_map_and_its_ledger_survive_the_disk(tmp_path: Path) -> None:
    model = tmp_path / "model"
    save_model(model, PaperNetwork(channels=2, seed=4), ModelInfo(modality="FLAIR", scaling="robust"))
    explainer = open_explainer(model, method="lrp-epsilon:epsilon=0.01")
    image = np.random.default_rng(0).standard_normal(PAPER_GRID.shape).astype(np.float32)
    image.setflags(write=False)  # as the arrays of a store are
    explained = explain_image(explainer, image)
    source = tmp_path / "scan.nii.gz"
    source.write_bytes(b"a scan")
    write_map(tmp_path / "map.nii.gz", [explainer], explained, source=source, source_grid=MNI_2MM)
    np.testing.assert_array_equal(read_volume(tmp_path / "map.nii.gz").data, explained.relevance)
    assert read_ledger(tmp_path / "map.nii.gz") == explained.ledger
    assert read_json(tmp_path / "map.json")["SeedNeuron"] == "logit"
    unseen = replace(explained, head="unknown")
    write_map(tmp_path / "map.nii.gz", [explainer], unseen, source=source, source_grid=MNI_2MM)
    assert "may be a probability" in read_json(tmp_path / "map.json")["SeedNeuron"]
