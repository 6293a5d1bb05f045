"""A map is of the function that the model computes, or there is none."""

from __future__ import annotations

from collections.abc import Callable
from types import MethodType

import pytest
import torch
from torch import nn

from pellucid.attribution.agreement import is_own
from pellucid.attribution.explain import explain
from pellucid.ground.errors import PellucidError
from pellucid.image.grid import PAPER_GRID, resized
from pellucid.network.paper import PaperNetwork

METHODS = ["lrp-epsilon", "gradient", "sensitivity", "input-x-gradient"]


class Branching(nn.Module):
    """Takes one way with a tensor, another with what torch.fx has in its place."""

    def __init__(self, asked: Callable[[object], bool]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.asked = asked
        self.first, self.conv, self.pool, self.fc = (
            nn.ReLU(),
            nn.Conv3d(1, 4, 3),
            nn.AdaptiveAvgPool3d(1),
            nn.Linear(4, 1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        if self.asked(x):
            x = x + 2
        return self.fc(self.pool(self.conv(x)).flatten(1))


@pytest.mark.parametrize(
    "asked",
    [
        lambda x: isinstance(x, torch.Tensor),
        torch.is_tensor,
        lambda x: not hasattr(x, "there_is_no_such_thing"),
        lambda x: type(x).__name__ == "Tensor",
    ],
)
def test_a_branch_that_torch_fx_takes_otherwise_is_found_out(asked: Callable[[object], bool]) -> None:
    model, x = Branching(asked), torch.randn(2, 1, 6, 6, 6)
    with pytest.raises(
        PellucidError,
        match=r"does not record the model's own computation.* with logit \S+ instead of \S+; conv is the first",
    ):
        explain(model, x)
    for method in METHODS[1:]:
        assert torch.equal(explain(model, x, method=method).logit, model(x)[:, 0].detach())


def test_a_branch_where_the_recorded_operations_fail_is_found_out_too() -> None:
    class Skipping(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(8, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = x.flatten(1)
            return self.fc(torch.cat([x, x], 1) if isinstance(x, torch.Tensor) else x)

    with pytest.raises(PellucidError, match="does not record the model's own computation, which fails"):
        explain(Skipping(), torch.randn(2, 1, 4))


def test_what_changes_from_call_to_call_is_refused() -> None:
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.calls = nn.Linear(4, 1), []

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls.append(1)
            return self.fc(x) + len(self.calls)

    model, x = Counting(), torch.randn(1, 4)
    with pytest.raises(PellucidError, match="does not record the model's own computation"):
        explain(model, x)
    assert model.calls == []


@pytest.mark.parametrize("method", METHODS)
def test_a_forward_put_in_place_of_the_models_is_what_is_explained(method: str) -> None:
    torch.manual_seed(0)
    x, model = torch.randn(2, 4), nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 1))
    expected = explain(nn.Sequential(*model[:1], nn.Tanh(), model[2]), x, method=method)
    model.forward = MethodType(lambda self, x: self[2](torch.tanh(self[0](x))), model)
    result = explain(model, x, method=method)
    torch.testing.assert_close(result.relevance, expected.relevance)
    assert torch.equal(result.logit, model(x)[:, 0].detach())


def test_a_layer_whose_forward_was_replaced_has_no_rule() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 1))
    model[1].forward = lambda x: x.flip(1)
    with pytest.raises(PellucidError, match="1: lrp-epsilon has no rule for ReLU whose forward was replaced"):
        explain(model, torch.randn(2, 4))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.BatchNorm1d(3, track_running_stats=False), nn.Flatten(), nn.Linear(12, 1)),
        nn.Sequential(
            nn.Flatten(),
            nn.Unflatten(0, (1, -1)),
            nn.Flatten(1),
            nn.Unflatten(1, (2, 12)),
            nn.Flatten(0, 1),
            nn.Linear(12, 1),
        ),
    ],
)
def test_items_that_meet_are_refused_in_a_batch(model: nn.Module, method: str) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 4)
    with pytest.raises(
        PellucidError, match=r"the items of a batch influence each other|no rule for BatchNorm1d without"
    ):
        explain(model, x, method=method)


def test_an_item_alone_meets_no_other() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.BatchNorm1d(3, track_running_stats=False), nn.Flatten(), nn.Linear(12, 1))
    x = torch.randn(1, 3, 4)
    assert torch.equal(explain(model, x, method="gradient").logit, model(x)[:, 0].detach())


def test_only_networks_of_pellucid_to_the_letter_are_taken_at_their_word() -> None:
    def make() -> PaperNetwork:
        return PaperNetwork(2, resized(PAPER_GRID, (71, 71, 71)), seed=0)

    class Sub(PaperNetwork):
        pass

    assert is_own(make())
    assert not is_own(Sub(2, resized(PAPER_GRID, (71, 71, 71)), seed=0))
    assert not is_own(nn.Sequential(make()))
    hooked, patched, replaced, deep = make(), make(), make(), make()
    hooked.register_forward_pre_hook(lambda *_: None)
    patched.forward = lambda x: x
    replaced.elu1 = nn.Sequential()
    replaced.elu1.add_module("own", Branching(torch.is_tensor))
    deep.elu1.forward = lambda x: x
    assert not any(map(is_own, (hooked, patched, replaced, deep)))


def test_a_ledger_that_does_not_add_up_is_refused() -> None:
    """A layer's gradient is another than that of what it computes."""

    class Tripled(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, x: torch.Tensor) -> torch.Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: object, *gradients: torch.Tensor) -> torch.Tensor:
            return 3 * gradients[0]

    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 1)).double()
    model[0].register_forward_hook(lambda _, __, given: Tripled.apply(given))
    with pytest.raises(PellucidError, match=r"^0: relevance does not add up: of \S+ in all"):
        explain(model, torch.randn(2, 4, dtype=torch.float64))
