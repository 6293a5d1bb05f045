"""Our maps against those that iNNvestigate 2.1.2 itself made for an 8-channel copy of the paper's network."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pellucid.attribution.explain import explain
from pellucid.network.paper import PaperNetwork

WHOLE = "innvestigate_lrp_8ch.npz"
CUT = Path(__file__).parents[1] / "golden" / "innvestigate_cut.npz"


def _arrays(path: Path) -> dict[str, Any]:
    with np.load(path) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module", params=["cut", "whole"])
def golden(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The cut that is in the repository, and the whole maps where they are at hand, each map as (B, voxels)."""
    if request.param == "cut":
        return _arrays(CUT)
    whole = _arrays(request.getfixturevalue("shared_golden") / WHOLE)
    flat = {name: values.reshape(len(values), -1) for name, values in whole.items() if name.startswith("map_")}
    return {**whole, **flat, "voxels": slice(None)}


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


def _difference(golden: dict[str, Any], relevance: torch.Tensor, reference: Any) -> Any:
    """Return |ours - theirs| at the voxels kept, (B, voxels), as a share of the reference's greatest value."""
    ours = relevance.double().numpy().reshape(len(relevance), -1)[:, golden["voxels"]]
    assert ours.shape == reference.shape
    return np.abs(ours - reference) / np.abs(reference).max()


EXACT = pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 2e-5), (torch.float32, 1e-3)])


@EXACT
@pytest.mark.parametrize("epsilon", ["1e-3", "1e-2"])
def test_lrp_epsilon(golden: dict[str, Any], dtype: torch.dtype, tolerance: float, epsilon: str) -> None:
    result = explain(_model(golden, dtype), _x(golden, dtype), epsilon=float(epsilon))
    np.testing.assert_allclose(result.logit, golden["logit"], rtol=1e-5)
    assert _difference(golden, result.relevance, golden[f"map_epsilon_{epsilon}"]).max() < tolerance


def test_epsilons_are_told_apart(golden: dict[str, Any]) -> None:
    result = explain(_model(golden, torch.float64), _x(golden, torch.float64), epsilon=1e-2)
    assert _difference(golden, result.relevance, golden["map_epsilon_1e-3"]).max() > 1e-3


@EXACT
def test_input_x_gradient(golden: dict[str, Any], dtype: torch.dtype, tolerance: float) -> None:
    result = explain(_model(golden, dtype), _x(golden, dtype), method="input-x-gradient")
    assert _difference(golden, result.relevance, golden["map_input_x_gradient"]).max() < tolerance


@EXACT
@pytest.mark.parametrize(("method", "of"), [("gradient", np.asarray), ("sensitivity", np.abs)])
def test_gradients_where_no_pool_ties(
    golden: dict[str, Any], dtype: torch.dtype, tolerance: float, method: str, of: Callable[[Any], Any]
) -> None:
    x = _x(golden, dtype)
    result = explain(_model(golden, dtype), x, method=method)
    # In the constant background whole windows tie, and frameworks choose differently.
    inside = x.numpy().reshape(len(x), -1)[:, golden["voxels"]] > 0
    assert inside.mean() > 0.3
    assert _difference(golden, result.relevance, of(golden["map_gradient"]))[inside].max() < tolerance


def test_the_cut_is_of_the_whole(shared_golden: Path) -> None:
    script = Path(__file__).parents[2] / "experiments" / "cut_golden.py"
    again = runpy.run_path(str(script))["cut"](_arrays(shared_golden / WHOLE))
    kept = _arrays(CUT)
    assert kept.keys() == again.keys()
    for name, values in again.items():
        np.testing.assert_array_equal(kept[name], values, err_msg=name)
