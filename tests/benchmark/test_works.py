"""The works: what they do, and the arithmetic that they need."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pellucid.benchmark.works import Setup, call_of, difference, gflop, prepare
from pellucid.network.paper import PaperNetwork


def small(work: str, entrant: str = "ours") -> Setup:
    return Setup(work=work, entrant=entrant, channels=2, batch=2, shape=(71, 98, 71))


def test_arithmetic_of_the_papers_network() -> None:
    assert gflop(PaperNetwork()) == pytest.approx(4.6, abs=0.05)


def test_arithmetic_is_what_the_layers_do() -> None:
    """The slow twin: count the outputs of a run on what is seen, each of so many multiply-adds."""
    network = PaperNetwork(channels=3, seed=0)
    operations = 0
    x = torch.zeros((1, 1, 71, 98, 71))
    for layer in network.children():
        x = layer(x)
        if isinstance(layer, nn.Conv3d | nn.Linear):
            operations += 2 * x.numel() * layer.weight[0].numel()
    assert gflop(network) == pytest.approx(operations / 1e9, rel=1e-12)


@pytest.mark.parametrize("entrant", ["ours", "plain", "plain-best"])
def test_a_training_step_moves_every_weight(entrant: str) -> None:
    ready = prepare(small("train", entrant))
    before = [parameter.detach().clone() for parameter in ready.model.parameters()]
    loss = call_of("train", ready)()
    assert loss.shape == ()
    assert ready.model.training
    for old, new in zip(before, ready.model.parameters(), strict=True):
        assert not torch.equal(old, new)


def test_a_prediction_drops_nothing_and_keeps_no_graph() -> None:
    call = call_of("predict", prepare(small("predict")))
    first, second = call(), call()
    assert torch.equal(first, second)
    assert not first.requires_grad


def test_difference_is_relative_to_the_greatest() -> None:
    assert difference(torch.tensor([1.0, -4.0]), torch.tensor([1.0, -3.0])) == 0.25
