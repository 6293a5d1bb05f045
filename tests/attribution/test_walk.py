"""The walk against a slow twin that writes every layer as a matrix, and the laws that relevance obeys."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.attribution.networks import (
    AVERAGE_POOLS,
    BATCH_NORMS,
    CONVOLUTIONS,
    LAYERS,
    MAX_POOLS,
    TRANSPOSED,
    Case,
    networks,
)
from torch import nn

from pellucid.attribution import fusing
from pellucid.attribution.explain import explain
from pellucid.attribution.result import LedgerEntry
from pellucid.image.grid import PAPER_GRID, resized
from pellucid.network import fused, fused_functions
from pellucid.network.field_of_view import crop, field_of_view
from pellucid.network.fused import FusedSequential
from pellucid.network.paper import PaperNetwork

# --- the slow twin ------------------------------------------------------------------------------------------------


def _matrix(layer: nn.Module, a: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Write an affine layer as W: (outputs, inputs) and b: (outputs,), by asking it for every unit vector."""
    units = torch.eye(a.numel(), dtype=torch.float64).reshape(a.numel(), *a.shape)
    with torch.no_grad():
        b = layer(torch.zeros_like(a)[None])[0].flatten()
        return (layer(units).flatten(1) - b).T, b


def _winners(pool: nn.Module, a: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """Return the flat index of the first greatest value of each window of a: (C, ...), by looking at each in turn."""
    axes = a.ndim - 1
    index = torch.arange(a.numel()).reshape(a.shape)
    winners = torch.empty(shape, dtype=torch.long)
    for place in itertools.product(*(range(n) for n in shape)):
        best = None
        for tap in itertools.product(range(pool.kernel_size), repeat=axes):
            at = [p * pool.stride - pool.padding + t * pool.dilation for p, t in zip(place[1:], tap, strict=True)]
            if any(not 0 <= i < n for i, n in zip(at, a.shape[1:], strict=True)):
                continue
            here = (place[0], *at)
            if best is None or a[here] > a[best]:
                best = here
        assert best is not None
        winners[place] = index[best]
    return winners


def _twin(model: nn.Sequential, x: torch.Tensor, epsilon: float) -> tuple[torch.Tensor, list[tuple[float, ...]]]:
    """Return the map of one item x: (C, ...), and relevance out, in and absorbed of each affine layer."""
    activations = [x]
    with torch.no_grad():
        for layer in model:
            activations.append(layer(activations[-1][None].clone())[0])
    relevance, ledger = activations[-1], []
    for layer, a, z in zip(reversed(model), reversed(activations[:-1]), reversed(activations[1:]), strict=True):
        if isinstance(layer, MAX_POOLS):
            winners = _winners(layer, a, z.shape)
            back = torch.zeros(a.numel(), dtype=torch.float64)
            for winner, value in zip(winners.flatten().tolist(), relevance.flatten(), strict=True):
                back[winner] += value
            relevance = back.reshape(a.shape)
        elif isinstance(layer, (nn.Linear, *CONVOLUTIONS, *TRANSPOSED, *AVERAGE_POOLS, *BATCH_NORMS)):
            weight, bias = _matrix(layer, a)
            z = weight @ a.flatten() + bias
            sign = torch.where(z >= 0, 1.0, -1.0).double()
            quotient = relevance.flatten() / (z + epsilon * sign)
            below = a.flatten() * (weight.T @ quotient)
            ledger.append(
                (
                    relevance.sum().item(),
                    below.sum().item(),
                    (quotient @ bias).item(),
                    epsilon * (quotient @ sign).item(),
                )
            )
            relevance = below.reshape(a.shape)
        else:
            relevance = relevance.reshape(a.shape)
    return relevance, ledger[::-1]


# --- the laws -----------------------------------------------------------------------------------------------------


def _imbalance(entry: LedgerEntry) -> torch.Tensor:
    return entry.relevance_out - entry.relevance_in - entry.absorbed_bias - entry.absorbed_epsilon


@given(case=networks(kinds=LAYERS), epsilon=st.sampled_from([1e-3, 1e-1]))
@settings(max_examples=60, derandomize=False, print_blob=True)
def test_equals_the_matrix_form(case: Case, epsilon: float) -> None:
    model, x, _ = case
    result = explain(model, x, epsilon=epsilon)
    for b in range(len(x)):
        relevance, ledger = _twin(model, x[b], epsilon)
        scale = max(1.0, relevance.abs().max().item())
        torch.testing.assert_close(result.relevance[b], relevance, rtol=1e-6, atol=1e-8 * scale)
        assert len(result.ledger) == len(ledger)
        for entry, slow in zip(result.ledger, ledger, strict=True):
            fast = (entry.relevance_out, entry.relevance_in, entry.absorbed_bias, entry.absorbed_epsilon)
            for one, other in zip(fast, slow, strict=True):
                assert one[b].item() == pytest.approx(other, rel=1e-6, abs=1e-8 * scale)


@given(case=networks(kinds=LAYERS))
@settings(max_examples=100, derandomize=False, print_blob=True)
def test_ledger_balances_in_every_layer(case: Case) -> None:
    model, x, _ = case
    result = explain(model, x)
    assert [entry.layer for entry in result.ledger] == [
        name
        for name, layer in model.named_children()
        if isinstance(layer, (nn.Linear, *CONVOLUTIONS, *TRANSPOSED, *AVERAGE_POOLS, *BATCH_NORMS))
    ]
    # The sums may cancel, so what counts is rounding of the terms themselves.
    size = max(1.0, result.relevance.abs().sum().item())
    for entry in result.ledger:
        parts = entry.relevance_in.abs() + entry.absorbed_bias.abs() + entry.absorbed_epsilon.abs()
        assert (_imbalance(entry).abs() <= 1e-10 * (size + parts)).all()
    torch.testing.assert_close(result.ledger[-1].relevance_out, result.logit)
    torch.testing.assert_close(result.ledger[0].relevance_in, result.relevance.flatten(1).sum(1))
    for below, above in itertools.pairwise(result.ledger):
        torch.testing.assert_close(below.relevance_out, above.relevance_in, rtol=1e-9, atol=1e-10 * size)


@given(case=networks(), method=st.sampled_from(["lrp-epsilon", "gradient", "input-x-gradient"]))
@settings(max_examples=60, derandomize=False, print_blob=True)
def test_a_map_does_not_depend_on_its_batch(case: Case, method: str) -> None:
    model, x, units = case
    together = explain(model, torch.cat([x, 3 * x]), method=method, target=2 * units).relevance
    for b, item in enumerate([*x, *(3 * x)]):
        alone = explain(model, item[None], method=method, target=units[b % len(x)]).relevance[0]
        torch.testing.assert_close(together[b], alone, rtol=1e-10, atol=1e-10 * max(1.0, alone.abs().max().item()))


@given(case=networks(kinds=("convolution", "maximum", "average", "activation")))
@settings(max_examples=60, derandomize=False, print_blob=True)
def test_cropping_does_not_change_relevance(case: Case) -> None:
    model, x, _ = case
    padding = [n for size in reversed(x.shape[2:]) for n in (0, size % 3)]
    wider = torch.nn.functional.pad(x, padding, value=0.5)
    # A head for the wider input, so that there is something to crop.
    values = model[:-1](wider)
    wide = nn.Sequential(*model[:-1], nn.Linear(values.shape[1], 1).double())
    view = field_of_view(wide, tuple(wider.shape[2:]))
    whole, part = explain(wide, wider), explain(wide, crop(wider, view).clone())
    scale = max(1.0, whole.relevance.abs().max().item())
    torch.testing.assert_close(part.logit, whole.logit, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(part.relevance, crop(whole.relevance, view), rtol=1e-8, atol=1e-10 * scale)
    assert not whole.relevance[:, :, ~torch.from_numpy(view.mask())].any()


@given(
    case=networks(kinds=("convolution", "transposed", "average", "norm"), bias=False),
    method=st.just("input-x-gradient"),
)
@settings(max_examples=40, derandomize=False, print_blob=True)
def test_linear_networks_without_bias_give_input_x_gradient(case: Case, method: str) -> None:
    model, x, _ = case
    result = explain(model, x, epsilon=1e-14)
    reference = explain(model, x, method=method).relevance
    # Where a layer's sum nearly cancels, epsilon is not small beside it.
    with torch.no_grad():
        values, smallest = x, 1.0
        for layer in model:
            values = layer(values)
            nonzero = values[values != 0].abs()
            smallest = min(smallest, nonzero.min().item() if len(nonzero) else 1.0)
    assume(smallest > 1e-5)
    scale = max(1.0, reference.abs().max().item())
    torch.testing.assert_close(result.relevance, reference, rtol=1e-6, atol=1e-7 * scale)
    torch.testing.assert_close(result.relevance.flatten(1).sum(1), result.logit, rtol=1e-6, atol=1e-6)


@given(axes=st.integers(1, 3), seed=st.integers(0, 10**6), data=st.data())
@settings(max_examples=30, derandomize=False, print_blob=True)
def test_permuting_channels_consistently_changes_nothing(axes: int, seed: int, data: st.DataObject) -> None:
    torch.manual_seed(seed)
    convolution, pool = CONVOLUTIONS[axes - 1], MAX_POOLS[axes - 1]
    x = torch.randn(2, 1, *(8,) * axes, dtype=torch.float64)
    body = nn.Sequential(convolution(1, 4, 3), pool(2), nn.ELU(), convolution(4, 3, 2), nn.ELU(), nn.Flatten())
    model = nn.Sequential(*body, nn.Linear(3 * 2**axes, 1)).double()
    first = torch.tensor(data.draw(st.permutations(range(4))))
    second = torch.tensor(data.draw(st.permutations(range(3))))
    before = explain(model, x)
    with torch.no_grad():
        for convolution_, order in ((model[0], first), (model[3], second)):
            convolution_.weight.copy_(convolution_.weight[order])
            convolution_.bias.copy_(convolution_.bias[order])
        model[3].weight.copy_(model[3].weight[:, first])
        model[6].weight.copy_(model[6].weight.reshape(3, -1)[second].reshape(1, -1))
    after = explain(model, x)
    torch.testing.assert_close(after.logit, before.logit, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(after.relevance, before.relevance, rtol=1e-8, atol=1e-10)
    for one, other in zip(after.ledger, before.ledger, strict=True):
        torch.testing.assert_close(one.absorbed_bias, other.absorbed_bias, rtol=1e-8, atol=1e-10)


# --- single cases -------------------------------------------------------------------------------------------------


def test_three_neurons_by_hand() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1)).double()
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0, 2.0], [0.0, -1.0]]))
        model[0].bias.copy_(torch.tensor([1.0, 0.5]))
        model[2].weight.copy_(torch.tensor([[2.0, 7.0]]))
        model[2].bias.copy_(torch.tensor([-1.0]))
    x = torch.tensor([[1.0, 1.0]], dtype=torch.float64)
    # Hidden: z = (4, -0.5), so a = (4, 0); logit = 2 * 4 - 1 = 7.
    result = explain(model, x, epsilon=1.0)
    assert result.logit.item() == 7
    hidden = 4 * 2 * 7 / (7 + 1)  # 7, of the logit's 7: the bias took -7/8 of it, epsilon 7/8
    torch.testing.assert_close(result.relevance, torch.tensor([[1.0, 2.0]], dtype=torch.float64) * hidden / (4 + 1))
    first, last = result.ledger
    assert (last.absorbed_bias.item(), last.absorbed_epsilon.item()) == (-7 / 8, 7 / 8)
    assert (first.relevance_out.item(), first.relevance_in.item()) == (7, pytest.approx(4.2))
    assert (first.absorbed_bias.item(), first.absorbed_epsilon.item()) == pytest.approx((1.4, 1.4))


def test_a_pool_merged_into_its_convolution_equals_one_apart() -> None:
    torch.manual_seed(0)
    convolution, pool = nn.Conv2d(1, 3, 3), nn.MaxPool2d(3, stride=2, padding=1)  # windows overlap
    head = nn.Sequential(nn.ELU(), nn.Flatten(), nn.Linear(3 * 16, 1))
    x = torch.randn(2, 1, 10, 10, dtype=torch.float64)
    merged = explain(nn.Sequential(convolution, pool, *head).double(), x)
    apart = explain(nn.Sequential(convolution, nn.Identity(), pool, *head).double(), x)
    torch.testing.assert_close(merged.relevance, apart.relevance, rtol=1e-10, atol=1e-12)
    for one, other in zip(merged.ledger, apart.ledger, strict=True):
        torch.testing.assert_close(one.absorbed_bias, other.absorbed_bias, rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(one.absorbed_epsilon, other.absorbed_epsilon, rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(one.relevance_out, other.relevance_out, rtol=1e-10, atol=1e-12)


def test_the_sign_of_zero_is_plus() -> None:
    model = nn.Sequential(nn.Linear(2, 1, bias=False), nn.Softplus(), nn.Linear(1, 1, bias=False)).double()
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[3.0, -3.0]]))
        model[2].weight.fill_(1.0)
    # z = 3 - 3 = 0, so its quotient is R / +epsilon.
    result = explain(model, torch.ones(1, 2, dtype=torch.float64), epsilon=0.5)
    logit = result.logit.item()
    at_hidden = logit * logit / (logit + 0.5)
    expected = torch.tensor([[3.0, -3.0]], dtype=torch.float64) * at_hidden / 0.5
    torch.testing.assert_close(result.relevance, expected)


def test_a_pool_whose_convolution_has_another_reader_stands_apart() -> None:
    class Skip(nn.Module):
        def __init__(self, between: nn.Module) -> None:
            super().__init__()
            self.convolution, self.between, self.pool = nn.Conv1d(1, 2, 3), between, nn.MaxPool1d(2)
            self.head = nn.Linear(2 * 8 + 2 * 4, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            z = self.convolution(x)
            return self.head(torch.cat([self.pool(self.between(z)).flatten(1), z.flatten(1)], dim=1))

    torch.manual_seed(0)
    x = torch.randn(2, 1, 10, dtype=torch.float64)
    model = Skip(nn.Sequential()).double()  # nothing between
    apart = Skip(nn.Identity()).double()
    apart.load_state_dict(model.state_dict())
    one, other = explain(model, x), explain(apart, x)
    torch.testing.assert_close(one.relevance, other.relevance, rtol=1e-10, atol=1e-12)
    assert [entry.layer for entry in one.ledger] == ["convolution", "head"]
    torch.testing.assert_close(one.ledger[0].relevance_in, one.relevance.sum((1, 2)))


def test_a_pool_behind_a_dense_layer_keeps_the_ledger() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 6), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(6, 1)).double()
    result = explain(model, torch.randn(2, 2, 6, dtype=torch.float64))
    for entry in result.ledger:
        torch.testing.assert_close(_imbalance(entry), torch.zeros(2, dtype=torch.float64), rtol=0, atol=1e-12)
        assert entry.absorbed_bias.abs().min() > 1e-6


def test_zeros_and_padding_get_no_relevance() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv1d(1, 3, 5, padding=4), nn.ELU(), nn.Flatten(), nn.Linear(3 * 12, 1)).double()
    x = torch.zeros(1, 1, 8, dtype=torch.float64)
    x[..., 3:5] = 1.0
    result = explain(model, x)
    assert result.relevance[x == 0].eq(0).all()
    assert result.relevance[x != 0].ne(0).all()
    torch.testing.assert_close(result.ledger[0].relevance_in, result.relevance.sum((1, 2)))


def test_paper_network_explains_only_what_it_sees() -> None:
    model = PaperNetwork(channels=2, seed=0).double()
    for bias in (model.conv1.bias, model.conv3.bias, model.fc.bias):
        nn.init.normal_(bias, std=0.1)
    x = torch.randn(1, 1, 96, 114, 96, dtype=torch.float64)
    whole = explain(model, x)
    view = field_of_view(model)
    part = explain(model, crop(x, view).clone())
    assert torch.equal(crop(whole.relevance, view), part.relevance)
    assert not whole.relevance[0, 0][~torch.from_numpy(view.mask())].any()
    assert [entry.layer for entry in whole.ledger] == ["conv1", "conv2", "conv3", "conv4", "fc"]
    for entry in whole.ledger:
        assert _imbalance(entry).abs().item() <= 1e-10 * whole.relevance.abs().sum().item()


def test_paper_network_in_float32_balances_to_its_rounding() -> None:
    model = PaperNetwork(channels=4, grid=resized(PAPER_GRID, (71, 71, 71)), seed=0)
    result = explain(model, torch.rand(2, 1, 71, 71, 71))
    assert result.relevance.dtype == torch.float32
    for entry in result.ledger:
        assert entry.absorbed_bias.dtype == torch.float64
        assert (_imbalance(entry).abs() <= 1e-5 * result.relevance.abs().sum()).all()


@pytest.mark.parametrize("method", ["lrp-epsilon", "gradient", "input-x-gradient"])
@pytest.mark.parametrize("kind", [torch.float64, torch.float32])
@pytest.mark.parametrize("first", ["pool", "activation"])
def test_fused_layers_give_the_maps_of_layers_one_by_one(
    method: str, kind: torch.dtype, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fused_functions, "_LEAST_WORK", 0)
    pairs = [[nn.MaxPool3d(3), nn.ELU()], [nn.MaxPool3d(2), nn.ReLU()]]
    if first == "activation":
        pairs = [pair[::-1] for pair in pairs]
    layers = [
        nn.Conv3d(1, 5, 3, padding=1), *pairs[0], nn.Dropout(0.3),
        nn.Conv3d(5, 4, 2), *pairs[1], nn.Flatten(), nn.LazyLinear(1),
    ]  # fmt: skip
    torch.manual_seed(0)
    model, x = FusedSequential(*layers), torch.randn(2, 1, 16, 15, 17)
    model(x)
    model, x = model.to(kind), x.to(kind)
    assert list(model.paths(x).values()) == ["fused", "fused"]
    found = explain(model, x, method=method)
    for module in (fusing, fused):
        monkeypatch.setattr(module, "obstacle", lambda *_: "a test")
    expected = explain(model, x, method=method)
    names = list(model.paths(x))
    if method == "lrp-epsilon":
        assert found.paths == dict.fromkeys(names, "fused")
        assert expected.paths == dict.fromkeys(names, "layer by layer: a test")
    else:
        assert found.paths == expected.paths == {}
    tolerance = 1e-10 if kind is torch.float64 else 1e-5
    largest = float(expected.relevance.abs().max())
    torch.testing.assert_close(found.relevance, expected.relevance, rtol=0, atol=tolerance * largest)
    torch.testing.assert_close(found.logit, expected.logit)
    assert [entry.layer for entry in found.ledger] == [entry.layer for entry in expected.ledger]
    for one, two in zip(found.ledger, expected.ledger, strict=True):
        torch.testing.assert_close(one.absorbed_bias, two.absorbed_bias, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("behind", "why"),
    [
        ([nn.Tanh(), nn.MaxPool3d(2)], "Tanh may make values equal that the pool chooses among"),
        ([nn.ELU(), nn.Dropout(), nn.MaxPool3d(2)], "no max-pool follows"),
        ([nn.MaxPool3d(3, stride=2)], "the pool's windows overlap or leave gaps"),
    ],
)
def test_why_a_convolution_is_not_fused_is_told(
    behind: list[nn.Module], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fused_functions, "_LEAST_WORK", 0)
    model = nn.Sequential(nn.Conv3d(1, 2, 2), *behind, nn.Flatten())
    assert explain(model, torch.randn(2, 1, 6, 6, 6), target=0).paths == {"0": f"layer by layer: {why}"}


def test_a_convolution_in_two_dimensions_has_no_kernel() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 2), nn.MaxPool2d(2), nn.Flatten())
    assert explain(model, torch.randn(1, 1, 6, 6), target=0).paths == {"0": "layer by layer: Conv2d has no kernel"}


def test_who_watches_an_activation_sees_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused_functions, "_LEAST_WORK", 0)
    model = nn.Sequential(nn.Conv3d(1, 2, 2), nn.ELU(), nn.MaxPool3d(2), nn.Flatten())
    x, seen = torch.randn(1, 1, 5, 5, 5), []
    quick = explain(model, x, target=0)
    model[1].register_forward_hook(lambda *arguments: seen.append(arguments[2].shape))
    slow = explain(model, x, target=0)
    assert set(seen) == {(1, 2, 4, 4, 4)}
    assert quick.paths["0"] == "fused"
    assert slow.paths["0"].startswith("layer by layer")
    torch.testing.assert_close(quick.relevance, slow.relevance)


def test_a_convolution_that_does_not_depend_on_the_input_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused_functions, "_LEAST_WORK", 0)

    class WithConstant(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("constant", torch.ones(1, 1, 6, 6, 6))
            self.convolution, self.pool = nn.Conv3d(1, 1, 3), nn.MaxPool3d(2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.flatten(x + self.pool(self.convolution(self.constant)), 1)

    model, x = WithConstant(), torch.randn(1, 1, 2, 2, 2)
    result = explain(model, x, target=0)
    assert result.relevance.shape == x.shape
    assert torch.count_nonzero(result.relevance) == 1
