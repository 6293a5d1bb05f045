from __future__ import annotations

import inspect

import torch
from torch import nn

import pellucid
from pellucid.attribution.explain import explain
from pellucid.attribution.methods import METHODS


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


def test_every_method_says_its_unit_and_runs_itself() -> None:
    units = {name: method.units for name, method in METHODS.items()}
    per_unit = "logit per unit of the image"
    assert units == {
        "lrp-epsilon": "logit", "gradient": per_unit, "sensitivity": per_unit, "input-x-gradient": "logit"
    }  # fmt: skip
    assert len({method.run for method in METHODS.values()}) == len(METHODS)


def test_the_callable_package_shows_what_it_takes() -> None:
    assert list(inspect.signature(pellucid.explain).parameters) == ["model", "x", "method", "epsilon", "target"]
    assert "Say what each voxel of x added to the logit" in inspect.getdoc(pellucid.explain)
