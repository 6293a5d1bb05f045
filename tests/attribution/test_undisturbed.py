"""Nothing of a model is changed by being explained, and threads do not meet."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
import torch
from torch import nn

from pellucid.attribution.explain import explain
from pellucid.attribution.undisturbed import undisturbed
from pellucid.image.grid import PAPER_GRID, resized
from pellucid.network.paper import PaperNetwork


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


@pytest.mark.parametrize("method", ["lrp-epsilon", "gradient"])
def test_what_a_forward_pass_stores_is_as_it_was(method: str) -> None:
    class Storing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.seen, self.by_name, self.calls, self.last = nn.Linear(4, 1), [], {"a": 1}, 0, "nothing"
            self.register_buffer("steps", torch.zeros(1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.features = x
            self.last = x
            self.seen.append(x)
            self.by_name["x"] = x
            self.calls += 1
            self.steps += 1
            return self.fc(x)

    model, x = Storing(), torch.randn(1, 4)
    explain(model, x, method=method)
    assert not hasattr(model, "features")
    assert (model.seen, model.by_name, model.calls, model.last) == ([], {"a": 1}, 0, "nothing")
    assert model.steps.item() == 0
    model(x)
    assert model.last is x
    assert model.seen == [x]


def test_tensors_that_a_forward_pass_makes_do_not_become_attributes() -> None:
    class Making(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(x + torch.tensor([1.0, 2.0, 3.0, 4.0]))

    model, x = Making(), torch.randn(2, 4)
    before = set(vars(model))
    for _ in range(2):
        assert torch.equal(explain(model, x).logit, model(x)[:, 0].detach())
    assert set(vars(model)) == before


def test_a_mode_that_eval_does_not_switch_is_off_all_the_same() -> None:
    class Stubborn(nn.Dropout):
        def train(self, mode: bool = True) -> nn.Dropout:
            return self

    model, x = nn.Sequential(nn.Linear(4, 4), Stubborn(), nn.Linear(4, 1)), torch.randn(2, 4)
    result = explain(model, x, method="gradient")
    assert model[1].training
    model[1].training = False
    torch.testing.assert_close(result.logit, model.eval()(x)[:, 0].detach())


def test_threads_explain_one_model_in_training_mode_while_others_predict() -> None:
    """Six threads explain two models, both in training mode; two predict with other networks meanwhile."""
    torch.manual_seed(0)
    own = PaperNetwork(2, resized(PAPER_GRID, (71, 71, 71)), seed=0).train()
    body = nn.Sequential(nn.Conv3d(1, 4, 3), nn.ReLU(inplace=True), nn.Dropout(), nn.Flatten(), nn.Linear(4 * 64, 1))
    foreign = nn.Sequential(body, nn.Dropout()).train()
    large, small = torch.rand(1, 1, 71, 71, 71), torch.rand(2, 1, 6, 6, 6)
    expected = {own: explain(own, large).relevance, foreign: explain(foreign, small).relevance}
    wrong: Counter[str] = Counter()
    bystander = nn.Sequential(nn.Conv3d(1, 3, 3), nn.ELU(), nn.Flatten(), nn.Linear(3 * 64, 1)).eval()
    other, done = PaperNetwork(1, resized(PAPER_GRID, (71, 71, 71)), seed=1).eval(), threading.Event()
    with torch.no_grad():
        predicted = bystander(small), other(large)

    def explaining() -> None:
        for turn in range(8):
            model, x = (own, large) if turn == 4 else (foreign, small)
            try:
                if turn % 2:
                    model.anything = turn  # what is kept of a model that has changed is thrown away
                found = explain(model, x).relevance
                largest = float(expected[model].abs().max())
                torch.testing.assert_close(found, expected[model], rtol=0, atol=1e-5 * largest)
            except Exception as error:
                wrong[f"explaining: {error!r}"] += 1

    def predicting() -> None:
        while not done.is_set():
            try:
                with torch.no_grad():
                    torch.testing.assert_close((bystander(small), other(large)), predicted)
            except Exception as error:
                wrong[f"predicting: {error!r}"] += 1

    explainers = [threading.Thread(target=explaining) for _ in range(6)]
    predictors = [threading.Thread(target=predicting) for _ in range(2)]
    for thread in (*explainers, *predictors):
        thread.start()
    for thread in explainers:
        thread.join()
    done.set()
    for thread in predictors:
        thread.join()
    assert wrong == {}
    assert all(module.training for model in (own, foreign) for module in model.modules())
