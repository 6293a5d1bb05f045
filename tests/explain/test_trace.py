from __future__ import annotations

import pytest
import torch
from torch import nn

from pellucid.errors import PellucidError
from pellucid.explain.trace import LogitRun, trace, undisturbed


def test_a_lone_layer_keeps_its_type() -> None:
    model = trace(nn.Linear(2, 1)).model
    assert isinstance(model, nn.Sequential)
    assert isinstance(model[0], nn.Linear)


def test_refuses_a_model_that_branches_on_values() -> None:
    class Branch(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x if x.sum() > 0 else -x

    with pytest.raises(PellucidError, match=r"Branch: torch\.fx cannot follow .* Write it without branches"):
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


def test_undisturbed_restores_mixed_modes() -> None:
    model = nn.Sequential(nn.Dropout(), nn.Sequential(nn.Dropout()))
    model.train()
    model[0].eval()
    with undisturbed(model, torch.device("cpu")):
        assert not any(module.training for module in model.modules())
        assert torch.is_grad_enabled()
    assert [module.training for module in model.modules()] == [True, False, True, True]


def test_full_precision_on_a_gpu_and_only_for_the_while(monkeypatch: pytest.MonkeyPatch) -> None:
    switch = torch.backends.cuda.matmul
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", False)
    name, fast, exact = (
        ("fp32_precision", "tf32", "ieee") if hasattr(switch, "fp32_precision") else ("allow_tf32", True, False)
    )
    before = getattr(switch, name)
    try:
        setattr(switch, name, fast)
        with undisturbed(nn.Linear(1, 1), torch.device("cuda")):
            assert getattr(switch, name) == exact
            assert torch.backends.cudnn.deterministic
        assert getattr(switch, name) == fast
        assert not torch.backends.cudnn.deterministic
    finally:
        setattr(switch, name, before)
