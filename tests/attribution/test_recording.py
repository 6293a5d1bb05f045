"""What the recording makes of networks that overwrite tensors, against a twin that leaves all of that to autograd."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from tests.attribution.networks import Case, networks
from tests.attribution.twins import gradient_by_autograd, relevance_by_autograd
from torch import nn
from torch.nn import functional as F  # noqa: N812

from pellucid.attribution.explain import explain
from pellucid.ground.errors import PellucidError
from pellucid.network import fused_functions
from pellucid.network.fused import FusedSequential

EPSILON = 1e-3


def _check(case: Case) -> None:
    """Compare the maps of a random network with those of the twins, and its logits with its own output."""
    model, x, units = case
    training = model.training
    relevance = explain(model, x, target=units, epsilon=EPSILON)
    gradient = explain(model, x, target=units, method="gradient")
    assert model.training == training
    model.eval()
    if relevance.head == "none":
        with torch.no_grad():
            assert torch.equal(relevance.logit, model(x.clone())[torch.arange(len(x)), units])
    for found, (expected, logit) in (
        (relevance, relevance_by_autograd(model, x, units, EPSILON)),
        (gradient, gradient_by_autograd(model, x, units)),
    ):
        assert found.head == relevance.head
        torch.testing.assert_close(found.logit, logit, rtol=1e-9, atol=1e-10)
        scale = max(1.0, float(expected.abs().max()))
        torch.testing.assert_close(found.relevance, expected, rtol=1e-6, atol=1e-8 * scale)
    for entry in relevance.ledger:
        kept = entry.absorbed_bias + entry.absorbed_epsilon
        size = relevance.relevance.abs().sum() + entry.relevance_out.abs() + entry.absorbed_bias.abs()
        assert bool(((entry.relevance_out - entry.relevance_in - kept).abs() <= 1e-8 * (1 + size)).all())


@given(case=networks())
@settings(max_examples=60, derandomize=False, print_blob=True)
def test_random_networks_equal_their_twins(case: Case) -> None:
    _check(case)


@pytest.mark.slow
@given(case=networks())
@settings(max_examples=2000, derandomize=False, print_blob=True)
def test_two_thousand_random_networks_equal_their_twins(case: Case) -> None:
    _check(case)


# --- single cases: each network beside one that computes the same without overwriting anything --------------------


class Net(nn.Module):
    def __init__(self, body: Callable[[nn.Module, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = body
        self.conv, self.other = nn.Conv3d(1, 4, 3, padding=1), nn.Conv3d(4, 4, 3, padding=1)
        self.relu, self.drop, self.fc = nn.ReLU(inplace=True), nn.Dropout(0.2), nn.Linear(4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(F.adaptive_avg_pool3d(self.body(self, self.conv(x)), 1).flatten(1))


def _function(m: nn.Module, h: torch.Tensor) -> torch.Tensor:
    F.relu(h, inplace=True)
    return h


def _by_place(m: nn.Module, h: torch.Tensor) -> torch.Tensor:
    F.relu(h, True)
    return h


def _module(m: nn.Module, h: torch.Tensor) -> torch.Tensor:
    m.relu(h)
    return h


def _added(m: nn.Module, h: torch.Tensor) -> torch.Tensor:
    h.add_(m.other(h))
    return h


def _name(m: nn.Module, h: torch.Tensor) -> torch.Tensor:
    g = h
    g += m.other(h)
    return h


def _view(m: nn.Module, h: torch.Tensor) -> torch.Tensor:
    h.view(h.size(0), -1).relu_()
    return h


def _slice(m: nn.Module, h: torch.Tensor) -> torch.Tensor:
    F.relu_(h[:, 1:3])
    return h


def _item(m: nn.Module, h: torch.Tensor) -> torch.Tensor:
    h[:, 1:3] = torch.relu(h[:, 1:3])
    return h


def _before(m: nn.Module, h: torch.Tensor) -> torch.Tensor:
    part = h[:, 1:3]
    F.relu_(h)
    return torch.cat([h, part], 1)[:, 2:]


def _sliced(h: torch.Tensor) -> torch.Tensor:
    return torch.cat([h[:, :1], torch.relu(h[:, 1:3]), h[:, 3:]], 1)


@pytest.mark.parametrize("method", ["lrp-epsilon", "gradient"])
@pytest.mark.parametrize(
    ("overwriting", "plain"),
    [
        (_function, lambda m, h: torch.relu(h)),
        (_by_place, lambda m, h: torch.relu(h)),
        (_module, lambda m, h: torch.relu(h)),
        (_added, lambda m, h: h + m.other(h)),
        (_name, lambda m, h: h + m.other(h)),
        (_view, lambda m, h: torch.relu(h)),
        (_slice, lambda m, h: _sliced(h)),
        (_item, lambda m, h: _sliced(h)),
        (_before, lambda m, h: torch.cat([torch.relu(h), torch.relu(h[:, 1:3])], 1)[:, 2:]),
        (lambda m, h: h + m.other(m.relu(h)), lambda m, h: torch.relu(h) + m.other(torch.relu(h))),
        (lambda m, h: h + m.relu(m.drop(h)), lambda m, h: torch.relu(h) + torch.relu(h)),
    ],
)
def test_who_reads_what_was_overwritten_reads_what_is_there(
    overwriting: Callable[..., torch.Tensor], plain: Callable[..., torch.Tensor], method: str
) -> None:
    x = torch.randn(2, 1, 5, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    model = Net(overwriting).double().eval()
    found, expected = explain(model, x, method=method), explain(Net(plain).double(), x, method=method)
    with torch.no_grad():
        assert torch.equal(found.logit, model(x)[:, 0])
    torch.testing.assert_close(found.logit, expected.logit, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(found.relevance, expected.relevance, rtol=1e-9, atol=1e-12)


def test_a_network_may_begin_in_place() -> None:
    x = torch.randn(2, 6, dtype=torch.float64)
    model = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(6, 1)).double()
    result = explain(model, x, method="gradient")
    torch.testing.assert_close(result.relevance, (x > 0) * model[1].weight.detach())


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (lambda m, h: h.clone().mul_(h), "mul_: lrp-epsilon has no rule for Tensor.mul_"),
        (lambda m, h: h.clamp_(0), "no rule for Tensor.clamp_"),
        (lambda m, h: h[:, :1].expand(-1, 4, -1, -1, -1).unsqueeze_(1), "no rule for Tensor.(expand|unsqueeze_)"),
    ],
)
def test_names_what_works_in_place_without_a_rule(body: Callable[..., torch.Tensor], message: str) -> None:
    with pytest.raises(PellucidError, match=message):
        explain(Net(body), torch.randn(1, 1, 5, 5, 5))


def test_what_does_not_depend_on_the_input_takes_relevance_as_a_bias_does() -> None:
    torch.manual_seed(0)
    x, head = torch.randn(2, 3, dtype=torch.float64), nn.Linear(5, 1).double()

    class Beside(nn.Module):
        def __init__(self, constant: str) -> None:
            super().__init__()
            self.constant, self.head = constant, head
            self.value = nn.Parameter(torch.tensor([[2.0, -1.0]], dtype=torch.float64))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.constant == "cat":
                return self.head(torch.cat([x, self.value.expand(x.size(0), 2)], 1))
            made = torch.zeros_like(torch.cat([x, x], 1)[:, :5])
            made[:, :3] = x
            made[:, 3] = 2.0
            made[:, 4] = self.value[0, 1]
            return self.head(made)

    values = torch.cat([x, torch.tensor([[2.0, -1.0]]).expand(2, 2)], 1)
    shares = (values * head.weight).detach()
    logit = shares.sum(1) + head.bias.detach()
    shares = shares * (logit / (logit + EPSILON * logit.sign()))[:, None]
    for constant in ("cat", "item"):
        result = explain(Beside(constant), x, epsilon=EPSILON)
        torch.testing.assert_close(result.relevance, shares[:, :3])
        absorbed = sum(entry.absorbed_bias for entry in result.ledger if entry.layer != "head")
        torch.testing.assert_close(absorbed, shares[:, 3:].sum(1))
        kept = sum(entry.absorbed_bias + entry.absorbed_epsilon for entry in result.ledger)
        torch.testing.assert_close(result.relevance.sum(1) + kept, result.logit)


def test_views_are_as_they_were_behind_quick_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused_functions, "_LEAST_WORK", 0)

    class Viewed(nn.Module):
        def __init__(self, kind: type[nn.Sequential]) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.features = kind(nn.Conv3d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool3d(2), nn.Conv3d(4, 3, 3))
            self.fc = nn.Linear(3 * 8, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = self.features(x)
            return self.fc(h.view(h.size(0), -1))

    x = torch.randn(2, 1, 8, 8, 8)
    for kind in (nn.Sequential, FusedSequential):
        result = explain(Viewed(kind), x)
        assert result.paths["features.0"] == "fused"
        with torch.no_grad():
            torch.testing.assert_close(result.logit, Viewed(nn.Sequential)(x)[:, 0])


def test_a_hook_that_changes_a_layer_is_refused_and_one_that_looks_is_not() -> None:
    x = torch.randn(2, 1, 8)

    def make_with(hook: Callable[..., object] | None) -> nn.Sequential:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv1d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 1))
        if hook is not None:
            model[1].register_forward_hook(hook)
        return model

    expected = explain(make_with(None), x).relevance
    assert torch.equal(explain(make_with(lambda *_: None), x).relevance, expected)
    with pytest.raises(PellucidError, match=r"^1: a hook changes the input or output of the layer"):
        explain(make_with(lambda _, __, given: given.flip(2)), x)
    result = explain(make_with(lambda _, __, given: given.flip(2)), x, method="gradient")
    assert result.relevance.shape == x.shape


def test_hooks_on_the_root_are_part_of_the_function() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 1, 8)
    model = nn.Sequential(nn.Conv1d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 1))
    plain = explain(model, x + 5)
    model.register_forward_pre_hook(lambda _, given: (given[0] + 5,))
    result = explain(model, x)
    assert torch.equal(result.logit, plain.logit)
    assert [entry.layer for entry in result.ledger] == ["add", "0", "3"]
    torch.testing.assert_close(result.ledger[0].relevance_out, plain.ledger[0].relevance_in)
