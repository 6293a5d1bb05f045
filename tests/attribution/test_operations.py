"""Every operation with a rule, in models that are more than a chain."""

from __future__ import annotations

import operator
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from pellucid.attribution.explain import explain
from pellucid.ground.errors import PellucidError
from pellucid.network.field_of_view import ELEMENTWISE

EPSILON = 1e-2


class Lambda(nn.Module):
    """A model of layers and any function of them."""

    def __init__(self, function: Callable[..., torch.Tensor], **layers: nn.Module) -> None:
        super().__init__()
        self.function = function
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(self, x)


def _divide(relevance: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    return relevance / torch.where(z >= 0, z + EPSILON, z - EPSILON)


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn(2, 2, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(3)


def _linear(inputs: int) -> nn.Linear:
    return nn.Linear(inputs, 1).double()


@pytest.mark.parametrize(
    "add",
    [
        operator.add,
        operator.iadd,
        torch.add,
        lambda a, b: a.add(b),
        lambda a, b: a.add_(b),
        lambda a, b: torch.add(a, other=b, alpha=1),
    ],
)
def test_a_residual_sum_shares_between_its_branches(
    x: torch.Tensor, add: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
) -> None:
    body, head = nn.Conv1d(2, 2, 3, padding=1).double(), _linear(12)
    model = Lambda(lambda m, x: m.head(add(m.body(x), x).flatten(1)), body=body, head=head)
    result = explain(model, x, epsilon=EPSILON)
    with torch.no_grad():
        z = body(x)
        total = z + x
        logit = head(total.flatten(1))
        at_total = total * (_divide(logit, logit) * head.weight).reshape(total.shape)
        quotient = _divide(at_total, total)
        # The sum's share of x, and what the convolution hands on of its own share.
        below = _divide(z * quotient, z)
        transposed = F.conv_transpose1d(below, body.weight, padding=1)
        expected = x * quotient + x * transposed
    torch.testing.assert_close(result.relevance, expected, rtol=1e-9, atol=1e-12)
    assert [entry.layer for entry in result.ledger][::2] == ["body", "head"]
    for entry in result.ledger:
        absorbed = entry.absorbed_bias + entry.absorbed_epsilon
        torch.testing.assert_close(entry.relevance_out, entry.relevance_in + absorbed, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("constant", ["number", "parameter"])
def test_a_constant_in_a_sum_is_a_bias(x: torch.Tensor, constant: str) -> None:
    head = _linear(12)
    offset = nn.Module()
    offset.register_parameter("value", nn.Parameter(torch.randn(2, 1, dtype=torch.float64)))

    def forward(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
        return m.head((x + (0.5 if constant == "number" else m.offset.value)).flatten(1))

    result = explain(Lambda(forward, head=head, offset=offset), x, epsilon=EPSILON)
    shift = 0.5 if constant == "number" else offset.value.detach()
    with torch.no_grad():
        total = x + shift
        logit = head(total.flatten(1))
        at_total = total * (_divide(logit, logit) * head.weight).reshape(total.shape)
        quotient = _divide(at_total, total)
    torch.testing.assert_close(result.relevance, x * quotient, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(result.ledger[0].absorbed_bias, (quotient * shift).sum((1, 2)), rtol=1e-9, atol=1e-12)


def test_a_tensor_added_to_itself_counts_twice(x: torch.Tensor) -> None:
    head = _linear(12)
    twice = explain(Lambda(lambda m, x: m.head((x + x).flatten(1)), head=head), x, epsilon=1e-12)
    doubled = nn.Linear(12, 1).double()
    doubled.weight.data, doubled.bias.data = 2 * head.weight.data, head.bias.data
    once = explain(Lambda(lambda m, x: m.head(x.flatten(1)), head=doubled), x, epsilon=1e-12)
    torch.testing.assert_close(twice.relevance, once.relevance)


def test_cat_and_slices_send_relevance_where_it_came_from(x: torch.Tensor) -> None:
    head = _linear(10)

    def forward(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
        return m.head(torch.cat([x[:, :, :2].flatten(1), torch.flatten(x[:, :, 3:], 1)], dim=1))

    result = explain(Lambda(forward, head=head), x, epsilon=EPSILON)
    weight = torch.zeros(2, 6, dtype=torch.float64)
    weight[:, :2] = head.weight[0, :4].detach().reshape(2, 2)
    weight[:, 3:] = head.weight[0, 4:].detach().reshape(2, 3)
    quotient = _divide(result.logit, result.logit)
    torch.testing.assert_close(result.relevance, x * weight * quotient[:, None, None], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "forward",
    [
        lambda m, x: m.head(F.elu(m.body(x)).view(x.size(0), -1)),
        lambda m, x: m.head(F.elu(m.body(x)).reshape(x.shape[0], -1)),
        lambda m, x: m.head(F.elu(m.body(x)).unsqueeze(1).squeeze(1).contiguous().flatten(1)),
        lambda m, x: m.head(F.elu(m.body(x)).permute(0, 2, 1).transpose(1, 2).flatten(1)),
        lambda m, x: m.head(F.elu(m.body(x), inplace=True).flatten(1)),
        lambda m, x: m.head(F.dropout(F.elu(m.body(x)), 0.5, training=m.training).flatten(1)),
        lambda m, x: m.head(torch.reshape(F.elu(m.body(x.clone())), (-1, 12))),
    ],
)
def test_reshaping_and_functional_activations_pass(
    x: torch.Tensor, forward: Callable[[nn.Module, torch.Tensor], torch.Tensor]
) -> None:
    body, head = nn.Conv1d(2, 2, 3, padding=1).double(), _linear(12)
    expected = explain(nn.Sequential(body, nn.ELU(), nn.Flatten(), head), x)
    result = explain(Lambda(forward, body=body, head=head), x)
    torch.testing.assert_close(result.relevance, expected.relevance, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("function", "module"),
    [
        (lambda x: F.max_pool1d(x, 2), nn.MaxPool1d(2)),
        (lambda x: F.avg_pool1d(x, 3), nn.AvgPool1d(3)),
        (lambda x: F.adaptive_avg_pool1d(x, 2), nn.AdaptiveAvgPool1d(2)),
        (lambda x: torch.relu(x), nn.ReLU()),
        (lambda x: x.tanh(), nn.Tanh()),
    ],
)
def test_functions_equal_their_modules(
    x: torch.Tensor, function: Callable[[torch.Tensor], torch.Tensor], module: nn.Module
) -> None:
    body = nn.Conv1d(2, 2, 1).double()
    head = _linear(module(x).flatten(1).shape[1])
    expected = explain(nn.Sequential(body, module, nn.Flatten(), head), x)
    result = explain(Lambda(lambda m, x: m.head(function(m.body(x)).flatten(1)), body=body, head=head), x)
    torch.testing.assert_close(result.relevance, expected.relevance, rtol=1e-10, atol=1e-12)
    assert len(result.ledger) == len(expected.ledger)


@pytest.mark.parametrize("activation", ELEMENTWISE)
def test_elementwise_layers_pass_relevance_unchanged(x: torch.Tensor, activation: type[nn.Module]) -> None:
    layer, head = activation().double().eval(), _linear(12)
    x = x.reshape(2, 2, 6, *{"Dropout2d": (1,), "Dropout3d": (1, 1)}.get(activation.__name__, ()))
    result = explain(nn.Sequential(layer, nn.Flatten(), head), x, epsilon=EPSILON)
    with torch.no_grad():
        a = layer(x).flatten(1)
        expected = a * head.weight * _divide(head(a), head(a))
    torch.testing.assert_close(result.relevance.flatten(1), expected, rtol=1e-9, atol=1e-12)


def test_adaptive_max_pool_gives_all_to_the_winner(x: torch.Tensor) -> None:
    head = _linear(2)
    result = explain(nn.Sequential(nn.AdaptiveMaxPool1d(1), nn.Flatten(), head), x)
    assert ((result.relevance != 0).sum(dim=2) == 1).all()
    assert torch.equal(result.relevance.abs().argmax(dim=2), x.argmax(dim=2))


def test_layers_used_twice_are_explained_twice(x: torch.Tensor) -> None:
    layer, head = nn.Conv1d(2, 2, 3, padding=1).double(), _linear(12)
    shared = explain(Lambda(lambda m, x: m.head(m.layer(m.layer(x)).flatten(1)), layer=layer, head=head), x)
    apart = explain(nn.Sequential(layer, nn.Sequential(layer), nn.Flatten(), head), x)
    torch.testing.assert_close(shared.relevance, apart.relevance)
    assert [entry.layer for entry in shared.ledger] == ["layer", "layer", "head"]


def test_a_branch_that_leads_nowhere_is_ignored(x: torch.Tensor) -> None:
    head = _linear(12)

    def forward(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
        m.side(x)
        return m.head(x.flatten(1))

    result = explain(Lambda(forward, head=head, side=nn.Conv1d(2, 1, 1).double()), x)
    assert torch.equal(result.relevance, explain(nn.Sequential(nn.Flatten(), head), x).relevance)


def test_an_overwritten_activation_is_kept_for_the_rules(x: torch.Tensor) -> None:
    body, head = nn.Conv1d(2, 2, 3).double(), _linear(8)
    kept = explain(nn.Sequential(body, nn.ELU(), nn.Flatten(), head), x)
    over = explain(nn.Sequential(body, nn.ELU(inplace=True), nn.Flatten(), head), x)
    assert torch.equal(over.relevance, kept.relevance)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            nn.Sequential(nn.Sequential(nn.GroupNorm(1, 2)), nn.Flatten(), nn.Linear(12, 1)),
            "^0.0: .* no rule for GroupNorm",
        ),
        (nn.Sequential(nn.Softmax(2), nn.Flatten(), nn.Linear(12, 1)), "^0: .* no rule for Softmax"),
        (
            nn.Sequential(nn.Conv1d(2, 2, 3, padding=1, padding_mode="circular")),
            "no rule for Conv1d padded with 'circular'",
        ),
        (nn.Sequential(nn.BatchNorm1d(2, track_running_stats=False)), "no rule for BatchNorm1d without running"),
        (Lambda(lambda m, x: (x * x).flatten(1)), "^mul: .* no rule for mul"),
        (Lambda(lambda m, x: torch.add(x, x, alpha=2)), "^add: .* no rule for add with alpha"),
        (Lambda(lambda m, x: x.add(x, alpha=2)), "^add: .* no rule for Tensor.add with alpha"),
        (Lambda(lambda m, x: x.sum((1, 2))), "^sum_1: .* no rule for Tensor.sum"),
        (Lambda(lambda m, x: F.max_pool1d(x, 2, return_indices=True)[0]), "no rule|one result"),
        (Lambda(lambda m, x: m.p(x)[0], p=nn.MaxPool1d(2, return_indices=True)), "^p: .* one result"),
        (
            Lambda(lambda m, x: m.p(m.c(x))[0], p=nn.MaxPool1d(2, return_indices=True), c=nn.Conv1d(2, 2, 1)),
            "^p: .* one result",
        ),
        (Lambda(lambda m, x: torch.chunk(x, 2, 1)[0]), "no rule for chunk"),
    ],
)
def test_names_what_has_no_rule(x: torch.Tensor, model: nn.Module, message: str) -> None:
    with pytest.raises(PellucidError, match=message):
        explain(model.double(), x, target=0)


def test_the_message_is_short_and_says_what_to_do(x: torch.Tensor) -> None:
    model = nn.Sequential(nn.GroupNorm(1, 2), nn.Flatten(), nn.Linear(12, 1)).double()
    with pytest.raises(PellucidError, match=r"docs/own-network.md.*method='input-x-gradient'") as caught:
        explain(model, x)
    assert len(str(caught.value)) < 250
    assert explain(model, x, method="input-x-gradient").relevance.shape == x.shape


def test_an_operation_without_a_rule_is_found_in_its_module(x: torch.Tensor) -> None:
    gate = Lambda(lambda m, x: x * torch.sigmoid(x))
    with pytest.raises(PellucidError, match=r"^block\.0 \(Lambda\), mul: lrp-epsilon has no rule for mul"):
        explain(Lambda(lambda m, x: m.block(x).flatten(1), block=nn.Sequential(gate)).double(), x, target=0)


def test_a_subclass_is_not_taken_for_its_parent(x: torch.Tensor) -> None:
    class Squared(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) ** 2

    with pytest.raises(PellucidError, match="no rule for"):
        explain(nn.Sequential(nn.Flatten(), Squared(12, 1)).double(), x)
