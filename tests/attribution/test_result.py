from __future__ import annotations

import inspect

import torch
from torch import nn

import pellucid
from pellucid.attribution.explain import explain, methods


def test_an_explanation_is_equal_to_itself_and_told_in_a_line() -> None:
    model, x = nn.Sequential(nn.Flatten(), nn.Linear(216, 1)), torch.rand(4, 1, 6, 6, 6)
    one, other = explain(model, x), explain(model, x)
    assert one == one
    assert one != other
    assert len({one, other}) == 2
    assert one.ledger[0] == one.ledger[0]
    assert one.ledger[0] != other.ledger[0]
    assert repr(one).startswith("Explanation((4, 1, 6, 6, 6), logit=[")
    assert repr(one).endswith(", ...], 1 layers in the ledger)")
    assert len(repr(one)) < 200


def test_every_method_says_its_unit() -> None:
    per_unit = "logit per unit of the image"
    assert {method.name: method.units for method in methods()} == {
        **dict.fromkeys(("lrp-rules", "lrp-epsilon", "input-x-gradient"), "logit"),
        **dict.fromkeys(("gradient", "sensitivity"), per_unit),
    }  # fmt: skip


def test_explain_shows_what_it_takes() -> None:
    assert list(inspect.signature(pellucid.explain).parameters) == ["model", "x", "method", "target", "parameters"]
    assert "Say what each voxel of x added to the logit" in inspect.getdoc(pellucid.explain)
