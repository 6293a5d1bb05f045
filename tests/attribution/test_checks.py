"""What is asked for is right or refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pellucid.attribution.explain import explain, methods
from pellucid.ground.errors import InputError

METHODS = ["gradient", "input-x-gradient", "lrp-epsilon", "lrp-rules", "sensitivity"]


@pytest.fixture
def model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(8, 3))


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn(2, 1, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("target", "units"),
    [
        (1, (1, 1)), (np.int64(1), (1, 1)), (torch.tensor(2), (2, 2)), (np.array(0), (0, 0)), ([0, 2], (0, 2)),
        ((2, 1), (2, 1)), (torch.tensor([1, 0]), (1, 0)), (np.array([1, 2]), (1, 2)), ([torch.tensor(1), 0], (1, 0)),
    ],
)  # fmt: skip
def test_a_target_may_be_one_unit_or_one_for_each_item(
    model: nn.Module, x: torch.Tensor, target: Any, units: tuple[int, int], method: str
) -> None:
    result = explain(model, x, target=target, method=method)
    assert result.logit.shape == (2,)
    for b, unit in enumerate(units):
        alone = explain(model, x[b : b + 1], target=unit, method=method)
        torch.testing.assert_close(result.logit[b], alone.logit[0])
        torch.testing.assert_close(result.relevance[b], alone.relevance[0])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("target", "message"),
    [
        (True, r"True is a truth value.*int\(True\) is 1"), (np.bool_(False), "False is a truth value"),
        ([True, False], "True is a truth value"), (torch.tensor(True), "True is a truth value"),
        (-1, "-1 is not an output unit. Give 0 to 2"), (3, "3 is not an output unit"), ([0, 3], "3 is not an output"),
        (1.0, "1.0 is not a whole number"), ("1", "'1' is not a whole number"),
        (torch.tensor([1.0, 0.0]), "1.0 is not a whole"),
        ([0], "has 1 units for 2 batch items"), ([], "has 0 units"), (torch.tensor([[0, 1]]), "is not a whole number"),
        ({1}, "is not a whole number"), (None, "is missing, and the model has 3 output units"),
    ],
)  # fmt: skip
def test_any_other_target_is_refused(model: nn.Module, x: torch.Tensor, target: Any, message: str, method: str) -> None:
    with pytest.raises(InputError, match=f"^target: .*{message}"):
        explain(model, x, target=target, method=method)


@pytest.mark.parametrize("method", methods())
def test_a_method_may_be_given_as_it_is_listed(model: nn.Module, x: torch.Tensor, method: Any) -> None:
    by_name = explain(model, x, target=0, method=method.name)
    assert torch.equal(explain(model, x, target=0, method=method).relevance, by_name.relevance)


@pytest.mark.parametrize(
    ("method", "guess"),
    [
        ("lrp_epsilon", "Did you mean lrp-epsilon"), ("LRP", "mean lrp-epsilon"), ("gradients", "mean gradient"),
        ("sensitivty", "mean sensitivity"), ("input*gradient", "mean input-x-gradient"), (None, "None is not known"),
        ("", "Choose one of"), (3, "3 is not known"),
    ],
)  # fmt: skip
def test_a_misspelt_method_gets_the_nearest(model: nn.Module, x: torch.Tensor, method: Any, guess: str) -> None:
    with pytest.raises(InputError, match=f"^method: .*{guess}"):
        explain(model, x, target=0, method=method)


def test_epsilon_may_be_any_number_that_the_data_type_can_hold(model: nn.Module, x: torch.Tensor) -> None:
    expected = explain(model, x, target=0, epsilon=0.5).relevance
    assert torch.equal(explain(model, x, target=0, epsilon=np.float32(0.5)).relevance, expected)
    explain(model.double(), x.double(), target=0, epsilon=1e-46)
    with pytest.raises(InputError, match=r"epsilon: 1e-46 cannot be distinguished from 0 or infinity in torch.float32"):
        explain(model.float(), x, target=0, epsilon=1e-46)


def _in_inference_mode() -> nn.Module:
    with torch.inference_mode():
        return nn.Linear(8, 1)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Linear, r"is the class Linear. Make an object: Linear\(...\)"),
        (torch.relu, "is a builtin_function_or_method, not a torch.nn.Module"),
        (None, "is a NoneType, not a torch.nn.Module"),
        (nn.Linear(8, 1, device="meta"), "its weight holds no values"),
        (nn.LazyLinear(1), "its weight holds no values"),
        (_in_inference_mode(), "its weight was made in torch.inference_mode"),
    ],
)
def test_what_is_no_usable_module_is_refused(model: Any, x: torch.Tensor, message: str) -> None:
    with pytest.raises(InputError, match=f"^model: {message}"):
        explain(model, x)


def test_an_input_without_values_is_refused(model: nn.Module, x: torch.Tensor) -> None:
    with pytest.raises(InputError, match=r"^x: is on the meta device"):
        explain(model, x.to("meta"), target=0)
    with pytest.raises(InputError, match=r"^x: is a list; .* Give a tensor"):
        explain(model, x.tolist(), target=0)  # type: ignore[arg-type]
