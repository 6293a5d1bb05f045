"""The self-tests of `pellucid doctor` pass here, and see what is wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from pellucid.benchmark import self_tests
from pellucid.benchmark.self_tests import SELF_TESTS
from pellucid.network.paper import PaperNetwork


@pytest.mark.parametrize("name", SELF_TESTS)
def test_nothing_is_wrong_here(name: str) -> None:
    assert SELF_TESTS[name]() == ""


def test_a_layer_that_loses_relevance_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    explain = self_tests.explain

    def leaky(*arguments: Any, **options: Any) -> Any:
        found = explain(*arguments, **options)
        first, *rest = found.ledger
        return replace(found, ledger=(replace(first, relevance_in=first.relevance_in + 1.0), *rest))

    monkeypatch.setattr(self_tests, "explain", leaky)
    assert "loses 1" in SELF_TESTS["relevance is accounted for in every layer"]()


def test_a_crop_that_cuts_too_much_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_tests, "crop", lambda x, view: x[..., :71, :98, :71] * 2)
    assert "differ" in SELF_TESTS["the field of view is all that the network sees"]()


def test_weights_that_change_between_two_runs_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = iter(range(10))

    def another() -> tuple[PaperNetwork, torch.Tensor]:
        model = PaperNetwork(channels=1, seed=next(seeds)).eval()
        return model, torch.ones((1, 1, *model.grid.shape))

    monkeypatch.setattr(self_tests, "_model_and_images", another)
    assert SELF_TESTS["the same seed gives the same gradients"]() == "gradients differ between two runs"
