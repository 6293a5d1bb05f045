"""A hook that changes a gradient is refused by every method that would use it; one that looks is called as ever."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from pellucid.attribution.backward_hooks import gradients_unchanged
from pellucid.attribution.explain import explain
from pellucid.ground.errors import PellucidError

METHODS = ["lrp-epsilon", "gradient", "sensitivity", "input-x-gradient"]
Hook = Callable[..., object]


class Net(nn.Module):
    def __init__(self, of_tensor: Hook | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.block = nn.Sequential(nn.Conv1d(1, 2, 3), nn.ReLU())
        self.fc, self.of_tensor = nn.Linear(12, 1), of_tensor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.block(x)
        if self.of_tensor is not None and h.requires_grad:
            h.register_hook(self.of_tensor)
        return self.fc(h.flatten(1))


def _doubled(_: nn.Module, given: tuple[torch.Tensor], __: object) -> tuple[torch.Tensor]:
    return (2 * given[0],)


def _doubled_in_place(_: nn.Module, given: tuple[torch.Tensor], __: object) -> None:
    given[0].mul_(2)


def _turned(gradient: torch.Tensor) -> torch.Tensor:
    """Keeps the sum, so that no ledger shows it."""
    return gradient.flip(2)


def _by_layer(m: Net) -> None:
    m.block[0].register_full_backward_hook(_doubled)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("hang", "place"),
    [
        (_by_layer, r"^block\.0: a backward hook"),
        (lambda m: m.block[1].register_full_backward_hook(_doubled_in_place), r"^block\.1: a backward hook"),
        (lambda m: m.fc.register_full_backward_pre_hook(lambda _, given: (2 * given[0],)), "^fc: a backward hook"),
        (lambda m: m.block[0].register_forward_hook(lambda *a: a[2].register_hook(_turned) and None), r"\(_turned\)"),
    ],
)
def test_a_hook_that_changes_a_gradient_is_refused(hang: Callable[[Net], object], place: str, method: str) -> None:
    model, x = Net(), torch.randn(2, 1, 8)
    hang(model)
    hooks = [dict(m._backward_hooks) for m in model.modules()]
    if method == "lrp-epsilon" and "block.1" in place.replace("\\", ""):  # what passes unchanged has no gradient
        assert torch.equal(explain(model, x).relevance, explain(Net(), x).relevance)
    else:
        with pytest.raises(PellucidError, match=f"{place}.* changes a gradient"):
            explain(model, x, method=method)
    assert [dict(m._backward_hooks) for m in model.modules()] == hooks


def test_what_the_forward_pass_hangs_on_a_tensor_matters_to_gradients_alone() -> None:
    x, model = torch.randn(2, 1, 8), Net(_turned)
    for method in METHODS[1:]:
        with pytest.raises(PellucidError, match=r"^A hook of a tensor \(_turned\) changes a gradient"):
            explain(model, x, method=method)
    assert torch.equal(explain(model, x).relevance, explain(Net(), x).relevance)


@pytest.mark.parametrize("method", METHODS)
def test_a_hook_that_looks_is_called_and_changes_nothing(method: str) -> None:
    seen: list[str] = []
    model, x = Net(lambda _: seen.append("tensor")), torch.randn(2, 1, 8)
    model.block.register_full_backward_hook(lambda *_: seen.append("block"))
    model.fc.register_full_backward_hook(lambda _, given, __: seen.append("layer") or given)
    leaving = model.fc.register_full_backward_hook(lambda *_: leaving.remove())
    assert torch.equal(explain(model, x, method=method).relevance, explain(Net(), x, method=method).relevance)
    assert set(seen) == ({"layer"} if method == "lrp-epsilon" else {"tensor", "block", "layer"})
    assert len(model.fc._backward_hooks) == 1


@pytest.mark.parametrize("method", METHODS)
def test_a_watched_sigmoid_at_the_end_is_passed_over(method: str) -> None:
    x, model = torch.randn(2, 1, 8), nn.Sequential(Net(), nn.Sigmoid())
    model[1].register_full_backward_hook(lambda *_: None)
    result = explain(model, x, method=method)
    assert result.head == "sigmoid"
    assert torch.equal(result.logit, model[0](x)[:, 0].detach())


def test_hooks_of_all_modules_are_refused() -> None:
    handle = torch.nn.modules.module.register_module_full_backward_hook(lambda *_: None)
    try:
        with pytest.raises(PellucidError, match="registered for all modules"), gradients_unchanged(Net()):
            pass
    finally:
        handle.remove()
