"""Our maps against those that iNNvestigate 2.1.2 itself made for an 8-channel copy of the paper's network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pellucid.explain.api import explain
from pellucid.network.paper import PaperNetwork


@pytest.fixture(scope="module")
def golden(shared_golden: Path) -> dict[str, Any]:
    with np.load(shared_golden / "innvestigate_lrp_8ch.npz") as arrays:
        return dict(arrays)


def _model(golden: dict[str, Any], dtype: torch.dtype) -> PaperNetwork:
    model = PaperNetwork(channels=8)
    weights = {}
    for layer in ("conv1", "conv2", "conv3", "conv4", "fc"):
        for part in ("weight", "bias"):
            weights[f"{layer}.{part}"] = torch.from_numpy(golden[f"{layer}_{part}"])
    model.load_state_dict(weights)
    return model.to(dtype)


def _x(golden: dict[str, Any], dtype: torch.dtype) -> torch.Tensor:
    return torch.from_numpy(golden["x_uint8"]).to(dtype)[:, None] / 255


def _difference(relevance: torch.Tensor, reference: Any) -> Any:
    """Return |ours - theirs| as a share of the reference's greatest value."""
    return np.abs(relevance[:, 0].double().numpy() - reference) / np.abs(reference).max()


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 2e-5), (torch.float32, 1e-3)])
@pytest.mark.parametrize("epsilon", ["1e-3", "1e-2"])
def test_lrp_epsilon(golden: dict[str, Any], dtype: torch.dtype, tolerance: float, epsilon: str) -> None:
    result = explain(_model(golden, dtype), _x(golden, dtype), epsilon=float(epsilon))
    np.testing.assert_allclose(result.logit, golden["logit"], rtol=1e-5)
    assert _difference(result.relevance, golden[f"map_epsilon_{epsilon}"]).max() < tolerance


def test_epsilons_are_told_apart(golden: dict[str, Any]) -> None:
    result = explain(_model(golden, torch.float64), _x(golden, torch.float64), epsilon=1e-2)
    assert _difference(result.relevance, golden["map_epsilon_1e-3"]).max() > 1e-3


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 2e-5), (torch.float32, 1e-3)])
def test_input_x_gradient(golden: dict[str, Any], dtype: torch.dtype, tolerance: float) -> None:
    result = explain(_model(golden, dtype), _x(golden, dtype), method="input-x-gradient")
    assert _difference(result.relevance, golden["map_input_x_gradient"]).max() < tolerance


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 2e-5), (torch.float32, 1e-3)])
def test_gradient_where_no_pool_ties(golden: dict[str, Any], dtype: torch.dtype, tolerance: float) -> None:
    x = _x(golden, dtype)
    result = explain(_model(golden, dtype), x, method="gradient")
    inside = x[:, 0].numpy() > 0  # in the constant background whole windows tie, and frameworks choose differently
    assert inside.mean() > 0.3
    assert _difference(result.relevance, golden["map_gradient"])[inside].max() < tolerance
