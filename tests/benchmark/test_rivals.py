"""The rivals: the same numbers by other ways."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pellucid.benchmark import rivals
from pellucid.benchmark.works import Setup, difference, logits, prepare, result_of
from pellucid.ground.errors import InputError
from pellucid.network.paper import PaperNetwork


def setup(entrant: str, work: str = "predict") -> Setup:
    return Setup(work=work, entrant=entrant, channels=3, batch=2, shape=(75, 99, 72))


@pytest.mark.parametrize("name", ["plain", "plain-best", "dense"])
def test_logits_are_ours(name: str) -> None:
    ours, rival = (result_of("predict", prepare(setup(entrant))) for entrant in ("ours", name))
    assert ours.shape == rival.shape == (2,)
    assert float(ours.abs().min()) > 0
    assert difference(ours, rival) < 1e-5


def test_relevance_layer_by_layer_is_ours() -> None:
    ours, rival = (result_of("explain", prepare(setup(name, "explain"))) for name in ("ours", "dense"))
    assert ours.shape == rival.shape == (2, 1, 75, 99, 72)
    assert difference(ours, rival) < 1e-4


def test_gradients_are_ours() -> None:
    gradients = {}
    for name in ("ours", "plain", "plain-best"):
        entrant = prepare(setup(name))
        logits(entrant.model.eval(), entrant.images).sum().backward()
        gradients[name] = [parameter.grad for parameter in entrant.model.parameters()]
    for name in ("plain", "plain-best"):
        for ours, other in zip(gradients["ours"], gradients[name], strict=True):
            assert ours is not None
            assert other is not None
            assert difference(ours, other) < 1e-4


def test_plain_is_written_as_the_paper_orders_it() -> None:
    network = PaperNetwork(channels=2, seed=0)
    model = rivals.plain(network)
    assert type(model) is nn.Sequential
    block = ["Conv3d", "ELU", "MaxPool3d", "Dropout"]
    expected = [*block, *block, "Conv3d", "ELU", *block, "Flatten", "Linear"]
    assert [type(layer).__name__ for layer in model] == expected
    assert all(parameter.is_contiguous() for parameter in model.parameters())
    with torch.no_grad():
        model[0].weight += 1.0  # the entrants share no weights
    assert not torch.equal(model[0].weight, network.conv1.weight)


def test_the_best_of_plain_lies_channels_last_on_what_is_seen() -> None:
    entrant = prepare(setup("plain-best"))
    assert entrant.images.shape == (2, 1, 71, 98, 71)
    for tensor in (entrant.images, *(p for p in entrant.model.parameters() if p.ndim == 5)):
        channels = tensor.shape[1]
        assert tensor.stride(4) == channels
        assert tensor.stride(1) == 1


def test_an_unknown_rival_is_named() -> None:
    with pytest.raises(InputError, match="'fast' is not known"):
        rivals.enter("fast", PaperNetwork(channels=1), torch.zeros((1, 1, 96, 114, 96)))
