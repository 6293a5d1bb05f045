"""Random networks: chains of layers, and what users do besides: overwrite, alias, slice, share and watch layers."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any, NamedTuple

import torch
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F  # noqa: N812

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
MAX_POOLS = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
AVERAGE_POOLS = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
ACTIVATIONS = (
    nn.ELU(), nn.ReLU(), nn.ReLU(inplace=True), nn.ELU(inplace=True), nn.LeakyReLU(0.2), nn.Tanh(), nn.Dropout(),
    nn.Dropout(inplace=True), nn.Identity(),
)  # fmt: skip
LAYERS = ("convolution", "convolution", "convolution", "transposed", "maximum", "average", "norm", "activation")
ODDITIES = (
    "beside", "again", "unassigned", "in place", "alias", "view", "sum", "add_", "+=", "part in place", "part +=",
    "set part", "residual", "swap", "constant", "buffer", "loop",
)  # fmt: skip
MOST = 2 * 10**7  # numbers in the matrix that the slow twin writes for a layer

Values = list[torch.Tensor]
Operation = Callable[[nn.Module, Values], None]
"""Changes the list of tensors that a network works on."""


class Case(NamedTuple):
    """A network in float64, an x for it, some of whose voxels are 0, and an output unit for each item."""

    model: nn.Module
    x: torch.Tensor
    units: list[int]


class Program(nn.Module):
    """A network that applies operations in turn to a list of tensors, and a dense layer to what is left of them."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[tuple[str, Operation]] = []
        self.end = ""

    def extra_repr(self) -> str:
        return " | ".join([*(name for name, _ in self.operations), self.end])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        values = [x]
        for _, operation in self.operations:
            operation(self, values)
        logits = self.fc(torch.cat([value.flatten(1) for value in values], 1))
        if self.end == "module":
            return self.head(logits)
        if self.end == "method":
            return logits.softmax(1)[:, :]
        return logits.sigmoid_() if self.end == "in place" else logits


@st.composite
def networks(draw: st.DrawFn, *, kinds: tuple[str, ...] = LAYERS + ODDITIES, bias: bool = True) -> Case:
    """A random 1D to 3D network; of nothing but layers, an `nn.Sequential` with one output."""
    axes = draw(st.integers(1, 3))
    torch.manual_seed(draw(st.integers(0, 10**6)))
    chain = not set(kinds) & set(ODDITIES)
    least, greatest = (5, (16, 9, 7)[axes - 1]) if chain else (4, 5)
    shape = [draw(st.integers(least, greatest)) for _ in range(axes)]
    x = torch.randn(2 if chain else draw(st.integers(1, 3)), draw(st.integers(1, 2)), *shape, dtype=torch.float64)
    x = x * (torch.rand_like(x) > 0.2)
    model, values = Program(), [x.clone()]
    for kind in draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=5 if chain else 8)):
        _extend(draw, model, kind, values, bias)
    units = 1 if chain else draw(st.integers(1, 3))
    head = nn.Linear(sum(value[0].numel() for value in values), units, bias=bias).double()
    if chain:
        return Case(nn.Sequential(*model.children(), nn.Flatten(), head).eval(), x, [0] * len(x))
    model.fc, model.head = head, draw(st.sampled_from([nn.Sigmoid(), nn.LogSoftmax(1), nn.LogSigmoid()]))
    model.end = draw(st.sampled_from(["", "", "", "module", "method", "in place"]))
    _watch(draw, model)
    model.train(draw(st.integers(0, 9)) == 9)
    return Case(model, x, [draw(st.integers(0, units - 1)) for _ in x])


def _extend(draw: st.DrawFn, model: Program, kind: str, values: Values, bias: bool) -> None:
    """Draw an operation, and let `values` become what it makes of them, unless they are too small or large for it."""
    shapes = [value.shape for value in values]
    i = draw(st.integers(0, len(values) - 1))
    before, layers = [value.clone() for value in values], len(list(model.children()))
    operation = _operation(draw, model, kind, shapes, i, bias)
    try:
        with torch.no_grad():
            operation(model.eval(), values)
    except RuntimeError:  # the layer finds too little to read
        fits = False
    else:
        sizes = [a[0].numel() * b[0].numel() for a in before for b in values]
        fits = max(sizes) <= MOST and all(bool(value.isfinite().all()) for value in values)
    if fits:
        model.operations.append((kind, operation))
        return
    values[:] = before
    for name, _ in list(model.named_children())[layers:]:
        delattr(model, name)


def _operation(draw: st.DrawFn, model: Program, kind: str, shapes: list[torch.Size], i: int, bias: bool) -> Operation:
    shape = shapes[i]
    axes, channels = len(shape) - 2, shape[1]
    j = draw(st.sampled_from([j for j, other in enumerate(shapes) if other == shape]))

    def added(layer: nn.Module) -> str:
        name = f"layer{len(list(model.children()))}"
        model.add_module(name, layer.double().eval())
        return name

    def same() -> str:
        """Add a convolution that keeps the shape."""
        return added(CONVOLUTIONS[axes - 1](channels, channels, 3, padding=1, bias=bias))

    if kind in LAYERS or kind in ("beside", "unassigned"):
        what = {"beside": draw(st.sampled_from(LAYERS)), "unassigned": "activation"}.get(kind, kind)
        name = added(_layer(draw, what, axes, channels, bias))

        def apply(m: Any, v: Values) -> None:
            result = getattr(m, name)(v[i])
            if kind == "beside":
                v.append(result)
            elif kind != "unassigned":
                v[i] = result

        return apply
    which, at = draw(st.integers(0, 2)), draw(st.integers(0, channels - 1))
    place = draw(st.integers(0, shape[2] - 1))

    def part(value: torch.Tensor) -> torch.Tensor:
        """Return a view."""
        return value[:, at:] if which < 2 else value.narrow(2, place, 1)

    def again(m: Any, v: Values) -> None:
        v[i] = getattr(m, shared)(getattr(m, shared)(v[i]))

    def in_place(m: Any, v: Values) -> None:
        (lambda h: F.relu(h, inplace=True), torch.tanh_, lambda h: F.leaky_relu(h, 0.1, True))[which](v[i])

    def alias(m: Any, v: Values) -> None:
        v.append((v[i], getattr(m, idle)(v[i]), v[i][:])[which])

    def view(m: Any, v: Values) -> None:
        h = v[i]
        v.append((h.flatten(1).view(h.shape), h.transpose(1, 2).transpose(1, 2), h.view(len(h), *h.shape[1:]))[which])

    def add(m: Any, v: Values) -> None:
        v[i] = (v[i] + v[j], torch.add(v[i], 0.5), v[i].add(v[j]))[which]

    def add_method(m: Any, v: Values) -> None:
        v[i].add_((torch.tanh(v[j]), 0.25, getattr(m, shared)(v[j]))[which])

    def add_in_place(m: Any, v: Values) -> None:
        value = v[i]
        value += v[j].clone()

    def part_in_place(m: Any, v: Values) -> None:
        part(v[i]).relu_()

    def part_plus(m: Any, v: Values) -> None:
        piece = part(v[i])
        piece += 0.3

    def set_part(m: Any, v: Values) -> None:
        v[i][:, at] = (0.5, v[j][:, 0].clone(), torch.ones_like(v[j][:, 0]))[which]

    def residual(m: Any, v: Values) -> None:
        v[i] = v[i] + getattr(m, shared)(F.relu(v[i], inplace=which == 0))

    def swap(m: Any, v: Values) -> None:
        v.append(torch.cat([v[i][:, at:], torch.relu(v[i][:, :at])], 1))

    def constant(m: Any, v: Values) -> None:
        v.append(torch.cat([v[i][:, :1], torch.full_like(v[i][:, :1], 0.7)], 1))

    def buffer(m: Any, v: Values) -> None:
        made = torch.zeros_like(v[i])
        made[:, :1] = v[i][:, :1]
        made += 0.1
        v.append(made)

    def loop(m: Any, v: Values) -> None:
        v[i] = torch.cat([torch.relu(v[i][:, k : k + 1]) for k in range(v[i].size(1))], 1)

    shared = same() if kind in ("again", "add_", "residual") else ""
    idle = added(draw(st.sampled_from([nn.Identity(), nn.Dropout(0.3)]))) if kind == "alias" else ""
    return {
        "again": again, "in place": in_place, "alias": alias, "view": view, "sum": add, "add_": add_method,
        "+=": add_in_place, "part in place": part_in_place, "part +=": part_plus, "set part": set_part,
        "residual": residual, "swap": swap, "constant": constant, "buffer": buffer, "loop": loop,
    }[kind]  # fmt: skip


def _layer(draw: st.DrawFn, kind: str, axes: int, channels: int, bias: bool) -> nn.Module:
    kernel, stride = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    if kind == "convolution":
        groups = draw(st.sampled_from([1, channels]))
        dilation, padding = draw(st.integers(1, 2)), draw(st.sampled_from([0, 1, 2, "same"]))
        if padding == "same":  # PyTorch warns of even kernels, once
            kernel, stride = 2 * kernel - 1, 1
        outputs = 2 * channels if groups > 2 else 2
        return CONVOLUTIONS[axes - 1](channels, outputs, kernel, stride, padding, dilation, groups, bias)
    if kind == "transposed":
        return TRANSPOSED[axes - 1](channels, 2, kernel, stride, bias=bias)
    if kind == "maximum":
        kernel = draw(st.integers(2, 3))
        padding, dilation = draw(st.integers(0, 1)), draw(st.integers(1, 2))
        return MAX_POOLS[axes - 1](kernel, stride, padding, dilation, ceil_mode=draw(st.booleans()))
    if kind == "average":
        return AVERAGE_POOLS[axes - 1](kernel, stride, draw(st.integers(0, kernel // 2)))
    if kind == "norm":
        norm = BATCH_NORMS[axes - 1](channels, affine=bias)
        norm.running_var.uniform_(0.5, 2)
        if bias:
            norm.running_mean.normal_()
            nn.init.normal_(norm.weight)
            nn.init.normal_(norm.bias)
        return norm
    return deepcopy(draw(st.sampled_from(ACTIVATIONS)))


def _watch(draw: st.DrawFn, model: Program) -> None:
    """Hang hooks on the network that look, and one that changes what the root is given."""
    if draw(st.integers(0, 4)) == 4:
        draw(st.sampled_from(list(model.children()))).register_forward_hook(lambda *_: None)
    if draw(st.integers(0, 4)) == 4 and model.end != "in place":  # PyTorch forbids to overwrite what such a layer gives
        draw(st.sampled_from([model.fc, model.head])).register_full_backward_hook(lambda *_: None)
    if draw(st.integers(0, 9)) == 9:
        model.register_forward_pre_hook(lambda _, given: (given[0] + 0.5,))
