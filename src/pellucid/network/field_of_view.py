"""What a network can see: the input voxels that can move its output, and the crop that is enough.

Valid convolutions and flooring pools drop the far end of every axis. The paper's network sees 71x98x71 of its
96x114x96 voxels, 47.0 %, so the rest need never be computed, and no heatmap can say anything about it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import nn

from pellucid.ground.arrays import BoolArray
from pellucid.ground.errors import InputError, PellucidError
from pellucid.image.grid import Grid
from pellucid.network.fused import FusedSequential
from pellucid.network.fused_functions import is_watched
from pellucid.network.info import Described

ELEMENTWISE = (
    nn.ELU, nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Softplus,
    nn.Softsign, nn.Tanh, nn.Sigmoid, nn.LogSigmoid, nn.Hardtanh, nn.Hardsigmoid, nn.Hardswish, nn.Identity,
    nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout,
)  # fmt: skip
BATCH_NORM = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
CONVOLUTION = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
MAX_POOL = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
AVERAGE_POOL = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
_SEES_ALL = (
    nn.Flatten,
    nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d,
    nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d,
)  # fmt: skip


_chains: set[Callable[..., Any]] = {nn.Sequential.forward, FusedSequential.forward}


def runs_layers_in_order(forward: Callable[..., Any]) -> Callable[..., Any]:
    """Declare that a `forward` does no more to x than crop it to its field of view and run its layers in order."""
    _chains.add(forward)
    return forward


class UnknownWindowError(PellucidError):
    """A layer whose geometry does not tell what it reads."""


class Window(NamedTuple):
    """What a layer reads along one axis: output j reads `j * stride - before + i * dilation`, i < kernel."""

    kernel: int
    stride: int
    before: int
    after: int
    dilation: int
    ceil: bool

    @property
    def reach(self) -> int:
        """The distance from the first position that an output reads to the last."""
        return self.dilation * (self.kernel - 1)

    def length(self, n: int) -> int:
        """Return how many outputs an axis of n positions leaves: `(n + padding - reach - 1) / stride + 1`."""
        room = n + self.before + self.after - self.reach - 1
        if not self.ceil:
            return max(0, room // self.stride + 1)
        outputs = -(-room // self.stride) + 1
        # PyTorch drops a window that would begin in the padding behind the axis.
        return max(0, outputs - 1 if (outputs - 1) * self.stride >= n + self.before else outputs)

    def reads(self, outputs: set[int], n: int) -> set[int]:
        """Return which of n positions the given outputs read."""
        first = (j * self.stride - self.before for j in outputs)
        taps = {start + i * self.dilation for start in first for i in range(self.kernel)}
        return {position for position in taps if 0 <= position < n}


@dataclass(frozen=True, slots=True)
class FieldOfView:
    """The voxels of an input of `shape` that can move a network's output.

    Parameters
    ----------
    stops
        Per axis, how many leading voxels are enough: cropping to them changes neither output, gradient nor relevance.
    shape
        The spatial shape of the input.
    seen
        Per axis, the indices that can move the output. A voxel is seen if its index is on every axis.
    known
        False for a network whose layers do not tell: then everything counts as seen.
    """

    stops: tuple[int, ...]
    shape: tuple[int, ...]
    seen: tuple[tuple[int, ...], ...]
    known: bool = True

    def mask(self) -> BoolArray:
        """Return a boolean array of `shape`: True where a voxel can move the output."""
        mask = np.zeros(self.shape, dtype=np.bool_)
        mask[np.ix_(*self.seen)] = True
        return mask

    @property
    def share(self) -> float:
        """The seen voxels as a share of all, 0 to 1."""
        return math.prod(len(axis) for axis in self.seen) / math.prod(self.shape)


def crop(x: torch.Tensor, view: FieldOfView) -> torch.Tensor:
    """Return the leading `view.stops` voxels of x: (B, C, *shape), without copying."""
    for axis, stop in enumerate(view.stops, start=x.ndim - len(view.stops)):
        x = x.narrow(axis, 0, stop)
    return x


def field_of_view(model: nn.Module, shape: tuple[int, ...] | None = None) -> FieldOfView:
    """Derive from layer geometry which voxels of an input of `shape` can move the output of `model`.

    Parameters
    ----------
    model
        One of Pellucid's networks, a layer, or an `nn.Sequential` (nested ones too) of convolutions, pools and
        elementwise layers in 1D to 3D, in evaluation mode, up to its flatten or adaptive pool; what follows that sees
        everything it is given. Only PyTorch's own classes count, and only where nothing may change what they do: no
        subclass, no hook, no replaced `forward`. Of any other network it is not known: everything counts as seen, for
        no voxel is called unseen without a proof. It is not measured: max-pools and ReLUs give zero gradients to
        voxels that other images make count.
    shape
        The spatial shape of the input; may be left out if the model has a `grid`.

    Raises
    ------
    InputError
        If `shape` is missing, has another number of axes than the layers, or is too small for them.
    """
    if shape is None:
        if not hasattr(model, "grid"):
            raise InputError("shape", f"is missing and {type(model).__name__} has no grid", "Give the input's shape")
        shape = cast("Grid", model.grid).shape
    network, shape = model.inner if isinstance(model, Described) else model, tuple(shape)
    if not any(is_watched(module) for module in network.modules()):  # a hook may change what a layer is given or gives
        with suppress(UnknownWindowError):
            return derive_view(network, shape)
    return FieldOfView(stops=shape, shape=shape, seen=tuple(tuple(range(n)) for n in shape), known=False)


def derive_view(model: nn.Module, shape: tuple[int, ...]) -> FieldOfView:
    """Return what layers see of an input of `shape` by their geometry, whoever watches them.

    Raises
    ------
    InputError
        If `shape` has another number of axes than the layers, or is too small for them.
    UnknownWindowError
        If what a layer reads is not known.
    """
    layers = windows(model)
    _check_axes(layers, shape)
    axes = [tuple(layer[axis] for layer in layers) for axis in range(len(shape))]
    if any(_lengths(axis, n)[-1] < 1 for axis, n in zip(axes, shape, strict=True)):
        raise InputError("shape", f"{_by(shape)} is too small: a layer has no input left", "Give a larger input")
    return FieldOfView(
        stops=tuple(_stop(axis, n) for axis, n in zip(axes, shape, strict=True)),
        shape=shape,
        seen=tuple(tuple(sorted(_seen(axis, n))) for axis, n in zip(axes, shape, strict=True)),
    )


def output_shape(model: nn.Module, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the spatial shape that an input of `shape` has before the flatten; 0 where a layer has nothing to read."""
    layers = windows(model)
    _check_axes(layers, shape)
    return tuple(_lengths([layer[axis] for layer in layers], n)[-1] for axis, n in enumerate(shape))


def windows(model: nn.Module) -> list[tuple[Window, ...]]:
    """Return the window along each axis of every convolution and pool of `model`, in order, up to its flatten.

    Raises
    ------
    UnknownWindowError
        If what a layer reads is not known.
    """
    found: list[tuple[Window, ...]] = []
    for path, layer in _layers(model, ""):
        kind = type(layer)  # never isinstance: a subclass may read something else
        if kind in _SEES_ALL:
            break
        if kind in ELEMENTWISE or (kind in BATCH_NORM and _is_affine(layer)):
            continue
        if kind not in (*CONVOLUTION, *MAX_POOL, *AVERAGE_POOL):
            raise UnknownWindowError(
                f"Layer {path or 'model'} ({kind.__name__}) has no known field of view. "
                "Known are convolutions, pools, elementwise layers and, at the end, a flatten or adaptive pool."
            )
        found.append(_windows_of(layer, path))
    return found


def _layers(module: nn.Module, path: str) -> Iterator[tuple[str, nn.Module]]:
    """Yield the layers of a module and their paths, going into what runs its layers in order."""
    if type(module).forward not in _chains:
        yield path, module
        return
    for name, child in module.named_children():
        yield from _layers(child, f"{path}.{name}" if path else name)


def _is_affine(norm: nn.Module) -> bool:
    """Tell whether a batch norm scales by running statistics; by those of the batch, every voxel moves every other."""
    return cast(nn.BatchNorm3d, norm).running_mean is not None


def _windows_of(layer: nn.Module, path: str) -> tuple[Window, ...]:
    """Read the geometry of one convolution or pool."""
    axes = int(type(layer).__name__[-2])  # Conv3d, MaxPool1d: the axes are in the name

    def per_axis(value: object) -> tuple[int, ...]:
        return tuple(value) if isinstance(value, tuple | list) else (int(value),) * axes  # type: ignore[call-overload]

    kernel, stride = per_axis(layer.kernel_size), per_axis(layer.stride)
    dilation = per_axis(getattr(layer, "dilation", 1))  # average pools have none
    if getattr(layer, "padding_mode", "zeros") != "zeros":
        raise UnknownWindowError(
            f"Layer {path or 'model'} pads with {layer.padding_mode!r}; its field of view is not known. Pad with zeros."
        )
    if layer.padding == "same":
        total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        before = tuple(t // 2 for t in total)
        after = tuple(t - t // 2 for t in total)
    else:
        before = after = per_axis(0 if layer.padding == "valid" else layer.padding)
    ceil = bool(getattr(layer, "ceil_mode", False))
    return tuple(Window(*axis, ceil) for axis in zip(kernel, stride, before, after, dilation, strict=True))


def _check_axes(layers: list[tuple[Window, ...]], shape: tuple[int, ...]) -> None:
    """Refuse a shape of another dimension than the layers."""
    for layer in layers:
        if len(layer) != len(shape):
            raise InputError(
                "shape", f"{_by(shape)} has {len(shape)} axes, the layers are {len(layer)}D", "Give one length per axis"
            )


def _lengths(axis: tuple[Window, ...] | list[Window], n: int) -> list[int]:
    """Return the length of the axis before each layer and at the end."""
    lengths = [n]
    for window in axis:
        lengths.append(window.length(lengths[-1]) if lengths[-1] else 0)
    return lengths


def _seen(axis: tuple[Window, ...], n: int) -> set[int]:
    """Return the input positions that some output reads, layer by layer from the last."""
    lengths = _lengths(axis, n)
    needed = set(range(lengths[-1]))
    for window, length in zip(reversed(axis), reversed(lengths[:-1]), strict=True):
        needed = window.reads(needed, length)
    return needed


def _stop(axis: tuple[Window, ...], n: int) -> int:
    """Return the shortest prefix of the axis that is known to give the same output."""
    first = max(_seen(axis, n), default=0) + 1
    return next(short for short in range(first, n + 1) if _prefix_suffices(axis, n, short))


def _prefix_suffices(axis: tuple[Window, ...], n: int, short: int) -> bool:
    """Tell whether an axis of n positions gives the same output as its first `short`.

    Cutting brings the padding behind the axis nearer, so the cut run's positions from some `same` on differ from the
    whole run's. An output whose last tap lies before `same` is the same; if nothing was cut, all are. A cut axis must
    hold a whole window, for PyTorch's padded pools may refuse one that does not.
    """
    same, cut, whole = short, short, n
    for window in axis:
        uncut = same == cut == whole
        if not uncut and cut <= window.reach:
            return False
        cut, whole = window.length(cut), window.length(whole)
        if cut < 1:
            return False
        same = cut if uncut else min(cut, max(0, (same - 1 + window.before - window.reach) // window.stride + 1))
    return same == cut == whole


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(str(n) for n in shape)
