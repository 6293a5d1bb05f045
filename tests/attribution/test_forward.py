"""What ends a model behind its logit is found in its own forward pass, and what draws random numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from pellucid.attribution.explain import explain
from pellucid.ground.errors import InputError, PellucidError

METHODS = ["lrp-epsilon", "gradient", "sensitivity", "input-x-gradient"]


class Ending(nn.Module):
    def __init__(self, end: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.end, self.body = end, nn.Sequential(nn.Flatten(), nn.Linear(8, 4), nn.ELU(), nn.Linear(4, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.end(self.body(x))


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn(2, 1, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("end", "head"),
    [
        (nn.Softmax(1), "softmax"),
        (nn.LogSoftmax(1), "log-softmax"),
        (nn.LogSigmoid(), "log-sigmoid"),
        (lambda z: torch.softmax(z, 1), "softmax"),
        (lambda z: F.softmax(input=z, dim=1), "softmax"),
        (lambda z: z.softmax(-1), "softmax"),
        (lambda z: torch.special.softmax(z, 1), "softmax"),
        (lambda z: F.log_softmax(z, dim=1), "log-softmax"),
        (lambda z: z.log_softmax(1), "log-softmax"),
        (lambda z: torch.special.expit(z), "sigmoid"),
        (lambda z: z.sigmoid_(), "sigmoid"),
        (lambda z: z.softmax(1).unsqueeze(1).transpose(1, 2), "softmax"),
        (lambda z: z.softmax(1)[:, [0, 2, 1]][:, [0, 2, 1]], "softmax"),
        (lambda z: z.log_softmax(1).softmax(1), "softmax of log-softmax"),
        (nn.Sequential(nn.Sigmoid(), nn.Identity(), nn.Softmax(1), nn.Dropout()), "softmax of sigmoid"),
        (lambda z: torch.log(F.softmax(z.sigmoid()[:, [1, 2, 0]], 1))[:, [2, 0, 1]], "log of softmax of sigmoid"),
        (lambda z: z, "none"),
    ],
)
def test_the_logit_before_a_final_sigmoid_or_softmax_is_explained(
    x: torch.Tensor, end: Callable[[torch.Tensor], torch.Tensor], head: str, method: str
) -> None:
    model = Ending(end)
    ended, bare = (explain(m, x, method=method, target=[2, 1]) for m in (model, model.body))
    assert (ended.head, bare.head) == (head, "none")
    torch.testing.assert_close(ended.logit, bare.logit, rtol=0, atol=0)
    torch.testing.assert_close(ended.relevance, bare.relevance, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("method", METHODS)
def test_one_unit_of_a_softmax_may_be_all_that_is_left(x: torch.Tensor, method: str) -> None:
    model = Ending(lambda z: z.softmax(1)[:, 1])
    expected = explain(model.body, x, method=method, target=1)
    torch.testing.assert_close(explain(model, x, method=method).relevance, expected.relevance)


def test_a_logarithm_of_no_probability_is_the_output(x: torch.Tensor) -> None:
    model = Ending(lambda z: (z * z + 9).log_())
    result = explain(model, x, method="gradient", target=0)
    assert result.head == "none"
    assert torch.equal(result.logit, model(x)[:, 0].detach())


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_where_the_end_cannot_be_seen_that_is_told(x: torch.Tensor) -> None:
    compiled = torch.jit.script(nn.Sequential(nn.Flatten(), nn.Linear(8, 1), nn.Sigmoid()))
    for model in (compiled, Ending(lambda z: 1 / (1 + torch.exp(-z)))):
        for _ in range(3):  # torch.jit records anew as it warms up
            result = explain(model, x, method="gradient", target=0)
            assert result.head == "unknown"
            assert torch.equal(result.logit, model(x)[:, 0].detach())
    with pytest.raises(PellucidError, match=r"a model compiled by torch\.jit cannot be traced"):
        explain(compiled, x)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "draw",
    [lambda z: F.dropout(z, 0.5), lambda z: z + torch.rand_like(z), lambda z: z * torch.bernoulli(torch.ones(3) / 2)],
)
def test_random_numbers_in_evaluation_mode_are_refused(
    x: torch.Tensor, draw: Callable[[torch.Tensor], torch.Tensor], method: str
) -> None:
    with pytest.raises(PellucidError, match="Ending draws random numbers in evaluation mode"):
        explain(Ending(draw), x, method=method, target=0)


def test_dropout_that_is_off_draws_nothing(x: torch.Tensor) -> None:
    model = Ending(lambda z: F.dropout(z, 0.5, training=False))
    assert torch.equal(explain(model, x, method="gradient", target=0).logit, model.body(x)[:, 0].detach())


@pytest.mark.parametrize("method", METHODS[1:])
def test_gradients_need_no_graph(x: torch.Tensor, method: str) -> None:
    class Free(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.layers = nn.ModuleList([nn.Linear(8, 8), nn.Linear(8, 8)])
            self.fc = nn.Linear(8, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = x.flatten(1)
            for layer in self.layers:
                h = layer(h) if h.sum() > -1e9 else h
            return self.fc(h).softmax(1)

    model = Free()
    leaf = x.clone().requires_grad_()
    logit = model.fc(model.layers[1](model.layers[0](leaf.flatten(1))))[:, 1]
    (gradient,) = torch.autograd.grad(logit.sum(), leaf)
    expected = {"gradient": gradient, "sensitivity": gradient.abs(), "input-x-gradient": x * gradient}[method]
    result = explain(model, x, method=method, target=1)
    torch.testing.assert_close(result.relevance, expected)
    torch.testing.assert_close(result.logit, logit.detach())
    with pytest.raises(PellucidError, match=r"cannot be traced at test_forward.py:\d+"):
        explain(model, x, target=1)


@pytest.mark.parametrize("method", METHODS)
def test_the_gradient_of_batch_norm_is_right_whatever_the_layout(method: str) -> None:
    """PyTorch 2.13 gives a wrong one for a transposed input with an axis of length 1 (`rules.pull`)."""

    class Slices(nn.Module):
        def __init__(self, norm: nn.Module) -> None:
            super().__init__()
            self.norm, self.fc = norm, nn.Linear(45, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(self.norm(x.transpose(1, -1)).flatten(1))

    class Scale(nn.Module):
        def __init__(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
            super().__init__()
            self.conv = nn.Conv3d(3, 3, 1, groups=3)
            self.conv.weight.data, self.conv.bias.data = weight.reshape(3, 1, 1, 1, 1), bias

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.conv(x)

    torch.manual_seed(0)
    norm = nn.BatchNorm3d(3).double().eval()
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    weight = (norm.running_var + norm.eps).rsqrt()
    slow = Scale(weight, -norm.running_mean * weight)
    x, model = torch.randn(4, 1, 5, 3, 3, dtype=torch.float64), Slices(norm).double()
    expected = Slices(slow).double()
    expected.fc = model.fc
    found, other = explain(model, x, method=method), explain(expected, x, method=method)
    torch.testing.assert_close(found.relevance, other.relevance, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("model", "x", "message"),
    [
        (nn.Linear(8, 1), torch.randn(2, 1, 7), r"x: of shape \(2, 1, 7\) makes Linear fail \(RuntimeError: mat1 and"),
        (
            nn.Sequential(nn.Conv3d(1, 4, 3), nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(4, 1)),
            torch.randn(1, 6, 6, 6),
            r"x\[None\] adds a batch axis",
        ),
    ],
)
@pytest.mark.parametrize("method", METHODS)
def test_says_what_fails_and_how_x_should_be(model: nn.Module, x: torch.Tensor, message: str, method: str) -> None:
    with pytest.raises(InputError, match=message):
        explain(model, x, method=method)


def test_a_forward_pass_without_gradients_has_no_gradient(x: torch.Tensor) -> None:
    class Off(Ending):
        @torch.no_grad()
        def forward(self, x: torch.Tensor) -> Any:
            return super().forward(x)

    with pytest.raises(PellucidError, match="or its forward pass runs without gradients"):
        explain(Off(lambda z: z), x, method="gradient", target=0)
