from __future__ import annotations

import pytest
import torch
from torch import nn

from pellucid.errors import PellucidError
from pellucid.explain.trace import LogitRun, trace


def test_a_lone_layer_keeps_its_type() -> None:
    model = trace(nn.Linear(2, 1)).model
    assert isinstance(model, nn.Sequential)
    assert isinstance(model[0], nn.Linear)


def test_refuses_a_model_that_branches_on_values() -> None:
    class Branch(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x if x.sum() > 0 else -x

    place = r"at test_trace.py:\d+ \(return x if x.sum\(\) > 0 .* Rewrite that"
    with pytest.raises(PellucidError, match=f"^Branch: its forward pass cannot be followed {place}"):
        trace(Branch())


def test_refuses_a_model_of_two_inputs() -> None:
    class Two(nn.Module):
        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return x + y

    with pytest.raises(PellucidError, match="Two must take one tensor and give one"):
        trace(Two())


def test_refuses_a_model_of_two_outputs() -> None:
    class Pair(nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return x, x

    with pytest.raises(PellucidError, match="Pair must take one tensor and give one"):
        trace(Pair())


def test_an_input_with_a_default_is_left_at_it() -> None:
    class Scaled(nn.Module):
        def forward(self, x: torch.Tensor, factor: float = 2.0) -> torch.Tensor:
            return x * factor

    x = torch.ones(1, 2)
    assert torch.equal(LogitRun(trace(Scaled())).run(x), 2 * x)


def test_only_a_sigmoid_at_the_end_is_passed_over() -> None:
    model = nn.Sequential(nn.Sigmoid(), nn.Flatten(), nn.Linear(2, 1), nn.Sigmoid(), nn.Flatten())
    x = torch.randn(3, 2)
    torch.testing.assert_close(LogitRun(trace(model)).run(x), model[:3](x))
