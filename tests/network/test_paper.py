from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

import pellucid
from pellucid.ground.errors import InputError
from pellucid.image.grid import PAPER_GRID, Grid, resized
from pellucid.network.paper import PaperNetwork
from pellucid.network.volume_network import fit_input

SMALL = resized(PAPER_GRID, (71, 71, 71))


def _textbook(model: PaperNetwork, x: torch.Tensor) -> torch.Tensor:
    """Return the logit as Eitel 2019's code has it: the whole grid, and each ELU before its pool."""
    for layer, pooled in ((model.conv1, True), (model.conv2, True), (model.conv3, False), (model.conv4, True)):
        x = F.elu(F.conv3d(x, layer.weight.contiguous(), layer.bias))
        x = F.max_pool3d(x, 3) if pooled else x
    return F.linear(x.flatten(1), model.fc.weight, model.fc.bias)[:, 0]


def test_has_the_papers_parameters() -> None:
    model = PaperNetwork()
    assert {name: parameter.numel() for name, parameter in model.named_parameters()} == {
        "conv1.weight": 1728, "conv1.bias": 64,
        "conv2.weight": 110592, "conv2.bias": 64,
        "conv3.weight": 110592, "conv3.bias": 64,
        "conv4.weight": 110592, "conv4.bias": 64,
        "fc.weight": 128, "fc.bias": 1,
    }  # fmt: skip
    assert sum(parameter.numel() for parameter in model.parameters()) == 333_889
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_parameters_come_in_layer_order_weight_first() -> None:
    layers = ("conv1", "conv2", "conv3", "conv4", "fc")
    names = [name for name, _ in PaperNetwork(channels=1).named_parameters()]
    assert names == [f"{layer}.{part}" for layer in layers for part in ("weight", "bias")]


def test_children_stand_in_order() -> None:
    first = ["conv1", "pool1", "elu1", "drop1", "conv2", "pool2", "elu2", "drop2"]
    last = ["conv3", "elu3", "conv4", "pool4", "elu4", "drop4", "flatten", "fc"]
    assert [name for name, _ in PaperNetwork(channels=1).named_children()] == first + last


def test_equals_the_textbook_network_in_logit_and_gradients() -> None:
    model = PaperNetwork(channels=3, seed=4).double().eval()
    for bias in (model.conv1.bias, model.conv2.bias, model.conv3.bias, model.conv4.bias):
        bias.data.normal_(std=0.1, generator=torch.Generator().manual_seed(1))
    x = torch.randn(2, 1, 96, 114, 96, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    ours_x, theirs_x = x.clone().requires_grad_(), x.clone().requires_grad_()
    ours, theirs = model(ours_x), _textbook(model, theirs_x)
    assert ours.shape == (2,)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    weight = torch.tensor([1.0, -2.0], dtype=torch.float64)
    at_ours = torch.autograd.grad((ours * weight).sum(), [ours_x, *model.parameters()])
    at_theirs = torch.autograd.grad((theirs * weight).sum(), [theirs_x, *model.parameters()])
    for one, other in zip(at_ours, at_theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)
    assert not at_ours[0][:, :, 71:].any()


def test_any_input_that_leaves_the_same_cells_has_the_same_logit() -> None:
    model = PaperNetwork(channels=2, seed=0).eval()
    x = torch.randn(1, 1, 97, 124, 97, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits = [
            model(x[..., :i, :j, :k]).item() for i, j, k in ((71, 98, 71), (96, 114, 96), (97, 124, 97), (80, 99, 97))
        ]
    assert len(set(logits)) == 1  # to the last bit


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 1, 70, 98, 71), "1x1x70x98x71 does not fit; X x Y x Z may be 71-97 x 98-124 x 71-97"),
        ((1, 1, 98, 98, 71), "1x1x98x98x71 does not fit"),
        ((96, 114, 96), "96x114x96 is not \\(batch, 1, X, Y, Z\\)"),
        ((1, 2, 96, 114, 96), "1x2x96x114x96 is not \\(batch, 1, X, Y, Z\\)"),
    ],
)
def test_refuses_inputs_that_do_not_fit(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        PaperNetwork(channels=1)(torch.zeros(shape))


def test_head_follows_the_grid() -> None:
    assert PaperNetwork(channels=4, grid=SMALL).fc.weight.shape == (1, 4)
    assert PaperNetwork(channels=4, grid=Grid.of((125, 98, 71), np.eye(4))).cells == (3, 2, 1)
    assert PaperNetwork(channels=4).cells == (1, 2, 1)


@pytest.mark.parametrize("channels", [0, -1, 2.0, True, "64"])
def test_refuses_channels(channels: object) -> None:
    with pytest.raises(InputError, match="is not a positive integer"):
        PaperNetwork(channels=channels)  # type: ignore[arg-type]


def test_refuses_a_grid_that_leaves_no_cell() -> None:
    for shape in ((70, 98, 71), (71, 70, 71), (71, 71, 70), (2, 2, 2)):
        with pytest.raises(InputError, match=r"grid: .* is too small for a PaperNetwork"):
            PaperNetwork(grid=resized(PAPER_GRID, shape))


def test_kernels_are_glorot_uniform_and_biases_zero() -> None:
    model = PaperNetwork(seed=3)
    # Keras: fan_in = taps x channels in, fan_out = taps x channels out.
    limits = {"conv1": 6 / (27 * 65), "conv2": 6 / (27 * 128), "conv4": 6 / (27 * 128), "fc": 6 / 129}
    for name, square in limits.items():
        layer, limit = model.get_submodule(name), math.sqrt(square)
        weight = layer.weight.detach()
        assert not layer.bias.any()
        assert 0.95 * limit < weight.abs().max() <= limit
        assert weight.std().item() == pytest.approx(limit / math.sqrt(3), rel=0.1)


def test_a_seed_decides_the_kernels_and_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(5)
    state = torch.get_rng_state()
    one, same, other = (PaperNetwork(channels=2, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(one.conv2.weight, same.conv2.weight)
    assert not torch.equal(one.conv2.weight, other.conv2.weight)


def test_without_a_seed_the_global_generator_decides() -> None:
    torch.manual_seed(5)
    one = PaperNetwork(channels=2)
    torch.manual_seed(5)
    assert torch.equal(one.conv2.weight, PaperNetwork(channels=2).conv2.weight)


def test_convolutions_work_channels_last() -> None:
    model = PaperNetwork(channels=8, seed=0).eval()
    x = torch.randn(4, 1, 96, 114, 96)
    fitted = fit_input(x, (71, 98, 71), (97, 124, 97), torch.float32)
    assert fitted.stride(1) == 1  # the layout, which is_contiguous cannot tell for one channel
    assert torch.equal(fitted, x[..., :71, :98, :71])
    with torch.no_grad():
        behind = model.drop1(model.elu1(model.pool1(model.conv1(fitted))))
        assert behind.is_contiguous(memory_format=torch.channels_last_3d)
        behind = model.pool2(model.conv2(behind))
        assert behind.is_contiguous(memory_format=torch.channels_last_3d)


def test_dropout_works_in_training_only() -> None:
    model = PaperNetwork(channels=4, grid=SMALL, seed=0)
    x = torch.randn(2, 1, 71, 71, 71)
    torch.manual_seed(0)
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))
    assert [model.get_submodule(name).p for name in ("drop1", "drop2", "drop4")] == [0.3] * 3


def test_a_copy_is_whole() -> None:
    model = PaperNetwork(channels=2, seed=0).eval()
    twin = copy.deepcopy(model)
    x = torch.randn(1, 1, 96, 114, 96)
    assert torch.equal(twin(x), model(x))
    assert twin.grid == model.grid


def test_public_names_are_these() -> None:
    assert pellucid.PaperNetwork is PaperNetwork
    assert pellucid.field_of_view(PaperNetwork(channels=1)).stops == (71, 98, 71)


def test_training_fuses_layers_and_changes_nothing() -> None:
    model = PaperNetwork(2, seed=3).double()
    for layer in model.children():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    for parameter in model.parameters():
        parameter.data += 0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1))
    x = torch.randn((2, 1, 71, 98, 71), dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    logits, gradients = [], []
    for training in (True, False):
        model.train(training)
        logit = model(x)
        logits.append(logit.detach())
        gradients.append(torch.autograd.grad(logit.sum(), list(model.parameters())))
    torch.testing.assert_close(*logits, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-12)
