"""Every kind of baseline that settings allow is there, and says of itself what it is and what it needs."""

from __future__ import annotations

from itertools import product
from typing import get_args

import pytest

from pellucid.ground.errors import InputError
from pellucid.training.baselines.kinds import KINDS, kind_of
from pellucid.training.baselines.settings import BaselineSettings, Kind, Protocol


def allowed(kind: Kind, protocol: Protocol) -> bool:
    try:
        BaselineSettings(kind=kind, protocol=protocol)
    except InputError:
        return False
    return True


def test_the_kinds_are_those_that_settings_allow() -> None:
    pairs = product(get_args(Kind), get_args(Protocol))
    assert set(KINDS) == {pair for pair in pairs if allowed(*pair)}


@pytest.mark.parametrize("pair", KINDS)
def test_each_says_what_it_is(pair: tuple[Kind, Protocol]) -> None:
    settings = BaselineSettings(kind=pair[0], protocol=pair[1])
    words = kind_of(settings).words(settings.to_json(), "lesion-filled")
    machine = "a support vector machine on " if pair[0].startswith("svm") else "a logistic regression on "
    assert words.startswith(machine)
    assert ("lesion-filled scans" in words) == (pair[0] in ("svm-image", "bright-voxels"))
    assert ("as in the paper's code" in words) == (pair[1] == "paper")


def test_each_says_what_it_needs() -> None:
    def needs(**settings: object) -> tuple[str, ...]:
        asked = BaselineSettings(**settings)  # type: ignore[arg-type]
        return kind_of(asked).needs(asked)

    assert needs(kind="logistic-confounds", confounds=("sex", "brightness")) == ("sex", "brightness")
    assert needs(kind="svm-lesion-load") == ("lesion_volume_ml",)
    assert needs(kind="svm-lesion-load", protocol="paper") == ()  # a missing mask counts as random numbers there
    assert needs(kind="svm-image") == needs(kind="bright-voxels") == ()


def test_only_margins_have_no_probability() -> None:
    assert {kind for (kind, _), entry in KINDS.items() if entry.log_odds} == {"bright-voxels", "logistic-confounds"}
