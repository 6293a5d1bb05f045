"""Layers run in one kernel only where the map is that of the layers one by one."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import nn

from pellucid.attribution.explain import explain
from pellucid.attribution.result import Explanation
from pellucid.network import fused_functions


@pytest.fixture(autouse=True)
def _always_enough_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused_functions, "_LEAST_WORK", 0)
    torch.manual_seed(0)


def _both(*layers: nn.Module, x: torch.Tensor) -> tuple[Explanation, Explanation]:
    """Explain layers as they are, and watched, so that each runs by itself."""
    with torch.no_grad():
        width = nn.Sequential(*layers).to(x.dtype)(x).flatten(1).shape[1]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(width, 1)).to(x.dtype)
    watched = deepcopy(model)
    for layer in watched:
        layer.register_forward_hook(lambda *_: None)
    one, other = explain(model, x), explain(watched, x)
    assert other.paths["0"].startswith("layer by layer")
    return one, other


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.ELU(), nn.SELU(), nn.CELU(2.0), nn.Softplus(), nn.Identity()])
@pytest.mark.parametrize(
    "behind",
    [
        [nn.Sigmoid()], [nn.Softplus()], [nn.Hardsigmoid()], [nn.LogSigmoid()], [nn.Hardtanh(0.5, 2.0)],
        [nn.Dropout(), nn.Sigmoid()], [nn.MaxPool3d(2), nn.Sigmoid()], [nn.Tanh(), nn.Softplus()],
        [], [nn.Tanh()], [nn.Conv3d(5, 2, 2)], [nn.Dropout(), nn.Hardtanh()], [nn.BatchNorm3d(5).eval(), nn.Sigmoid()],
    ],
)  # fmt: skip
def test_what_follows_the_pool_decides(activation: nn.Module, behind: list[nn.Module]) -> None:
    x = torch.rand(1, 1, 16, 15, 17, dtype=torch.float64)
    one, other = _both(nn.Conv3d(1, 5, 3), activation, nn.MaxPool3d(3), *behind, x=x)
    largest = float(other.relevance.abs().max())
    torch.testing.assert_close(one.relevance, other.relevance, rtol=0, atol=1e-10 * largest)
    floored = isinstance(activation, nn.ReLU)
    revealing = any(isinstance(layer, (nn.Sigmoid, nn.Softplus, nn.Hardsigmoid, nn.LogSigmoid)) for layer in behind)
    if floored and revealing and not any(isinstance(layer, nn.BatchNorm3d) for layer in behind):
        assert "gives them relevance" in one.paths["0"]
    if not behind and not isinstance(activation, nn.Softplus):  # which float64 sees fall at its threshold
        assert one.paths["0"] == "fused"


@pytest.mark.parametrize("scale", [1, 50, 255, 1000])
@pytest.mark.parametrize("activation", [nn.ELU(), nn.SELU(), nn.CELU(1.0), nn.CELU(0.1)])
def test_flat_activations_let_the_first_of_equals_win(activation: nn.Module, scale: float) -> None:
    x = torch.rand(1, 1, 16, 15, 17) * scale
    one, other = _both(nn.Conv3d(1, 5, 3), activation, nn.MaxPool3d(3), x=x)
    largest = float(other.relevance.abs().max())
    torch.testing.assert_close(one.relevance, other.relevance, rtol=0, atol=1e-5 * largest)
    if scale == 1000:
        assert "far below 0 equal" in one.paths["0"]
