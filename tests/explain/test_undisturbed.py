from __future__ import annotations

import pytest
import torch
from torch import nn

from pellucid.explain.undisturbed import undisturbed


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
