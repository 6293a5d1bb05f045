"""Methods and their parameters: read from text, checked by name, written into names of files."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import pellucid
from pellucid.attribution.explain import explain, methods
from pellucid.attribution.method import Method, parameters_of
from pellucid.attribution.methods import METHODS, find_method, method_from_text
from pellucid.attribution.methods.lrp_epsilon import LrpEpsilon
from pellucid.ground.errors import InputError

OUTSIDE = "ownmethods:Power"


pytestmark = pytest.mark.usefixtures("own_methods")


@pytest.fixture
def model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(8, 1))


@pytest.fixture
def x() -> torch.Tensor:
    return torch.rand(2, 1, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("text", "parameters", "again"),
    [
        ("lrp-epsilon", {"epsilon": 0.001}, "lrp-epsilon"),
        ("lrp-epsilon:epsilon=0.001", {"epsilon": 0.001}, "lrp-epsilon"),
        ("lrp-epsilon: epsilon = 1e-2", {"epsilon": 0.01}, "lrp-epsilon:epsilon=0.01"),
        ("lrp-epsilon:epsilon=1e-20", {"epsilon": 1e-20}, "lrp-epsilon:epsilon=1e-20"),
        ("gradient", {}, "gradient"),
        (
            f"{OUTSIDE}:p=2,digits=5,signed=false,of=positive",
            {"p": 2.0, "digits": 5, "signed": False, "of": "positive"},
            f"{OUTSIDE}:p=2.0,digits=5,signed=false,of=positive",
        ),
    ],
)
def test_a_method_is_named_in_a_text(text: str, parameters: dict[str, Any], again: str) -> None:
    found = method_from_text(text)
    assert found.parameters == parameters
    assert [type(value) for value in found.parameters.values()] == [type(value) for value in parameters.values()]
    assert found.text == again


def test_the_text_of_every_method_is_read_back_equal() -> None:
    for method in methods():
        assert method_from_text(method.text) == method
    assert method_from_text(LrpEpsilon(1 / 3).text) == LrpEpsilon(1 / 3)


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        ("lrp-epsilon:eps=1", "eps", "is not a parameter of lrp-epsilon, which takes epsilon"),
        ("lrp-epsilon:epsilon=", "epsilon", "'' is not a number. Give 0.001, or another number"),
        ("lrp-epsilon:epsilon=small", "epsilon", "'small' is not a number"),
        ("lrp-epsilon:epsilon=nan", "epsilon", "nan is not above 0 and finite"),
        ("lrp-epsilon:epsilon=inf", "epsilon", "inf is not above 0 and finite"),
        ("lrp-epsilon:epsilon=-1", "epsilon", r"-1.0 is not above 0 and finite"),
        ("lrp-epsilon:", "method", "ends in a colon"),
        ("lrp-epsilon:epsilon=1,", "method", "'' is not a parameter. Write lrp-epsilon:key=value"),
        ("lrp-epsilon:0.1", "method", "'0.1' is not a parameter. Write lrp-epsilon:key=value"),
        ("gradient:more", "method", "'more' is not a parameter"),
        ("", "method", "'' is not known"),
        ("no.such.module:Class", "method", "there is no module no"),
        ("ownmethods:NoMethod", "method", "is not a subclass of pellucid.attribution.method.Method"),
        ("ownmethods:dataclass", "method", "dataclass"),
        (f"{OUTSIDE}:digits=1.5", "digits", "'1.5' is not a whole number"),
        (f"{OUTSIDE}:digits=0", "digits", "0 is not at least 1"),
        (f"{OUTSIDE}:p=5", "p", "5.0 is not at least 0 and at most 4"),
        (f"{OUTSIDE}:signed=maybe", "signed", "'maybe' is neither true nor false"),
        (f"{OUTSIDE}:of=all", "of", "'all' is not known. Choose one of both, positive"),
    ],
)
def test_what_a_text_cannot_mean_is_refused_by_name(text: str, where: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        method_from_text(text)
    assert caught.value.where == where


@pytest.mark.parametrize("kind", ["where", "class", "method"])
def test_a_method_of_a_users_own_is_explained_with(
    kind: str, model: nn.Module, x: torch.Tensor, own_methods: Any
) -> None:
    given = {"where": OUTSIDE, "class": own_methods.Power, "method": own_methods.Power()}[kind]
    weight = model[1].weight.detach().reshape(1, 1, 8)
    found = pellucid.explain(model, x, method=given, p=2, digits=6)
    torch.testing.assert_close(found.relevance, x**2 * weight, rtol=0, atol=1e-6)
    with pytest.raises(InputError, match="power, which takes p, digits, signed, of"):
        explain(model, x, method=given, epsilon=1)


def test_a_registered_method_is_known_by_its_name(
    monkeypatch: pytest.MonkeyPatch, model: nn.Module, x: torch.Tensor, own_methods: Any
) -> None:
    Power = own_methods.Power
    monkeypatch.setattr(METHODS, "_entries", dict(METHODS))
    METHODS.register(Power.name, Power)
    assert method_from_text("power:p=2").text == "power:p=2.0"
    assert "power" in [method.name for method in pellucid.methods()]
    assert torch.equal(explain(model, x, method="power").relevance, explain(model, x, method=OUTSIDE).relevance)
    with pytest.raises(InputError, match="'power' is registered already"):
        METHODS.register("power", Power)


def test_a_method_says_what_it_is(own_methods: Any) -> None:
    Power = own_methods.Power
    assert Power().summary == "The value's power times the gradient, rounded to a number of digits."
    assert parameters_of(Power)[1] == ("digits", 3, "Digits that are kept.")
    for method in methods():
        assert isinstance(method, Method)
        assert method == find_method(method.name) == find_method(type(method)) == find_method(method)
        assert all(default == value for (_, default, _), value in zip(
            parameters_of(method), method.parameters.values(), strict=True))  # fmt: skip
        assert all(doc.endswith(".") for _, _, doc in parameters_of(method))
        assert method.references


def test_parameters_given_in_python_are_checked_too(model: nn.Module, x: torch.Tensor) -> None:
    assert LrpEpsilon(np.float32(0.5)).parameters == {"epsilon": 0.5}
    for wrong in (None, True, "1", [1.0]):
        with pytest.raises(InputError, match=r"^epsilon: .* is not a number"):
            explain(model, x, epsilon=wrong)
