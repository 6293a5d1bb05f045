from __future__ import annotations

import json
from dataclasses import FrozenInstanceError

import pytest

from pellucid.ground.errors import InputError
from pellucid.training.settings import TrialSettings


def test_the_defaults_are_the_paper_s_for_ms() -> None:
    settings = TrialSettings()
    assert (settings.learning_rate, settings.decay, settings.batch_size) == (0.0005, 0.002, 4)
    assert (settings.max_epochs, settings.patience, settings.l2, settings.augment) == (200, 15, 0.01, True)
    assert TrialSettings(**json.loads(json.dumps(settings.to_json()))) == settings


def test_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        TrialSettings().seed = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learning_rate", 0),
        ("learning_rate", -1e-3),
        ("learning_rate", float("nan")),
        ("learning_rate", "0.001"),
        ("decay", -0.1),
        ("batch_size", 0),
        ("batch_size", 2.5),
        ("batch_size", True),
        ("max_epochs", 0),
        ("patience", 0),
        ("l2", float("inf")),
        ("augment", "yes"),
        ("checkpoint", "best"),
        ("precision", "float16"),
        ("seed", -1),
    ],
)
def test_what_is_out_of_range_is_named(name: str, value: object) -> None:
    with pytest.raises(InputError) as caught:
        TrialSettings(**{name: value})  # type: ignore[arg-type]
    assert caught.value.where == name
    assert repr(value).strip("'") in str(caught.value)
