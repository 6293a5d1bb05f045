"""Random networks that do what users' do: overwrite, alias, slice, share and watch layers, end in a softmax."""

from __future__ import annotations

import random
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
POOLS = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
CHANNELS = 2

Values = list[torch.Tensor]
Operation = Callable[["Program", Values], None]
"""Changes the list of tensors that the network works on: each (B, CHANNELS, ...), of one shape."""


class Program(nn.Module):
    """A network that applies operations in turn to a list of tensors, and a dense layer to what is left of them."""

    def __init__(self, operations: list[Operation], layers: dict[str, nn.Module], last: str) -> None:
        super().__init__()
        self.operations = operations
        self.last = last
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        values = [x]
        for operation in self.operations:
            operation(self, values)
        logits = self.fc(torch.cat([value.flatten(1) for value in values], 1))
        if self.last == "module":
            return self.head(logits)
        if self.last == "method":
            return logits.softmax(1)[:, :]
        if self.last == "in place":
            return logits.sigmoid_()
        return logits


def make(seed: int) -> tuple[Program, torch.Tensor, list[int]]:
    """Return a random network in float64, an x for it, and an output unit for each item."""
    draw = random.Random(seed)
    torch.manual_seed(seed)
    axes, items = draw.choice([1, 1, 2, 3]), draw.randint(1, 3)
    x = torch.randn(items, CHANNELS, *(draw.randint(4, 5) for _ in range(axes)), dtype=torch.float64)
    x = x * (torch.rand_like(x) > 0.1)
    layers = _layers(draw, axes)
    operations = [_operation(draw, layers, axes) for _ in range(draw.randint(2, 8))]
    units = draw.randint(1, 3)
    layers["head"] = draw.choice([nn.Sigmoid(), nn.LogSoftmax(1), nn.LogSigmoid()])
    last = draw.choice(["", "", "", "module", "method", "in place"])
    layers["fc"] = nn.Identity()
    model = Program(operations, layers, last)
    width = _width(model, x)
    model.fc = nn.Linear(width, units)
    for name, parameter in model.named_parameters():
        nn.init.normal_(parameter, std=0.1 if name == "fc.weight" else 0.5)
    model = model.double().eval()
    _watch(draw, model)
    if draw.random() < 0.1:
        model.train()
    return model, x, [draw.randrange(units) for _ in range(items)]


def _width(model: Program, x: torch.Tensor) -> int:
    last, model.last = model.last, ""
    with torch.no_grad():
        width = int(model.double().eval()(x.clone()).shape[1])
    model.last = last
    return width


def _layers(draw: random.Random, axes: int) -> dict[str, nn.Module]:
    norm = NORMS[axes - 1](CHANNELS, affine=draw.random() < 0.5)
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    kernel = draw.choice([1, 3])
    return {
        "conv": CONVOLUTIONS[axes - 1](CHANNELS, CHANNELS, kernel, padding="same", bias=draw.random() < 0.8),
        "other": CONVOLUTIONS[axes - 1](CHANNELS, CHANNELS, 3, padding=2, dilation=2, groups=draw.choice([1, 2])),
        "norm": norm,
        "relu": nn.ReLU(inplace=draw.random() < 0.7),
        "elu": nn.ELU(inplace=draw.random() < 0.5),
        "tanh": nn.Tanh(),
        "drop": nn.Dropout(0.3, inplace=draw.random() < 0.3),
        "same": nn.Identity(),
        "pool": draw.choice([POOLS[axes - 1], POOLS[axes + 2]])(3, 1, 1),
        "block": nn.Sequential(CONVOLUTIONS[axes - 1](CHANNELS, CHANNELS, 1), nn.ReLU(inplace=True)),
    }


def _operation(draw: random.Random, layers: dict[str, nn.Module], axes: int) -> Operation:
    i, j = draw.randrange(10**6), draw.randrange(10**6)
    name = draw.choice([*layers])
    at, wide = draw.randrange(3), draw.randint(1, 2)

    def one(values: Values) -> torch.Tensor:
        return values[i % len(values)]

    def put(values: Values, value: torch.Tensor) -> None:
        values[i % len(values)] = value

    def another(values: Values) -> torch.Tensor:
        return values[j % len(values)]

    def part(value: torch.Tensor) -> torch.Tensor:
        """Return a view."""
        return value[:, at % CHANNELS :] if at < 2 else value.narrow(2, 1, wide)

    def append(m: Program, v: Values) -> None:
        v.append(getattr(m, name)(one(v)))

    def replace(m: Program, v: Values) -> None:
        put(v, getattr(m, name)(one(v)))

    def unassigned(m: Program, v: Values) -> None:
        (m.relu, m.elu, m.drop)[at](one(v))

    def function_in_place(m: Program, v: Values) -> None:
        (F.relu(one(v), inplace=True), torch.tanh_(one(v)), F.leaky_relu(one(v), 0.1, True))[0]

    def alias(m: Program, v: Values) -> None:
        v.append((one(v), m.same(one(v)), m.drop(one(v)))[at])

    def view(m: Program, v: Values) -> None:
        v.append((one(v).flatten(1).view(one(v).shape), one(v).transpose(1, 2).transpose(1, 2), one(v)[:])[at])

    def add(m: Program, v: Values) -> None:
        put(v, (one(v) + another(v), torch.add(one(v), 0.5), one(v).add(another(v)))[at])

    def add_in_place(m: Program, v: Values) -> None:
        value = one(v)
        value += another(v).clone()

    def add_method(m: Program, v: Values) -> None:
        one(v).add_((m.tanh(another(v)), 0.25, m.conv(another(v)))[at])

    def part_in_place(m: Program, v: Values) -> None:
        part(one(v)).relu_()

    def part_plus(m: Program, v: Values) -> None:
        piece = part(one(v))
        piece += 0.3

    def set_part(m: Program, v: Values) -> None:
        one(v)[:, at % CHANNELS] = (0.5, another(v)[:, 0].clone(), torch.ones_like(another(v)[:, 0]))[at]

    def residual(m: Program, v: Values) -> None:
        put(v, one(v) + m.conv(m.relu(one(v))))

    def swap(m: Program, v: Values) -> None:
        v.append(torch.cat([one(v)[:, 1:], torch.relu(one(v)[:, :1])], 1))

    def beside_constant(m: Program, v: Values) -> None:
        v.append(torch.cat([one(v)[:, :1], torch.full_like(one(v)[:, :1], 0.7)], 1))

    def buffer(m: Program, v: Values) -> None:
        made = torch.zeros_like(one(v))
        made[:, :1] = one(v)[:, :1]
        made += 0.1
        v.append(made)

    return draw.choice(
        [
            append, append, replace, replace, replace, unassigned, unassigned, function_in_place, alias, view, add,
            add_in_place, add_method, part_in_place, part_plus, set_part, residual, swap, beside_constant, buffer,
        ]
    )  # fmt: skip


def _watch(draw: random.Random, model: Program) -> None:
    """Hang hooks on the network that look, and one that changes what the root is given or gives."""
    if draw.random() < 0.2:
        draw.choice([model.conv, model.relu, model.pool, model.block]).register_forward_hook(lambda *_: None)
    if draw.random() < 0.1:
        model.register_forward_pre_hook(lambda _, given: (given[0] + 0.5,))
    if draw.random() < 0.1:
        model.block.register_forward_hook(lambda _, __, given: given[:, [1, 0]])


def words(model: Program) -> str:
    """Say what a network does, for the message of a test that fails."""
    return " ".join(getattr(operation, "__name__", "?") for operation in model.operations) + f" | {model.last}"
