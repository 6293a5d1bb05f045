"""Rules of one's own: written in one file, chosen by layer, judged by the same laws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from tests.attribution.test_golden import CUT, _arrays, _difference, _model, _x
from torch import nn

from pellucid.attribution.explain import explain
from pellucid.attribution.layer import KINDS
from pellucid.attribution.methods.lrp_rules import LrpRules
from pellucid.attribution.rules import RULES, find_rule
from pellucid.attribution.rules.epsilon import Epsilon
from pellucid.attribution.rules.rule import Composite
from pellucid.ground.errors import InputError, PellucidError

HERE = "ownmethods"

pytestmark = pytest.mark.usefixtures("own_methods")


class Every(nn.Module):
    """A network with an affine layer of every kind, functions among them."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv1, self.conv2 = nn.Conv2d(1, 3, 3), nn.Conv2d(3, 3, 3, padding=1, bias=False)
        self.norm, self.pool, self.up = nn.BatchNorm2d(3), nn.AvgPool2d(2), nn.ConvTranspose2d(3, 2, 2)
        self.norm.running_mean = torch.randn(3)
        self.dense = nn.Linear(8, 1)
        self.double().eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.relu(self.conv1(x))
        h = self.norm(self.conv2(h) + h)
        h = nn.functional.avg_pool2d(nn.functional.max_pool2d(h, 2), 2)
        return self.dense(self.up(self.pool(nn.functional.elu(h))).flatten(1))


def _case() -> tuple[Every, torch.Tensor]:
    return Every(), torch.rand(2, 1, 10, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_a_rule_of_a_users_own_makes_the_map_that_innvestigate_makes() -> None:
    golden = _arrays(CUT)
    model, x = _model(golden, torch.float64), _x(golden, torch.float64)
    result = explain(model, x, method="lrp-rules", rule=f"{HERE}:WSquare")
    assert _difference(golden, result.relevance, golden["map_w_square"]).max() < 2e-5
    for entry in result.ledger:
        assert list(entry.absorbed) == ["nothing"]
        assert entry.absorbed_nothing.tolist() == [0.0]
        np.testing.assert_allclose(entry.relevance_in, entry.relevance_out, rtol=1e-10)
        with pytest.raises(AttributeError, match="absorbed relevance is nothing"):
            _ = entry.absorbed_bias
    assert set(result.paths.values()) == {"layer by layer: the rule asks for the layer alone"}


def test_the_epsilon_rule_is_the_same_layer_by_layer_and_fused() -> None:
    golden = _arrays(CUT)
    model, x = _model(golden, torch.float64), _x(golden, torch.float64)
    fused = explain(model, x)
    assert torch.equal(explain(model, x, method="lrp-rules").relevance, fused.relevance)
    # One layer with another rule, and no layer runs with the pool behind it.
    alone = explain(model, x, method="lrp-rules", sum=f"{HERE}:WSquare")
    torch.testing.assert_close(alone.relevance, fused.relevance, rtol=1e-8, atol=1e-12)
    assert "fused" in fused.paths.values()
    assert "fused" not in alone.paths.values()


@pytest.mark.parametrize("kind", [*KINDS, "first"])
def test_each_kind_of_layer_may_have_its_own_rule(kind: str) -> None:
    model, x = _case()
    result = explain(model, x, method="lrp-rules", **{kind: f"{HERE}:WSquare"})
    changed = {e.layer for e, o in zip(result.ledger, explain(model, x).ledger, strict=True) if "nothing" in e.absorbed
               and not torch.equal(e.relevance_in, o.relevance_in)}  # fmt: skip
    assert not torch.allclose(result.relevance, explain(model, x).relevance)
    assert changed
    # Every entry has the same columns, and each item adds up to its logit.
    assert {tuple(entry.absorbed) for entry in result.ledger} == {tuple(result.ledger[0].absorbed)}
    absorbed = sum(taken for entry in result.ledger for taken in entry.absorbed.values())
    torch.testing.assert_close(result.relevance.flatten(1).sum(dim=1) + absorbed, result.logit)


def test_with_one_rule_for_all_relevance_is_kept_in_every_layer() -> None:
    model, x = _case()
    result = explain(model, x, method="lrp-rules", rule=f"{HERE}:WSquare")
    torch.testing.assert_close(result.relevance.flatten(1).sum(dim=1), result.logit)


def test_a_layer_with_other_numbers_is_what_pytorch_makes_of_them() -> None:
    """`apply` against the modules themselves, with the weights that a rule would give them."""
    model, x = _case()
    from pellucid.attribution.recording import Recording
    from pellucid.attribution.trace import trace

    recording = Recording(trace(model, x), merged=False)
    recording.run(x)
    seen = set()
    for step in recording.steps:
        if step.way.value not in ("affine", "sum"):
            continue
        layer = recording.layer(step)
        seen.add(layer.kind)
        inputs = tuple(torch.randn_like(a) for a in layer.inputs)
        bias = None if layer.kind == "sum" else layer.bias
        if layer.module is not None:
            expected = layer.module(*inputs)
        elif layer.kind == "sum":
            expected = inputs[0] + inputs[1]
        else:
            expected = nn.functional.avg_pool2d(inputs[0], 2)
        torch.testing.assert_close(layer.apply(inputs, bias=bias), expected)
        if layer.weight is not None:
            zero = layer.apply(inputs, torch.zeros_like(layer.weight))
            assert not bool(zero.any())
    assert seen == set(KINDS)


def test_a_rule_that_loses_relevance_is_found_out() -> None:
    model, x = _case()
    with pytest.raises(PellucidError, match="relevance does not add up"):
        explain(model, x, method="lrp-rules", rule=f"{HERE}:Leaky")


@pytest.mark.parametrize(
    ("given", "where", "words"),
    [
        ({"rule": "epsilom"}, "rule", "Did you mean epsilon"),
        ({"dense": "nothing"}, "dense", "'nothing' is not known. Choose one of"),
        ({"rule": f"{HERE}:Power"}, "rule", "is not a subclass of pellucid.attribution.rules.rule.Rule"),
        ({"rule": f"{HERE}:Nobody"}, "rule", "has no class Nobody"),
        ({"rule": 3}, "rule", "3 is not text"),
    ],
)
def test_what_is_no_rule_is_refused_by_name(given: dict[str, Any], where: str, words: str) -> None:
    model, x = _case()
    with pytest.raises(InputError, match=words) as caught:
        explain(model, x, method="lrp-rules", **given)
    assert caught.value.where == where


def test_a_registered_rule_is_known_by_its_name(monkeypatch: pytest.MonkeyPatch, own_methods: Any) -> None:
    WSquare = own_methods.WSquare
    monkeypatch.setattr(RULES, "_entries", dict(RULES))
    RULES.register(WSquare.name, WSquare)
    assert find_rule("w-square") == WSquare()
    model, x = _case()
    by_path = explain(model, x, method="lrp-rules", rule=f"{HERE}:WSquare").relevance
    assert torch.equal(explain(model, x, method=LrpRules(rule="w-square")).relevance, by_path)


def test_a_composite_names_all_of_its_rules(own_methods: Any) -> None:
    WSquare = own_methods.WSquare
    composite = Composite(Epsilon(), {"dense": Epsilon(0.1)}, WSquare())
    assert composite.rules == (Epsilon(), Epsilon(0.1), WSquare())
    assert not composite.from_output
    assert Composite(Epsilon(), {"dense": Epsilon(0.1)}).from_output
