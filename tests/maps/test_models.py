"""A model by its folder or as it was loaded: which it is, and where it lies."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pellucid.ground.errors import PellucidError
from pellucid.ground.files import sha256
from pellucid.image.grid import PAPER_GRID, resized
from pellucid.maps.models import open_model
from pellucid.network.files import load_model, save_model
from pellucid.network.foreign import ForeignNetwork
from pellucid.network.info import ModelInfo
from pellucid.network.paper import PaperNetwork
from pellucid.network.whole_brain import WholeBrainNetwork


def test_a_loaded_model_is_known_to_be_that_of_its_folder(arm: Path) -> None:
    folder = arm / "trial-00"
    by_arm, by_model = open_model(arm), open_model(load_model(folder))
    assert by_arm.folder == by_model.folder == folder
    assert by_arm.digest == by_model.digest == sha256(folder / "model.safetensors")


@pytest.mark.parametrize("own", [False, True])
def test_other_networks_are_known_again_too(own: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "own"))
    name = "smallnets:SmallNet" if own else None
    grid = resized(PAPER_GRID, (54, 54, 54))
    network = ForeignNetwork(name, options={"width": 3}, seed=0) if name else WholeBrainNetwork(1, grid, seed=1)
    save_model(tmp_path, network, ModelInfo(modality="FLAIR", scaling="robust"))
    assert open_model(load_model(tmp_path, network=name)).folder == tmp_path


def test_a_model_that_was_changed_lies_nowhere(arm: Path) -> None:
    model = load_model(arm / "trial-00")
    with torch.no_grad():
        model.fc.bias += 1.0
    changed = open_model(model.train())
    assert changed.folder is None
    assert changed.digest != open_model(arm).digest
    assert not changed.model.training


def test_a_model_without_info_cannot_be_applied() -> None:
    with pytest.raises(PellucidError, match="has no info"):
        open_model(PaperNetwork(channels=1, seed=0))
