from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from pellucid.ground.errors import InputError, PellucidError
from pellucid.image.grid import PAPER_GRID
from pellucid.network.field_of_view import crop, field_of_view, output_shape, windows
from pellucid.network.paper import PaperNetwork

# PyTorch says once that such a convolution is slower.
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same'")

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_MAX_POOLS = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
_AVERAGE_POOLS = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)


@st.composite
def layers(draw: st.DrawFn, axes: int) -> nn.Module:
    kind = draw(st.sampled_from(["convolution", "maximum", "average"]))
    kernel = tuple(draw(st.integers(1, 4)) for _ in range(axes))
    stride = tuple(draw(st.integers(1, 4)) for _ in range(axes))
    if kind == "convolution":
        dilation = tuple(draw(st.integers(1, 3)) for _ in range(axes))
        if draw(st.integers(0, 4)) == 0:
            return _CONVOLUTIONS[axes - 1](1, 1, kernel, padding="same", dilation=dilation, dtype=torch.float64)
        padding = tuple(draw(st.integers(0, 3)) for _ in range(axes))
        return _CONVOLUTIONS[axes - 1](1, 1, kernel, stride, padding, dilation, dtype=torch.float64)
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    ceil = draw(st.booleans())
    if kind == "maximum":
        dilation = tuple(draw(st.integers(1, 3)) for _ in range(axes))
        return _MAX_POOLS[axes - 1](kernel, stride, padding, dilation, ceil_mode=ceil)
    return _AVERAGE_POOLS[axes - 1](kernel, stride, padding, ceil_mode=ceil)


@st.composite
def networks(draw: st.DrawFn, axes: int, longest: int) -> tuple[nn.Sequential, tuple[int, ...]]:
    """A random stack of windows, and the shape of an input that it can read."""
    model = nn.Sequential(*draw(st.lists(layers(axes), min_size=1, max_size=4)))
    shape = tuple(draw(st.integers(1, longest)) for _ in range(axes))
    try:
        output = model(torch.zeros(1, 1, *shape, dtype=torch.float64))
    except RuntimeError:  # too small; a 3D average pool wants a whole window even without its padding
        assume(False)
    assume(bool(output.isfinite().all()))  # a dilated max-pool may read nothing but padding
    return model, shape


def _positive(model: nn.Module) -> None:
    """Make every weight positive, so that a higher input can only raise the output."""
    for parameter in model.parameters():
        parameter.data = torch.rand_like(parameter) + 0.1


@given(case=networks(1, 40))
@settings(max_examples=150)
def test_mask_is_what_perturbing_each_voxel_shows(case: tuple[nn.Sequential, tuple[int]]) -> None:
    model, (n,) = case
    _positive(model)
    x = torch.rand(1, 1, n, dtype=torch.float64)
    perturbed = x + 1e12 * torch.eye(n, dtype=torch.float64)[:, None]
    with torch.no_grad():
        moved = ((model(perturbed) - model(x)).abs() > 1e3).flatten(1).any(dim=1)
    view = field_of_view(model, (n,))
    np.testing.assert_array_equal(view.mask(), moved.numpy())
    assert view.share == moved.double().mean().item()


@given(case=st.integers(1, 3).flatmap(lambda axes: networks(axes, (40, 24, 14)[axes - 1])))
@settings(max_examples=150)
def test_cropping_changes_neither_output_nor_gradient(case: tuple[nn.Sequential, tuple[int, ...]]) -> None:
    model, shape = case
    view = field_of_view(model, shape)
    whole = torch.randn(2, 1, *shape, dtype=torch.float64, requires_grad=True)
    part = crop(whole.detach(), view).clone().requires_grad_()
    assert part.shape[2:] == view.stops
    from_whole, from_part = model(whole), model(part)
    torch.testing.assert_close(from_part, from_whole, rtol=1e-12, atol=1e-12)
    weight = torch.randn_like(from_whole)
    (at_whole,) = torch.autograd.grad((from_whole * weight).sum(), whole)
    (at_part,) = torch.autograd.grad((from_part * weight).sum(), part)
    torch.testing.assert_close(at_part, crop(at_whole, view), rtol=1e-12, atol=1e-12)
    assert at_whole.sum().item() == pytest.approx(at_part.sum().item(), abs=1e-9)  # nothing lies outside the crop


@given(model=st.lists(layers(1), min_size=1, max_size=4).map(lambda found: nn.Sequential(*found)), n=st.integers(1, 30))
@settings(max_examples=200)
def test_output_shape_is_pytorchs(model: nn.Sequential, n: int) -> None:
    try:
        expected = model(torch.zeros(1, 1, n, dtype=torch.float64)).shape[2]
    except RuntimeError:
        expected = 0  # refused
    assert output_shape(model, (n,)) == (expected,)


@given(case=networks(1, 40))
def test_without_padding_the_crop_is_the_last_seen_voxel(case: tuple[nn.Sequential, tuple[int]]) -> None:
    model, shape = case
    assume(all(window.before == window.after == 0 and not window.ceil for (window,) in windows(model)))
    view = field_of_view(model, shape)
    assert view.stops == (view.seen[0][-1] + 1,)


def test_paper_sees_47_percent() -> None:
    view = field_of_view(PaperNetwork(channels=1))
    assert view.shape == PAPER_GRID.shape
    assert view.stops == (71, 98, 71)
    assert view.share == 71 * 98 * 71 / (96 * 114 * 96)
    assert round(view.share, 3) == 0.470
    mask = view.mask()
    assert mask[:71, :98, :71].all()
    assert mask.sum() == math.prod(view.stops)


def test_padded_convolution_before_a_flooring_pool_is_cropped_to_what_counts() -> None:
    # The pool reads 99 of 101 outputs, so position 100 of the input, 0 to 100, is read by none that counts.
    model = nn.Sequential(nn.Conv1d(1, 1, 3, padding=1), nn.MaxPool1d(3))
    assert field_of_view(model, (101,)).stops == (100,)
    assert field_of_view(model, (100,)).stops == (100,)


def test_a_crop_holds_a_whole_window_even_where_padding_would_do() -> None:
    model = nn.AvgPool3d(3, stride=4, padding=1)  # reads positions -1, 0 and 1, but PyTorch refuses 2 voxels
    view = field_of_view(model, (4, 4, 4))
    assert view.seen == ((0, 1),) * 3
    assert view.stops == (3, 3, 3)
    x = torch.rand(1, 1, 4, 4, 4)
    assert torch.equal(model(crop(x, view)), model(x))


def test_gaps_between_windows_are_not_seen() -> None:
    view = field_of_view(nn.Conv1d(1, 1, 1, stride=3), (8,))
    assert view.seen == ((0, 3, 6),)
    assert view.share == 3 / 8


def test_layers_behind_a_flatten_see_all() -> None:
    body = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ELU())
    model = nn.Sequential(body, nn.Flatten(), nn.Linear(2 * 36, 5), nn.Softmax(1))
    assert field_of_view(model, (8, 8)).share == 1.0


def test_adaptive_pool_needs_all_it_is_given() -> None:
    model = nn.Sequential(nn.Conv1d(1, 1, 3, stride=2), nn.AdaptiveAvgPool1d(1))
    x = torch.randn(1, 1, 10)
    view = field_of_view(model, (10,))
    assert view.stops == (9,)
    torch.testing.assert_close(model(crop(x, view)), model(x))


@pytest.mark.parametrize(
    ("model", "shape", "message"),
    [
        (nn.Conv1d(1, 1, 3), (2,), "shape: 2 is too small"),
        (nn.Conv1d(1, 1, 3), (9, 9), "9x9 has 2 axes, the layers are 1D"),
        (nn.Conv1d(1, 1, 3), None, "shape: is missing and Conv1d has no grid"),
    ],
)
def test_refuses(model: nn.Module, shape: Any, message: str) -> None:
    with pytest.raises(PellucidError, match=message):
        field_of_view(model, shape)


def test_too_small_is_an_input_error() -> None:
    with pytest.raises(InputError, match="Give a larger input"):
        field_of_view(PaperNetwork(channels=1), (96, 114, 26))


class Causal(nn.Conv1d):
    """A convolution that reads other voxels than its geometry says."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(nn.functional.pad(x, (2, 0)))


class Skip(nn.Sequential):
    """A sequence whose output also holds its input."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([super().forward(x).flatten(1), x.flatten(1)], 1)


class OwnPool(nn.MaxPool1d):
    """A subclass that changes nothing; nobody can know that."""


class Own(nn.Module):
    """A network of the user's own."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv1d(1, 1, 3, stride=3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x.flip(-1))


def hooked(register: str, hook: Callable[..., Any]) -> nn.Module:
    model = nn.Sequential(nn.Conv1d(1, 1, 3, stride=3), nn.ELU())
    getattr(model[0], register)(hook)
    return model


def replaced() -> nn.Module:
    model = nn.Conv1d(1, 1, 3, stride=3)
    model.forward = lambda x: nn.Conv1d.forward(model, x.flip(-1))
    return model


class OwnPaperNetwork(PaperNetwork):
    """Pellucid's network, given the image from the other end."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return super().forward(input.flip(2))


UNKNOWN: dict[str, nn.Module] = {
    "a subclass of a convolution": nn.Sequential(Causal(1, 1, 3, stride=3), nn.Flatten()),
    "a subclass of a sequence": Skip(nn.Conv1d(1, 1, 3, stride=4)),
    "a subclass of a pool": nn.Sequential(nn.Conv1d(1, 1, 2), OwnPool(3)),
    "a network of the user's own": Own(),
    "a pre-hook": hooked("register_forward_pre_hook", lambda layer, args: (args[0].flip(-1),)),
    "a hook": hooked("register_forward_hook", lambda layer, args, out: out + args[0].sum()),
    "a replaced forward": replaced(),
    "a batch norm by the batch": nn.Sequential(
        nn.Conv1d(1, 1, 3, stride=3), nn.BatchNorm1d(1, track_running_stats=False)
    ).eval(),
    "a group norm": nn.Sequential(nn.Conv1d(1, 1, 3, stride=3), nn.GroupNorm(1, 1)),
    "an instance norm": nn.Sequential(nn.Conv1d(1, 1, 3, stride=3), nn.InstanceNorm1d(1)),
    "a dense layer along the axis": nn.Sequential(nn.Sequential(nn.Linear(10, 1))),
    "another padding": nn.Conv1d(1, 1, 3, padding=1, stride=3, padding_mode="circular"),
    "a transposed convolution": nn.ConvTranspose1d(1, 1, 3),
    "an upsampling": nn.Sequential(nn.Conv1d(1, 1, 3, stride=3), nn.Upsample(scale_factor=2)),
    "a weight that is computed": nn.utils.parametrizations.weight_norm(nn.Conv1d(1, 1, 3, stride=3)),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_has_no_derivation_is_unknown_and_counts_as_seen(name: str) -> None:
    view = field_of_view(UNKNOWN[name], (10,))
    assert not view.known
    assert view.mask().all()
    assert view.stops == (10,)


def test_a_subclass_of_the_paper_s_network_with_a_forward_of_its_own_is_unknown() -> None:
    assert field_of_view(OwnPaperNetwork(channels=1)).known is False
    assert field_of_view(PaperNetwork(channels=1)).known


def test_global_hooks_make_every_view_unknown() -> None:
    handle = nn.modules.module.register_module_forward_pre_hook(lambda module, args: args)
    try:
        assert not field_of_view(nn.Conv1d(1, 1, 3), (9,)).known
    finally:
        handle.remove()
    assert field_of_view(nn.Conv1d(1, 1, 3), (9,)).known


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.Sequential(nn.GroupNorm(1, 1)), "Layer 0 \\(GroupNorm\\) has no known"),
        (nn.Conv1d(1, 1, 3, padding=1, padding_mode="circular"), "pads with 'circular'"),
    ],
)
def test_windows_name_the_layer_that_is_not_known(layer: nn.Module, message: str) -> None:
    with pytest.raises(PellucidError, match=message):
        windows(layer)
