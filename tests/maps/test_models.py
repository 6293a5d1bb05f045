"""A model by its folder or as it was loaded: which it is, and where it lies."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pellucid.ground.errors import PellucidError
from pellucid.ground.files import sha256
from pellucid.maps.models import open_model
from pellucid.network.files import load_model
from pellucid.network.paper import PaperNetwork


def test_a_loaded_model_is_known_to_be_that_of_its_folder(arm: Path) -> None:
    folder = arm / "trial-00"
    by_arm, by_model = open_model(arm), open_model(load_model(folder))
    assert by_arm.folder == by_model.folder == folder
    assert by_arm.digest == by_model.digest == sha256(folder / "model.safetensors")


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
