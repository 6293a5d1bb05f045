from __future__ import annotations

import copy
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import nn

import pellucid
from pellucid.attribution.explain import explain, methods
from pellucid.ground.errors import InputError, PellucidError

METHODS = ["gradient", "input-x-gradient", "lrp-epsilon", "lrp-rules", "sensitivity"]


@pytest.fixture
def model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv1d(1, 3, 3), nn.BatchNorm1d(3), nn.ELU(), nn.Dropout(), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(12, 1)
    )


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn(2, 1, 10, generator=torch.Generator().manual_seed(1))


# --- the public names ---------------------------------------------------------------------------------------------


def test_explain_is_callable_whichever_import_comes_first() -> None:
    code = """
import sys
import torch
model = torch.nn.Linear(2, 1)
for order in sys.argv[1:]:
    for name in [name for name in sys.modules if name.partition(".")[0] == "pellucid"]:
        del sys.modules[name]
    names = {}
    exec(order, names)
    result = names["explain"](model, torch.ones(1, 2), method="gradient")
    assert torch.equal(result.relevance, model.weight.detach()), order
    import pellucid
    result = pellucid.explain(model, torch.ones(1, 2), method="gradient")
    assert torch.equal(result.relevance, model.weight.detach()), order
"""
    orders = [
        "import pellucid; explain = pellucid.explain",
        "import pellucid.attribution.explain; explain = pellucid.explain",
        "import pellucid; pellucid.methods(); explain = pellucid.explain",
        "from pellucid import explain",
        "from pellucid.attribution.explain import explain",
    ]
    subprocess.run([sys.executable, "-W", "error", "-c", code, *orders], check=True, timeout=120)


def test_public_names() -> None:
    assert pellucid.methods is methods
    assert pellucid.Explanation is type(explain(nn.Linear(2, 1), torch.ones(1, 2)))


def test_methods_say_name_parameters_source_and_summary() -> None:
    assert [method.name for method in methods()] == METHODS
    assert methods()[2].parameters == {"epsilon": 0.001}
    assert not methods()[0].parameters
    for method in methods():
        assert any(year in method.source for year in ("2014", "2015", "2017"))
        assert method.summary.endswith(".")


# --- what comes back ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_relevance_has_the_shape_type_and_device_of_x(
    model: nn.Module, x: torch.Tensor, method: str, dtype: torch.dtype
) -> None:
    model, x = model.to(dtype), x.to(dtype)
    result = explain(model, x, method=method)
    assert result.relevance.shape == x.shape
    assert result.relevance.dtype == result.logit.dtype == dtype
    assert result.relevance.device == x.device
    assert not result.relevance.requires_grad
    assert not result.logit.requires_grad
    model.eval()
    torch.testing.assert_close(result.logit, model(x)[:, 0].detach())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
@pytest.mark.parametrize("method", METHODS)
def test_a_gpu_gives_the_same_map(model: nn.Module, x: torch.Tensor, method: str) -> None:
    on_cpu = explain(model, x, method=method)
    on_gpu = explain(copy.deepcopy(model).cuda(), x.cuda(), method=method)
    assert on_gpu.relevance.is_cuda
    torch.testing.assert_close(on_gpu.relevance.cpu(), on_cpu.relevance, rtol=1e-4, atol=1e-6)


def test_only_lrp_has_a_ledger(model: nn.Module, x: torch.Tensor) -> None:
    assert [entry.layer for entry in explain(model, x).ledger] == ["0", "1", "6"]
    for method in METHODS:
        assert bool(explain(model, x, method=method).ledger) is method.startswith("lrp")


def test_gradient_is_what_finite_differences_show(model: nn.Module, x: torch.Tensor) -> None:
    model, x = model.double(), x.double()
    gradient = explain(model, x, method="gradient").relevance
    model.eval()
    slow = torch.zeros_like(x)
    with torch.no_grad():
        for i in range(x.shape[2]):
            step = torch.zeros_like(x)
            step[..., i] = 1e-6
            slow[..., i] = (model(x + step) - model(x - step)) / 2e-6
    torch.testing.assert_close(gradient, slow, rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(explain(model, x, method="input-x-gradient").relevance, slow * x, rtol=1e-6, atol=1e-8)


def test_epsilon_defaults_to_the_papers(model: nn.Module, x: torch.Tensor) -> None:
    result = explain(model, x)
    assert torch.equal(result.relevance, explain(model, x, epsilon=1e-3).relevance)
    assert not torch.equal(result.relevance, explain(model, x, epsilon=1e-2).relevance)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("spelling", ["module", "function", "method", "reshaped"])
def test_a_final_sigmoid_is_passed_over(model: nn.Sequential, x: torch.Tensor, method: str, spelling: str) -> None:
    class Probability(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model
            self.sigmoid = nn.Sigmoid()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if spelling == "function":
                return torch.sigmoid(self.model(x))
            if spelling == "method":
                return self.model(x).sigmoid()
            if spelling == "reshaped":
                return self.sigmoid(self.model(x)).squeeze(1)
            return self.sigmoid(self.model(x))

    bare, ended = explain(model, x, method=method), explain(Probability(), x, method=method)
    assert torch.equal(ended.logit, bare.logit)
    assert torch.equal(ended.relevance, bare.relevance)


def test_a_sigmoid_inside_is_an_activation(x: torch.Tensor) -> None:
    torch.manual_seed(0)
    inside = nn.Sequential(nn.Flatten(), nn.Linear(10, 3), nn.Sigmoid(), nn.Linear(3, 1))
    torch.testing.assert_close(explain(inside, x).logit, inside(x)[:, 0].detach())


@pytest.mark.parametrize("method", METHODS)
def test_target_chooses_the_unit(x: torch.Tensor, method: str) -> None:
    torch.manual_seed(0)
    body, head = nn.Sequential(nn.Flatten(), nn.Linear(10, 4), nn.ELU()), nn.Linear(4, 3)
    single = nn.Linear(4, 1)
    with torch.no_grad():
        single.weight.copy_(head.weight[2:])
        single.bias.copy_(head.bias[2:])
    chosen = explain(nn.Sequential(*body, head), x, method=method, target=2)
    alone = explain(nn.Sequential(*body, single), x, method=method)
    torch.testing.assert_close(chosen.logit, alone.logit)
    torch.testing.assert_close(chosen.relevance, alone.relevance)


# --- nothing is disturbed -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_the_model_is_given_back_as_it_was(model: nn.Sequential, x: torch.Tensor, method: str) -> None:
    model.train()
    model[1].eval()  # modes may be mixed
    model[0].weight.requires_grad_(False)
    model[6].weight.grad = torch.full_like(model[6].weight, 3.0)
    model[6].bias.grad = None
    x.requires_grad_()
    before, modes = copy.deepcopy(model.state_dict()), [module.training for module in model.modules()]
    explain(model, x, method=method)
    assert [module.training for module in model.modules()] == modes
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
    assert [parameter.requires_grad for parameter in model.parameters()] == [False] + [True] * 5
    assert model[6].weight.grad.eq(3).all()
    assert model[6].bias.grad is None
    assert x.requires_grad
    assert x.grad is None
    assert x.is_leaf


def test_the_mode_is_restored_when_something_fails(x: torch.Tensor) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(3, 1)).train()
    with pytest.raises(
        InputError, match=r"x: of shape \(2, 1, 10\) makes Sequential fail .*x\[None\] adds a batch axis"
    ):
        explain(model, x)
    assert model.training
    assert model[1].training


@pytest.mark.parametrize("method", METHODS)
def test_works_where_autograd_is_off(model: nn.Module, x: torch.Tensor, method: str) -> None:
    expected = explain(model, x, method=method).relevance
    with torch.no_grad():
        assert torch.equal(explain(model, x, method=method).relevance, expected)
    with torch.inference_mode():
        assert torch.equal(explain(model, x.clone(), method=method).relevance, expected)


def test_autocast_of_the_caller_does_not_reach_the_map(model: nn.Module, x: torch.Tensor) -> None:
    expected = explain(model, x).relevance
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(explain(model, x).relevance, expected)


def test_x_is_not_changed(x: torch.Tensor) -> None:
    before = x.clone()
    explain(nn.Sequential(nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(10, 1)), x)
    assert torch.equal(x, before)


# --- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"method": "lrp"},
            "method: 'lrp' is not known. Did you mean lrp-epsilon. Choose one of gradient, input-x-gradient",
        ),
        ({"method": "gradient", "epsilon": 0.1}, "epsilon: is not a parameter of gradient, which takes no parameters"),
        ({"epsilon": 0.0}, "epsilon: 0.0 is not above 0"),
        ({"epsilon": -1e-3}, "epsilon: -0.001 is not above 0"),
        ({"epsilon": float("nan")}, "epsilon: nan is not above 0"),
        ({"epsilon": float("inf")}, "epsilon: inf is not"),
        ({"epsilon": 1e-46}, "epsilon: 1e-46 cannot be distinguished from 0"),
        ({"epsilon": "0.1"}, "epsilon: '0.1' is not a number"),
        ({"epsilon": True}, "epsilon: True is not a number"),
        ({"target": 1}, "target: 1 is not an output unit"),
        ({"target": -1}, "target: -1 is not an output unit"),
    ],
)
def test_refuses_options(model: nn.Module, x: torch.Tensor, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        explain(model, x, **options)


def test_refuses_several_units_without_a_target(x: torch.Tensor) -> None:
    with pytest.raises(InputError, match="target: is missing, and the model has 4 output units"):
        explain(nn.Sequential(nn.Flatten(), nn.Linear(10, 4)), x)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda x: x.half(), r"x: is torch.float16; relevance needs float32 or float64"),
        (lambda x: x.bfloat16(), r"x: is torch.bfloat16"),
        (lambda x: x.int(), r"x: is torch.int32"),
        (lambda x: x.numpy(), r"x: is a ndarray.*torch.from_numpy\(x\)"),
        (lambda x: x[0, 0], r"has shape \(10,\), not \(batch, channels, ...\)"),
        (lambda x: x[:0], r"has shape \(0, 1, 10\)"),
        (lambda x: x.double(), r"is torch.float64 on cpu, but 0.weight of the model is torch.float32 on cpu"),
        (lambda x: torch.cat([x, x[:1] * torch.nan, x, x[:1] / 0]), "has NaN or infinity in batch item 2, 5"),
    ],
)
def test_refuses_inputs(model: nn.Module, x: torch.Tensor, spoil: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        explain(model, spoil(x))


@pytest.mark.parametrize("method", METHODS)
def test_refuses_a_model_that_is_not_finite(model: nn.Sequential, x: torch.Tensor, method: str) -> None:
    model[6].bias.data.fill_(torch.nan)
    with pytest.raises(PellucidError, match="logit is NaN or infinite"):
        explain(model, x, method=method)


@pytest.mark.parametrize("method", METHODS)
def test_refuses_a_model_that_ignores_its_input(x: torch.Tensor, method: str) -> None:
    class Stubborn(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.value = nn.Parameter(torch.ones(1, 1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.value.expand(x.shape[0], 1)

    with pytest.raises(PellucidError, match="does not depend on its input"):
        explain(Stubborn(), x, method=method)


def test_refuses_a_model_that_mixes_the_batch(x: torch.Tensor) -> None:
    with pytest.raises(PellucidError, match="not one row per batch item"):
        explain(nn.Sequential(nn.Flatten(0), nn.Linear(20, 1)), x)
