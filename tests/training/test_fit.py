from __future__ import annotations

from collections import OrderedDict
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from pellucid.cohort.augment import draw
from pellucid.ground.errors import InputError, PellucidError
from pellucid.network import fused_functions
from pellucid.network.field_of_view import field_of_view
from pellucid.training.fit import Scans, best_epoch, fit, logits, scans_at_once
from pellucid.training.settings import TrialSettings

SHAPE = (16, 13, 12)


class Tiny(nn.Sequential):
    """A network like the paper's in the small; blind to the far end of each axis, like the paper's."""

    def __init__(self, *, seed: int = 0, dropout: float = 0.0) -> None:
        generator = torch.Generator().manual_seed(seed)
        super().__init__(
            OrderedDict(
                conv1=nn.Conv3d(1, 2, 3),
                pool1=nn.MaxPool3d(3),
                elu1=nn.ELU(),
                drop1=nn.Dropout(dropout),
                conv3=nn.Conv3d(2, 2, 2),
                conv4=nn.Conv3d(2, 2, 1),
                elu4=nn.ELU(),
                flatten=nn.Flatten(),
                fc=nn.Linear(24, 1),
            )
        )
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.rand(parameter.shape, generator=generator) - 0.5)

    def stops(self) -> tuple[int, ...]:
        return field_of_view(nn.Sequential(*self), SHAPE).stops

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        stops = self.stops()
        return super().forward(x[:, :, : stops[0], : stops[1], : stops[2]]).squeeze(1)


def scans(n: int = 11, *, stops: tuple[int, ...] | None = None) -> Scans:
    generator = np.random.default_rng(1)
    labels = np.arange(n) % 2
    images = generator.normal(0.0, 1.0, (n, *SHAPE)).astype(np.float32)
    images[labels == 1, 2:9, 2:9, 2:9] += 1.0
    return Scans(images, labels, stops)


ROWS = {"train": np.arange(7), "validation": np.arange(7, 11)}


def settings(**changes: Any) -> TrialSettings:
    values = {"learning_rate": 0.02, "max_epochs": 3, "batch_size": 3, "patience": 99, "seed": 4}
    return TrialSettings(**(values | changes))


def penalty_of(model: nn.Module) -> torch.Tensor:
    """Return what the paper's network is penalised for; of these networks too, which name their kernels like it."""
    return model.get_parameter("conv3.weight").square().sum() + model.get_parameter("conv4.weight").square().sum()


def run(model: nn.Module, data: Scans, asked: TrialSettings) -> pd.DataFrame:
    return fit(model, data, ROWS, asked, penalty=partial(penalty_of, model))


def textbook(model: nn.Module, data: Scans, asked: TrialSettings) -> list[tuple[float, float, float]]:
    """Fit scan by scan with formulas written out: (train loss, validation loss, validation accuracy) of each epoch."""
    words = np.random.SeedSequence(asked.seed).generate_state(3)
    shuffle, moves = np.random.default_rng(words[0]), np.random.default_rng(words[1])
    parameters = dict(model.named_parameters())
    m = {name: torch.zeros_like(p) for name, p in parameters.items()}
    v = {name: torch.zeros_like(p) for name, p in parameters.items()}
    iteration = 0
    history = []

    def scan_loss(volume: np.ndarray, label: int) -> tuple[torch.Tensor, float]:
        z = model(torch.tensor(volume.astype(np.float64))[None, None])[0]
        p = torch.sigmoid(z)
        return -(label * torch.log(p) + (1 - label) * torch.log(1 - p)), z.item()

    def penalty() -> torch.Tensor:
        kernels = (parameters["conv3.weight"], parameters["conv4.weight"])
        return asked.l2 * sum((w**2).sum() for w in kernels)  # type: ignore[return-value]

    for _ in range(asked.max_epochs):
        order = shuffle.permutation(ROWS["train"])
        total = 0.0
        for first in range(0, len(order), asked.batch_size):
            batch = order[first : first + asked.batch_size]
            flips, shifts = draw(moves, len(batch)) if asked.augment else ([False] * len(batch), [0] * len(batch))
            loss = penalty()
            for n, flip, shift in zip(batch, flips, shifts, strict=True):
                volume = data.images[n][::-1] if flip else data.images[n]
                moved = np.zeros_like(volume)
                for i in range(SHAPE[0]):
                    if 0 <= i - shift < SHAPE[0]:
                        moved[i] = volume[i - shift]
                loss = loss + scan_loss(moved, int(data.labels[n]))[0] / len(batch)
            gradients = torch.autograd.grad(loss, list(parameters.values()))
            total += loss.item() * len(batch)
            rate = asked.learning_rate / (1 + asked.decay * iteration)
            iteration += 1
            with torch.no_grad():
                for (name, w), g in zip(parameters.items(), gradients, strict=True):
                    m[name] = 0.9 * m[name] + 0.1 * g
                    v[name] = 0.999 * v[name] + 0.001 * g**2
                    correction = np.sqrt(1 - 0.999**iteration) / (1 - 0.9**iteration)
                    w -= rate * correction * m[name] / (torch.sqrt(v[name]) + 1e-7)
        with torch.no_grad():
            found = [scan_loss(data.images[n], int(data.labels[n])) for n in ROWS["validation"]]
            loss = sum(float(value) for value, _ in found) / len(found) + float(penalty())
        hits = [(z > 0) == (data.labels[n] == 1) for (_, z), n in zip(found, ROWS["validation"], strict=True)]
        history.append((total / len(order), loss, float(np.mean(hits))))
    return history


@pytest.mark.parametrize("augment", [False, True])
def test_equals_the_textbook(augment: bool) -> None:
    asked = settings(augment=augment, decay=0.1)
    model, twin = Tiny().double(), Tiny().double()
    history = run(model, scans(), asked)
    expected = textbook(twin, scans(), asked)
    found = history[["train_loss", "val_loss", "val_accuracy"]].to_numpy()
    np.testing.assert_allclose(found, np.array(expected), rtol=1e-9)
    assert history["epoch"].tolist() == [1, 2, 3]
    assert history["steps"].tolist() == [3, 6, 9]
    np.testing.assert_allclose(history["learning_rate"], [0.02 / (1 + 0.1 * t) for t in (2, 5, 8)])
    if history["best"].iloc[-1]:
        for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


def test_one_epoch_in_single_precision_equals_the_textbook() -> None:
    asked = settings(max_epochs=1, learning_rate=1e-3)
    model, twin = Tiny(), Tiny().double()
    run(model, scans(), asked)
    textbook(twin, scans(), asked)
    for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours.double(), theirs, rtol=0, atol=1e-6)


def test_reading_the_corner_only_changes_nothing() -> None:
    """Flips and shifts act on the whole image: the corner of a flipped image is not the flipped corner."""
    stops = Tiny().stops()
    assert all(stop < n for stop, n in zip(stops, SHAPE, strict=True))
    whole, corner = Tiny(), Tiny()
    first = run(whole, scans(), settings())
    second = run(corner, scans(stops=stops), settings())
    pd.testing.assert_frame_equal(first.drop(columns="seconds"), second.drop(columns="seconds"))
    for one, other in zip(whole.parameters(), corner.parameters(), strict=True):
        assert torch.equal(one, other)


def test_one_seed_one_result_and_the_global_generator_is_left_alone() -> None:
    results = []
    for disturbance in (0, 1):
        model = Tiny(dropout=0.3)
        torch.manual_seed(disturbance)
        before = torch.get_rng_state()
        history = run(model, scans(), settings())
        assert torch.equal(torch.get_rng_state(), before)
        results.append((history.drop(columns="seconds"), model.state_dict()))
    pd.testing.assert_frame_equal(results[0][0], results[1][0], check_exact=True)
    assert all(torch.equal(results[0][1][name], results[1][1][name]) for name in results[0][1])
    other = Tiny(dropout=0.3)
    run(other, scans(), settings(seed=5))
    assert not torch.equal(other.fc.weight, model.fc.weight)


class Counting(nn.Module):
    """A network that notes how many scans come together in training."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norm, self.fc = norm, nn.Linear(1, 1)
        self.conv3 = self.conv4 = nn.Conv3d(1, 1, 1)
        self.seen: list[int] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.seen.append(len(x))
        return self.fc(self.norm(x).mean(dim=(2, 3, 4))).squeeze(1)


def test_batch_norm_gets_the_whole_batch_and_other_networks_a_few_scans_at_a_time() -> None:
    asked = settings(batch_size=6, max_epochs=1)
    for norm, expected in ((nn.BatchNorm3d(1), [6, 1]), (nn.Identity(), [4, 2, 1])):
        model = Counting(norm)
        run(model, scans(), asked)
        assert model.seen == expected
        assert scans_at_once(model, 6) == expected[0]
        assert scans_at_once(model, 2) == 2


def test_bfloat16_is_for_training_steps_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pellucid.training.fit.bfloat16_obstacle", lambda: None)
    calls = set()

    class Watched(Tiny):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            calls.add((self.training, fused_functions._in_bfloat16.get()))
            return super().forward(x)

    run(Watched(), scans(), settings(precision="bfloat16"))
    assert calls == {(True, True), (False, False)}
    calls.clear()
    run(Watched(), scans(), settings())
    assert calls == {(True, False), (False, False)}


def test_bfloat16_is_refused_where_it_gains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pellucid.training.fit.bfloat16_obstacle", lambda: "the processor is old")
    with pytest.raises(InputError, match="the processor is old"):
        run(Tiny(), scans(), settings(precision="bfloat16"))


def test_dropout_is_on_in_training_and_off_in_prediction() -> None:
    model = Tiny(dropout=0.5)
    with_dropout = run(model, scans(), settings(max_epochs=1, learning_rate=1e-9, augment=False))
    without = run(Tiny(), scans(), settings(max_epochs=1, learning_rate=1e-9, augment=False))
    assert with_dropout["train_loss"].iloc[0] != pytest.approx(without["train_loss"].iloc[0], rel=1e-4)
    assert with_dropout["val_loss"].iloc[0] == pytest.approx(without["val_loss"].iloc[0], rel=1e-5)
    assert model.training
    once = logits(model, scans(), np.arange(11), batch_size=4)
    np.testing.assert_array_equal(once, logits(model, scans(), np.arange(11), batch_size=4))
    assert model.training
    np.testing.assert_allclose(once, logits(model, scans(), np.arange(11), batch_size=11), rtol=1e-5)
    assert logits(model, scans(), np.arange(0), batch_size=4).shape == (0,)


class Scripted(nn.Module):
    """A model whose validation logits follow a script, one entry an epoch, whatever it is shown."""

    def __init__(self, script: list[list[float]]) -> None:
        super().__init__()
        self.script = script
        self.epochs = 0
        self.weight = nn.Parameter(torch.ones(()))
        self.register_buffer("epoch", torch.zeros((), dtype=torch.int64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            return x[:, 0, 0, 0, 0] * 0.0 * self.weight
        self.epoch += 1
        return torch.tensor(self.script[int(self.epoch) - 1])


def scripted(script: list[list[float]], **changes: Any) -> tuple[pd.DataFrame, Scripted]:
    model = Scripted(script)
    asked = settings(max_epochs=len(script), batch_size=7, **changes)
    return fit(model, scans(), ROWS, asked, penalty=lambda: model.weight * 0.0), model


# Validation labels are 1, 0, 1, 0. A sure right answer has a loss near 0, a sure wrong one a large loss.
GOOD, FAIR, WRONG = [4.0, -4.0, 4.0, -4.0], [0.1, -0.1, 0.1, -0.1], [-1.0, -4.0, 4.0, -4.0]


@pytest.mark.parametrize(
    ("script", "checkpoint", "best"),
    [
        ([FAIR, GOOD, FAIR], "validation-loss", 2),
        ([GOOD, GOOD, FAIR], "validation-loss", 1),
        ([WRONG, FAIR, GOOD], "validation-accuracy", 2),
        ([FAIR, WRONG, GOOD], "validation-loss", 3),
        ([GOOD, WRONG, WRONG], "validation-accuracy", 1),
    ],
)
def test_the_first_best_epoch_is_kept(script: list[list[float]], checkpoint: str, best: int) -> None:
    history, model = scripted(script, checkpoint=checkpoint)
    assert history["epoch"][history["best"]].tolist() == [best]
    assert int(model.epoch) == best  # its weights were put back


@pytest.mark.parametrize(
    ("script", "patience", "ran"),
    [
        ([GOOD, FAIR, FAIR, FAIR, FAIR], 2, 3),
        ([FAIR, FAIR, FAIR, FAIR], 3, 4),
        ([FAIR, WRONG, GOOD, FAIR, FAIR, FAIR], 2, 5),
        ([GOOD, GOOD, GOOD], 1, 2),  # an equal loss is no lower one
    ],
)
def test_patience(script: list[list[float]], patience: int, ran: int) -> None:
    history, _ = scripted(script, patience=patience)
    assert len(history) == ran


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=12))
def test_best_epoch_equals_the_loop_of_keras(values: list[tuple[int, int]]) -> None:
    history = [{"val_loss": float(loss), "val_accuracy": accuracy / 3} for loss, accuracy in values]
    lowest, highest, by_loss, by_accuracy = np.inf, -np.inf, 0, 0
    for epoch, row in enumerate(history, start=1):
        if row["val_loss"] < lowest:
            lowest, by_loss = row["val_loss"], epoch
        if row["val_accuracy"] > highest:
            highest, by_accuracy = row["val_accuracy"], epoch
    assert best_epoch(history, "validation-loss") == by_loss
    assert best_epoch(history, "validation-accuracy") == by_accuracy


def test_validation_numbers() -> None:
    history, _ = scripted([[2.0, -1.0, -0.5, 0.3]])  # labels 1, 0, 1, 0
    z, y = np.array([2.0, -1.0, -0.5, 0.3]), np.array([1, 0, 1, 0])
    p = 1 / (1 + np.exp(-z))
    assert history["val_loss"].iloc[0] == pytest.approx(-np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)))
    assert history["val_accuracy"].iloc[0] == 0.5
    assert history["val_auc"].iloc[0] == 0.75  # of four pairs, -0.5 against 0.3 is the wrong way round


def test_a_loss_that_is_not_finite_is_said_so() -> None:
    data = scans()
    data.images[3] = np.inf
    with pytest.raises(PellucidError, match=r"training loss is (nan|inf) in epoch 1. Lower learning_rate \(0.02\)"):
        run(Tiny(), data, settings())
    with pytest.raises(PellucidError, match="validation loss is nan in epoch 2"):
        scripted([GOOD, [float("nan")] * 4, GOOD])


def test_progress_counts_batches_and_tells_of_epochs() -> None:
    said: list[tuple[int, int, str]] = []
    model = Tiny()
    history = fit(
        model, scans(), ROWS, settings(), penalty=partial(penalty_of, model), progress=lambda *args: said.append(args)
    )
    assert [(done, total) for done, total, _ in said] == [(n, 9) for n in range(1, 10)]
    assert said[0][2] == "epoch 1/3"
    last = history.iloc[-1]
    assert said[-1][2] == f"epoch 3/3: val loss {last['val_loss']:.2f}, val acc {last['val_accuracy']:.2f}"


def test_progress_ends_at_the_total_when_training_stops_early() -> None:
    said: list[tuple[int, int, str]] = []
    model = Scripted([GOOD, FAIR, FAIR, FAIR])
    fit(
        model,
        scans(),
        ROWS,
        settings(max_epochs=4, batch_size=7, patience=1),
        penalty=lambda: model.weight * 0.0,
        progress=lambda *args: said.append(args),
    )
    assert [(done, total) for done, total, _ in said] == [(1, 4), (4, 4)]
