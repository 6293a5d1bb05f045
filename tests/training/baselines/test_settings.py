from __future__ import annotations

import json
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from pellucid.ground.errors import InputError
from pellucid.training.baselines.settings import CONFOUNDS, BaselineSettings


def test_defaults() -> None:
    settings = BaselineSettings(kind="svm-image")
    assert (settings.protocol, settings.components, settings.folds, settings.seed) == ("revised", (0,), 5, 0)
    assert settings.confounds == CONFOUNDS == ("age", "sex", "brain_volume_ml", "brightness")
    assert BaselineSettings(**json.loads(json.dumps(settings.to_json()))) == settings  # lists become tuples
    with pytest.raises(FrozenInstanceError):
        settings.seed = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("kind", {"kind": "svm-mask"}),
        ("protocol", {"protocol": "mine"}),
        ("missing", {"missing": "drop"}),
        ("folds", {"folds": 1}),
        ("folds", {"folds": True}),
        ("seed", {"seed": -1}),
        ("components", {"components": ()}),
        ("components", {"components": (3, 3)}),
        ("components", {"components": (-1,)}),
        ("components", {"components": (2.0,)}),
        ("components", {"kind": "svm-lesion-load", "components": (3,)}),
        ("confounds", {"confounds": ()}),
        ("confounds", {"confounds": ("age", "height")}),
        ("protocol", {"kind": "logistic-confounds", "protocol": "paper"}),
        ("components", {"protocol": "paper", "components": (3,)}),
        ("folds", {"protocol": "paper", "folds": 4}),
        ("folds", {"kind": "bright-voxels", "folds": 4}),
        ("protocol", {"kind": "bright-voxels", "protocol": "paper"}),
    ],
)
def test_what_is_not_possible_is_named(name: str, changes: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        BaselineSettings(**({"kind": "svm-image"} | changes))
    assert caught.value.where == name
