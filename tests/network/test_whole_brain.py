from __future__ import annotations

from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import pellucid
from pellucid.ground.errors import InputError
from pellucid.image.grid import PAPER_GRID, resized
from pellucid.network import fused_functions
from pellucid.network.field_of_view import field_of_view
from pellucid.network.paper import PaperNetwork
from pellucid.network.whole_brain import WholeBrainNetwork

Shape = tuple[int, int, int]

SMALL = resized(PAPER_GRID, (54, 57, 60))
SHAPES = [(54, 57, 60), (71, 98, 71), (96, 114, 96), (85, 80, 109)]  # last pools of halves and of thirds

shapes = st.tuples(*[st.integers(71, 110)] * 3)


def perturbed(shape: Shape, channels: int, *, seed: int = 0) -> WholeBrainNetwork:
    """Return a network in float64 with biases that are not 0."""
    model = WholeBrainNetwork(channels, resized(PAPER_GRID, shape), seed=seed).double().eval()
    generator = torch.Generator().manual_seed(seed + 1)
    for layer in (model.conv1, model.conv2, model.conv3, model.conv4):
        nn.init.normal_(layer.bias, std=0.1, generator=generator)
    return model


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_has_about_the_papers_parameters() -> None:
    model = WholeBrainNetwork()
    assert {name: parameter.numel() for name, parameter in model.named_parameters()} == {
        "conv1.weight": 1728, "conv1.bias": 64,
        "conv2.weight": 110592, "conv2.bias": 64,
        "conv3.weight": 110592, "conv3.bias": 64,
        "conv4.weight": 110592, "conv4.bias": 64,
        "fc.weight": 512, "fc.bias": 1,
    }  # fmt: skip
    assert sum(parameter.numel() for parameter in model.parameters()) == 334_273 <= 350_000
    assert model.cells == (2, 2, 2)


def test_layers_and_names_are_those_of_the_papers_network() -> None:
    paper, ours = PaperNetwork(1), WholeBrainNetwork(1)
    assert [(name, type(layer)) for name, layer in ours.named_children()] == [
        (name, type(layer)) for name, layer in paper.named_children()
    ]
    assert list(ours.state_dict()) == list(paper.state_dict())


def test_the_shapes_on_the_papers_grid_are_as_documented() -> None:
    model, seen = WholeBrainNetwork(1).eval(), {}
    x = torch.zeros(1, 1, 96, 114, 96)
    for name, layer in model.named_children():
        x = layer(x)
        seen[name] = tuple(x.shape[2:])
    documented = {
        "conv1": (96, 114, 96), "pool1": (32, 38, 32), "conv2": (30, 36, 30), "pool2": (10, 12, 10),
        "conv3": (10, 12, 10), "conv4": (10, 12, 10), "pool4": (2, 2, 2),
    }  # fmt: skip
    assert {name: seen[name] for name in documented} == documented


def check_geometry(shape: Shape) -> None:
    model = WholeBrainNetwork(1, resized(PAPER_GRID, shape), seed=0)
    view = field_of_view(model)
    assert view.share == 1.0
    assert view.stops == shape
    assert set(model.cells) <= {2, 3}
    assert model.fc.weight.shape == (1, model.cells[0] * model.cells[1] * model.cells[2])
    lengths = shape
    for layer in model.children():
        if isinstance(layer, nn.Conv3d):
            assert max(layer.padding) <= 2
            lengths = tuple(n + 2 * p - 2 for n, p in zip(lengths, layer.padding, strict=True))
        if isinstance(layer, nn.MaxPool3d):
            assert min(layer.kernel_size) >= 3
            assert [n % size for n, size in zip(lengths, layer.kernel_size, strict=True)] == [0, 0, 0]
            lengths = tuple(n // size for n, size in zip(lengths, layer.kernel_size, strict=True))
    assert lengths == model.cells


@given(shapes)
def test_every_voxel_is_seen_and_no_pool_drops_a_position(shape: Shape) -> None:
    check_geometry(shape)


def test_from_54_voxels_on_every_length_works() -> None:
    for n in range(54, 200, 3):
        check_geometry((n, n + 1, n + 2))


@pytest.mark.parametrize("shape", SHAPES)
def test_without_winners_and_signs_every_voxel_moves_the_logit(shape: Shape) -> None:
    """With means for maxima and kernels of ones nothing cancels: a gradient of 0 would be a voxel out of reach."""
    model = WholeBrainNetwork(1, resized(PAPER_GRID, shape), seed=0).double().eval()
    layers = [nn.AvgPool3d(layer.kernel_size) if isinstance(layer, nn.MaxPool3d) else layer for layer in model]
    for parameter in model.parameters():
        parameter.data.fill_(1.0)
    x = torch.rand(1, 1, *shape, dtype=torch.float64).requires_grad_()
    (gradient,) = torch.autograd.grad(nn.Sequential(*layers)(x).sum(), x)
    assert gradient.min() > 0


@pytest.mark.parametrize("shape", [SHAPES[0], SHAPES[2]])
def test_corners_move_the_logit(shape: Shape) -> None:
    corners = list(product(*((0, n - 1) for n in shape)))
    found = set()
    for seed in range(5):
        model = perturbed(shape, 2, seed=seed)
        x = 0.01 * drawn(1, 1, *shape, seed=seed)
        for i, j, k in corners:  # bright corners win the maxima
            x[0, 0, i, j, k] = 10.0
        (gradient,) = torch.autograd.grad(model(x.requires_grad_()).sum(), x)
        found |= {corner for corner in corners if gradient[0, 0][corner] != 0}
        if len(found) == 8:
            break
    assert len(found) == 8


@pytest.mark.parametrize("shape", [(54, 57, 60), (63, 55, 54)])
def test_fused_layers_change_nothing(shape: Shape, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused_functions, "_LEAST_WORK", 0)
    model = perturbed(shape, 3).train()
    for layer in model.children():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    x = drawn(2, 1, *shape).requires_grad_()
    z = x
    for layer in model.children():
        z = layer(z)
    assert model.paths(x.detach()) | {"conv3": ""} == {
        "conv1": "fused", "conv2": "fused", "conv3": "", "conv4": "fused",
    }  # fmt: skip
    logit = model(x)
    torch.testing.assert_close(logit, z[:, 0], rtol=1e-12, atol=1e-12)
    asked = [x, *model.parameters()]
    ours, theirs = (torch.autograd.grad((y * torch.tensor([1.0, -2.0])).sum(), asked) for y in (logit, z[:, 0]))
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


def test_a_training_step_lowers_the_loss() -> None:
    model, x = WholeBrainNetwork(4, SMALL, seed=0), drawn(2, 1, *SMALL.shape).float()
    target = torch.tensor([0.0, 1.0])
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-3)

    def loss() -> torch.Tensor:
        torch.manual_seed(0)  # the same dropout
        return nn.functional.binary_cross_entropy_with_logits(model(x), target)

    before = loss()
    before.backward()
    assert all(bool(parameter.grad.any()) for parameter in model.parameters())
    optimiser.step()
    assert loss() < before


@pytest.mark.parametrize("shape", [(95, 114, 96), (97, 114, 96), (71, 98, 71)])
def test_takes_the_grids_shape_and_no_other(shape: Shape) -> None:
    with pytest.raises(InputError, match="does not fit; X x Y x Z may be 96 x 114 x 96"):
        WholeBrainNetwork(1)(torch.zeros(1, 1, *shape))


@pytest.mark.parametrize("shape", [(53, 96, 96), (96, 53, 96), (96, 96, 2)])
def test_refuses_a_grid_that_is_too_small(shape: Shape) -> None:
    with pytest.raises(InputError, match=r"grid: .* is too small for a WholeBrainNetwork. Give at least 54 voxels"):
        WholeBrainNetwork(1, resized(PAPER_GRID, shape))


def test_refuses_channels() -> None:
    with pytest.raises(InputError, match="is not a positive integer"):
        WholeBrainNetwork(0)


def test_a_seed_decides_the_kernels_and_leaves_the_global_generator_alone() -> None:
    state = torch.get_rng_state()
    one, same, other = (WholeBrainNetwork(2, SMALL, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    for name, value in one.state_dict().items():
        assert torch.equal(value, same.state_dict()[name])
        assert "bias" in name or not torch.equal(value, other.state_dict()[name])
    assert torch.equal(one.conv4.weight, PaperNetwork(2, seed=1).conv4.weight)


def test_a_state_dict_goes_from_one_to_another() -> None:
    one, other = (WholeBrainNetwork(2, SMALL, seed=seed).eval() for seed in (1, 2))
    other.load_state_dict(one.state_dict())
    x = drawn(1, 1, *SMALL.shape).float()
    assert torch.equal(one(x), other(x))


def test_relevance_reaches_the_edges_and_balances() -> None:
    model, x = perturbed(SMALL.shape, 2), drawn(1, 1, *SMALL.shape)
    result = pellucid.explain(model, x)
    assert [entry.layer for entry in result.ledger] == ["conv1", "conv2", "conv3", "conv4", "fc"]
    absorbed = sum(entry.absorbed_bias + entry.absorbed_epsilon for entry in result.ledger)
    torch.testing.assert_close(result.relevance.sum() + absorbed[0], result.logit[0])
    # A hook makes every layer run by itself, the zeros around it included.
    for layer in model.children():
        layer.register_forward_hook(lambda *_: None)
    torch.testing.assert_close(pellucid.explain(model, x).relevance, result.relevance, rtol=1e-8, atol=1e-12)


def test_public_name() -> None:
    assert pellucid.WholeBrainNetwork is WholeBrainNetwork
