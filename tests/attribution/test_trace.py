from __future__ import annotations

import gc
import math
import operator
import weakref
from collections.abc import Callable

import pytest
import torch
from torch import nn

from pellucid.attribution.explain import explain
from pellucid.attribution.trace import LogitRun, trace
from pellucid.ground.errors import PellucidError


def test_a_lone_layer_keeps_its_type() -> None:
    model = trace(nn.Linear(2, 1)).model
    assert isinstance(model, nn.Sequential)
    assert isinstance(model[0], nn.Linear)


def test_refuses_a_model_that_branches_on_values() -> None:
    class Branch(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x if x.sum() > 0 else -x

    place = r"at test_trace.py:\d+ \(return x if x.sum\(\) > 0 .* Rewrite it"
    with pytest.raises(PellucidError, match=f"^Branch: its forward pass cannot be traced {place}"):
        trace(Branch())


def test_refuses_a_module_that_is_not_the_models_own() -> None:
    outside = nn.Linear(2, 1)

    class Borrowing(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return outside(x)

    with pytest.raises(
        PellucidError, match=r"at test_trace.py:\d+ \(return outside\(x\)\): it calls a module that is not"
    ):
        trace(Borrowing())


def test_refuses_a_model_of_two_inputs() -> None:
    class Two(nn.Module):
        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return x + y

    with pytest.raises(PellucidError, match="Two must take one tensor and return one"):
        trace(Two())


def test_refuses_a_model_of_two_outputs() -> None:
    class Pair(nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return x, x

    with pytest.raises(PellucidError, match="Pair must take one tensor and return one"):
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


class Switching(nn.Module):
    """What it computes depends on attributes of several kinds."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = nn.Linear(4, 4), nn.Linear(4, 1)
        self._how, self.function, self.times, self.options = "relu", torch.relu, [1], {"negative": False}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.first(x)
        h = torch.relu(h) if self._how == "relu" else torch.tanh(h)
        for _ in self.times:
            h = self.function(self.first(h))
        return self.last(torch.relu(h) if self.options["negative"] else h)


def test_a_graph_is_kept_while_the_model_stays_as_it_is() -> None:
    model = Switching()
    first, again = trace(model), trace(model)
    assert (first.fresh, again.fresh) == (True, False)
    assert again.graph is first.graph
    with torch.no_grad():
        model.first.weight += 1  # weights are read anew with each run
    assert not trace(model).fresh
    assert trace(model, anew=True).graph is not first.graph


@pytest.mark.parametrize(
    "change",
    [
        lambda m: setattr(m, "_how", "tanh"),
        lambda m: setattr(m, "function", torch.tanh),
        lambda m: setattr(m, "function", lambda h: torch.tanh(h)),
        lambda m: m.times.append(2),
        lambda m: m.options.update(negative=True),
        lambda m: setattr(m, "first", nn.Sequential(nn.Linear(4, 4), nn.Tanh())),
        lambda m: setattr(m, "first", nn.Linear(4, 4, bias=False)),
        lambda m: m.register_forward_hook(lambda _, __, given: given + 1),
        lambda m: m.first.register_forward_hook(lambda *_: None),
        lambda m: setattr(m, "forward", lambda x: m.last(torch.tanh(m.first(x)))),
    ],
)
def test_a_changed_model_is_followed_anew(change: Callable[[nn.Module], object]) -> None:
    model, x = Switching(), torch.ones(2, 4)
    explain(model, x)
    change(model)
    result = explain(model, x)
    assert torch.equal(result.logit, model(x)[:, 0].detach())
    trace(model, anew=True)
    assert torch.equal(result.relevance, explain(model, x).relevance)


def test_a_change_that_no_attribute_shows_is_found_by_the_logit() -> None:
    outside = {"negative": False}

    class Outside(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(torch.relu(x) if outside["negative"] else torch.tanh(x))

    model, x = Outside(), torch.randn(2, 4)
    explain(model, x)
    outside["negative"] = True
    assert torch.equal(explain(model, x).logit, model(x)[:, 0].detach())


def test_what_is_kept_does_not_keep_the_model() -> None:
    model = Switching()
    model.function = model.first.forward  # a bound method holds its object
    trace(model)
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


def test_what_is_added_in_place_is_recorded_as_that() -> None:
    class Adding(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = x
            y += 1
            y -= 2
            y[:, 0] = 3.0
            return x

    graph = trace(Adding()).graph
    targets = [node.target for node in graph.nodes if node.op == "call_function"]
    assert targets == [operator.iadd, operator.isub, operator.setitem]


def _in_a_loop(h: torch.Tensor) -> torch.Tensor:
    return torch.cat([h[:, i : i + 1] for i in range(h.size(1))], 1).flatten(1)


def _unpacked(h: torch.Tensor) -> torch.Tensor:
    b, c, *rest = h.shape
    return h.reshape(b, c * math.prod(rest))


def _branching(h: torch.Tensor) -> torch.Tensor:
    assert h.ndim == 3
    return h.flatten(1) if h.shape[-1] % 2 == 0 else h.flatten(2)


@pytest.mark.parametrize(
    "flatten",
    [
        _in_a_loop,
        _unpacked,
        _branching,
        lambda h: h.view(len(h), -1),
        lambda h: h.view(-1, h.numel() // int(h.size(0))),
        lambda h: h.reshape(*h.shape[:1], -1),
        lambda h: torch.cat([h.flatten(1), torch.zeros(h.shape[0], 1, dtype=h.dtype, device=h.device)], 1)[:, :8],
        lambda h: torch.cat([row.unsqueeze(1) for row in h.permute(1, 0, 2)], 1).flatten(1),
    ],
)
def test_numbers_that_python_takes_of_shapes_are_followed(flatten: Callable[[torch.Tensor], torch.Tensor]) -> None:
    class Sized(nn.Module):
        def __init__(self, flatten: Callable[[torch.Tensor], torch.Tensor]) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.flatten, self.conv, self.fc = flatten, nn.Conv1d(1, 2, 3), nn.Linear(8, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(self.flatten(torch.relu(self.conv(x))))

    model, plain = Sized(flatten), Sized(lambda h: h.flatten(1))
    for items in (3, 2, 1):  # each shape has a graph of its own
        x = torch.randn(items, 1, 6)
        torch.testing.assert_close(explain(model, x).relevance, explain(plain, x).relevance)


def test_a_ledger_by_item_needs_the_items_first() -> None:
    class Turned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(6, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = x.permute(1, 0, 2) + 0.5
            return self.fc(h.permute(1, 0, 2).flatten(1))

    with pytest.raises(PellucidError, match=r"^add: a tensor of shape \(2, 3, 3\) does not begin with the 3 items"):
        explain(Turned(), torch.randn(3, 2, 3))
    with pytest.raises(PellucidError, match="does not add up in each item"):
        explain(Turned(), torch.randn(2, 2, 3))
