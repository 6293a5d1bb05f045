"""The fused operations as functions that autograd can take back, and what stands in their way.

The kernels are imported at first use, because numba is slow to import.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from math import prod
from typing import Any, cast

import numpy as np
import torch
from torch import nn
from torch.autograd import forward_ad as fwAD  # noqa: N812
from torch.nn import functional as F  # noqa: N812
from torch.nn.modules import module as every_module
from torch.utils._python_dispatch import _get_current_dispatch_mode

from pellucid.ground.arrays import FloatArray
from pellucid.kernels.arrays import Size

_LEAST_WORK = 10**6
"""Products of a convolution, for all of a batch, from which on it is worth having a kernel compiled."""

_MONOTONE = (nn.ELU, nn.ReLU, nn.ReLU6, nn.SELU, nn.CELU, nn.Softplus, nn.Softsign, nn.Tanh, nn.Sigmoid, nn.Identity)
"""Activations that never fall as their input rises, if their parameters allow it (`is_monotone`)."""

_GLOBAL_HOOKS = (
    every_module._global_forward_pre_hooks,
    every_module._global_forward_hooks,
    every_module._global_backward_pre_hooks,
    every_module._global_backward_hooks,
)

_FORWARDS: dict[type[nn.Module], Any] = {
    kind: kind.forward for kind in (nn.Conv3d, nn.MaxPool3d, nn.Dropout, *_MONOTONE)
}
"""What the layers compute, as PyTorch has it: a class whose `forward` was replaced computes something else."""

_one_at_a_time = threading.Lock()  # kernels use all threads, and not every threading layer of numba bears two at once
_owner: int | None = None  # the process that first ran a kernel
_in_bfloat16 = ContextVar("_in_bfloat16", default=False)


@cache
def numba_version() -> str | None:
    """Return the version of numba, which compiles the kernels, or None where it cannot be imported."""
    try:
        import numba
    except ImportError:
        return None
    return str(numba.__version__)


def obstacle(x: torch.Tensor, convolution: nn.Module, pool: nn.Module) -> str | None:
    """Return why `convolve_pool` cannot do what two layers do to x while nobody looks between them, or None if it can.

    Parameters
    ----------
    x
        The input of the convolution; (B, C_in, X, Y, Z) fits.
    convolution, pool
        An `nn.Conv3d` and the `nn.MaxPool3d` behind it.
    """
    assert isinstance(convolution, nn.Conv3d)
    assert isinstance(pool, nn.MaxPool3d)
    if type(x) is not torch.Tensor:
        return f"the input is a {type(x).__name__}"  # a proxy of torch.fx, or a fake
    if torch.jit.is_tracing() or torch.compiler.is_compiling():  # type: ignore[attr-defined, no-untyped-call]
        return "PyTorch is recording the layers"
    kernel, window = size_of(convolution.kernel_size), size_of(pool.kernel_size)
    before, after = zip(*_padding(convolution), strict=True)
    room = [n + b + a - k + 1 for n, b, a, k in zip(x.shape[2:], before, after, kernel, strict=False)]
    work = len(x) * prod(room) * convolution.weight.numel() if x.ndim == 5 else 0
    conditions = {
        f"the input is on {x.device}": x.device.type == convolution.weight.device.type == "cpu",
        f"the input is {x.dtype}, the kernels {convolution.weight.dtype}": x.dtype == convolution.weight.dtype,
        f"{x.dtype} has no kernel": x.dtype in (torch.float32, torch.float64),
        "autocast is on": not torch.is_autocast_enabled("cpu"),
        "the convolution has a stride, a dilation or groups": convolution.stride == convolution.dilation == (1, 1, 1)
        and convolution.groups == 1,
        f"the convolution pads with {convolution.padding_mode!r}": convolution.padding_mode == "zeros",
        "the pool's windows overlap or leave gaps": size_of(pool.stride) == window,
        "the pool is padded, dilated, takes incomplete windows or returns indices": size_of(pool.padding) == (0, 0, 0)
        and size_of(pool.dilation) == (1, 1, 1)
        and not pool.ceil_mode
        and not pool.return_indices,
        "the pool's window has more than 256 positions": prod(window) <= 256,  # winners are kept in a byte
        "a hook or a replaced forward watches a layer": not is_watched(convolution) and not is_watched(pool),
        "torch.func or forward-mode differentiation transforms the layers": not _is_transformed(),
        "a dispatch mode watches the operations": _get_current_dispatch_mode() is None,
        f"the input's shape is {tuple(x.shape)}": x.ndim == 5 and len(x) > 0 and x.shape[1] == convolution.in_channels,
        "the input is smaller than a window": all(n >= p for n, p in zip(room, window, strict=False)),
        "there is too little to do": work >= _LEAST_WORK,
        "numba is missing": numba_version() is not None,
        "the process was forked from one that had run a kernel": _owner in (None, os.getpid()),
    }
    return next((why for why, fine in conditions.items() if not fine), None)


def pool_behind(layers: Sequence[nn.Module]) -> int:
    """Return where the max-pool of the convolution that `layers` begin with is, or 0 if there is none.

    It follows directly or behind a monotone activation that nobody watches.
    """
    kinds = [type(layer) for layer in layers[:3]]
    if kinds[:1] != [nn.Conv3d]:
        return 0
    if kinds[1:2] == [nn.MaxPool3d]:
        return 1
    # Who watches a layer must see what it would have seen.
    commutes = kinds[2:] == [nn.MaxPool3d] and is_monotone(layers[1], cast(nn.Conv3d, layers[0]).weight.dtype)
    return 2 if commutes and not is_watched(layers[1]) else 0


def is_monotone(activation: nn.Module, dtype: torch.dtype) -> bool:
    """Tell whether an activation never falls as its input of `dtype` rises, so that it commutes with a max-pool.

    ELU falls below 0 if its alpha is negative. Softplus is linear from `beta x > threshold` on, where it falls by
    `log1p(exp(-threshold)) / beta`: it counts as monotone where `dtype` does not resolve that of `threshold / beta`.
    """
    if type(activation) not in _MONOTONE:
        return False
    if isinstance(activation, nn.Softplus):
        fall = math.log1p(math.exp(-activation.threshold)) if activation.threshold > 0 else math.inf
        return activation.beta > 0 and fall <= torch.finfo(dtype).eps * activation.threshold
    return bool(getattr(activation, "alpha", 1.0) > 0)


def convolve_pool(x: torch.Tensor, convolution: nn.Conv3d, pool: nn.MaxPool3d, *, frozen: bool = False) -> torch.Tensor:
    """Return `maxpool(w * x) + b`, which is `maxpool(w * x + b)`, for layers without an `obstacle`.

    Parameters
    ----------
    x
        (B, C_in, X, Y, Z).
    convolution, pool
        The layers whose weight w, bias b, padding and sizes are taken.
    frozen
        w and b get no gradients, which spares their sums on the way back.

    Returns
    -------
    tensor
        (B, C_out, X', Y', Z') in channels_last_3d, X' = (X + padding - kernel + 1) // pool.
    """
    padding = _padding(convolution)
    if any(map(any, padding)):
        x = F.pad(x, [n for pair in reversed(padding) for n in pair])
    sizes = size_of(convolution.kernel_size), size_of(pool.kernel_size)
    weight, bias = convolution.weight, convolution.bias
    if frozen:
        weight, bias = weight.detach(), None if bias is None else bias.detach()
    result = _ConvolvePool.apply(x, weight, bias, *sizes)  # type: ignore[no-untyped-call]
    return cast(torch.Tensor, result)


def bfloat16_obstacle() -> str | None:
    """Return why convolutions would not be quicker in bfloat16 here, or None if they would."""
    if numba_version() is None:
        return "numba is missing"
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported() or not torch.cpu._is_avx512_bf16_supported():
        return "the processor has no instructions for bfloat16 (avx512_bf16 or amx_bf16)"
    return None


@contextmanager
def bfloat16_convolutions() -> Iterator[None]:
    """Let `convolve_pool` multiply in bfloat16 where it has several channels in; sums and all else stay in float32.

    A product's factors keep 8 bits: the output of a convolution is then wrong by some 0.4 % of its largest value. The
    way back is not touched.
    """
    token = _in_bfloat16.set(True)
    try:
        yield
    finally:
        _in_bfloat16.reset(token)


def elu_dropout(z: torch.Tensor, p: float) -> torch.Tensor:
    """Return `dropout(elu(z))` in z's place, which must be of a kind that `convolve_pool` returned.

    The way back reads the result, so whoever gets it must not overwrite it.

    Parameters
    ----------
    z
        (B, C, X, Y, Z) in channels_last_3d; overwritten.
    p
        The probability that a value becomes 0, below 1; the mask is decided by one number from PyTorch's global
        generator. With 0 nothing is drawn.
    """
    seed = int(torch.randint(2**62, ()).item()) if p > 0.0 else 0
    return cast(torch.Tensor, _EluDropout.apply(z, seed, p))  # type: ignore[no-untyped-call]


class _ConvolvePool(torch.autograd.Function):
    """Convolution, max-pool and bias; arrays are (B, X, Y, Z, C), tensors (B, C, X, Y, Z) in channels_last_3d."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, kernel: Size, pool: Size
    ) -> torch.Tensor:
        from pellucid.kernels.convolve_pool import convolve_pool
        from pellucid.kernels.pool import pool as max_pool

        b = (weight.new_zeros(len(weight)) if bias is None else bias.detach()).numpy()
        if x.shape[1] == 1:
            taps = weight.detach().reshape(len(weight), -1).T.contiguous().numpy()
            with running_kernels():
                best, winner = convolve_pool(_array(x)[..., 0], taps, b, kernel, pool)
        else:
            if x.dtype == torch.float32 and _in_bfloat16.get():
                z = _array(F.conv3d(x.bfloat16(), weight.bfloat16()).float())
            else:
                z = _array(F.conv3d(x, weight))
            with running_kernels():
                best, winner = max_pool(z, b, pool)
        ctx.save_for_backward(x, weight, bias)
        ctx.winner, ctx.kernel, ctx.pool = winner, kernel, pool
        return _tensor(best)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        from pellucid.kernels.winners import input_gradient, weight_gradient

        x, weight, bias = ctx.saved_tensors
        # The gradient itself shall have gradients, or is one of several at once: go back through the plain layers.
        if (again := torch.is_grad_enabled()) or _is_transformed() or _is_batched(gradients[0]):
            asked = [t for t, needed in zip((x, weight, bias), ctx.needs_input_grad, strict=False) if needed]
            with torch.enable_grad():
                z = F.max_pool3d(F.conv3d(x, weight, bias), ctx.pool)
            found = iter(torch.autograd.grad(z, asked, gradients[0], create_graph=again))
            return *(next(found) if needed else None for needed in ctx.needs_input_grad[:3]), None, None
        g = _array(gradients[0])
        dx = dw = db = None
        with running_kernels():
            if ctx.needs_input_grad[0]:
                taps = np.ascontiguousarray(_array(weight).reshape(len(weight), -1, weight.shape[1]))
                shape = (len(x), *x.shape[2:], x.shape[1])
                dx = _tensor(input_gradient(shape, taps, g, ctx.winner, ctx.kernel, ctx.pool))
            if any(ctx.needs_input_grad[1:3]):
                of_weight, of_bias = weight_gradient(_array(x), g, ctx.winner, ctx.kernel, ctx.pool)
                dw = _tensor(of_weight.reshape(len(weight), *ctx.kernel, -1))
                db = None if bias is None else torch.from_numpy(of_bias).to(weight.dtype)
        return dx, dw, db, None, None


class _EluDropout(torch.autograd.Function):
    """ELU and dropout in place; what is kept is the output alone, the mask is drawn again on the way back."""

    @staticmethod
    def forward(ctx: Any, z: torch.Tensor, seed: int, p: float) -> torch.Tensor:
        from pellucid.kernels.dropout import drop

        F.elu(z, inplace=True)
        if p > 0.0:
            values = z.detach().permute(0, 2, 3, 4, 1).numpy()
            with running_kernels():
                drop(values.reshape(-1, values.shape[4]), seed, p)
        ctx.mark_dirty(z)
        ctx.save_for_backward(z)
        ctx.seed, ctx.p = seed, p
        return z

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        from pellucid.kernels.dropout import drop, elu_dropout_backward

        (y,) = ctx.saved_tensors
        (g,) = gradients
        if torch.is_grad_enabled() or _is_transformed() or _is_batched(g):
            mask = np.ones((y.numel() // y.shape[1], y.shape[1]), dtype=_array(y).dtype)
            with running_kernels():
                drop(mask, ctx.seed, ctx.p)  # 0 or 1 / (1 - p)
            kept = _tensor(mask.reshape(_array(y).shape))
            return g * kept * torch.where(y > 0, torch.ones_like(y), y * (1.0 - ctx.p) + 1.0), None, None
        values = _array(y)
        rows = (-1, values.shape[4])
        with running_kernels():
            before = elu_dropout_backward(_array(g).reshape(rows), values.reshape(rows), ctx.seed, ctx.p)
        return _tensor(before.reshape(values.shape)), None, None


@contextmanager
def running_kernels() -> Iterator[None]:
    """Run kernels on as many threads as PyTorch has, one kernel at a time, and leave PyTorch as many.

    Both share one OpenMP, and numba's first kernel sets its number of threads to the machine's: later sums in PyTorch
    would differ in the last bit from those of a process that never ran a kernel.
    """
    from pellucid.kernels.compile import threads

    global _owner
    count = torch.get_num_threads()
    with _one_at_a_time:
        _owner = _owner or os.getpid()
        try:
            with threads(count):
                yield
        finally:
            if torch.get_num_threads() != count:
                torch.set_num_threads(count)


def is_watched(layer: nn.Module) -> bool:
    """Tell whether a hook, or a `forward` that was put in its place, wants to be called with the layer.

    Only the layer itself calls them.
    """
    hooks = (layer._forward_pre_hooks, layer._forward_hooks, layer._backward_pre_hooks, layer._backward_hooks)
    kind = type(layer)
    replaced = "forward" in vars(layer) or kind.__call__ is not nn.Module.__call__
    return any(hooks) or any(_GLOBAL_HOOKS) or replaced or _FORWARDS.get(kind, kind.forward) is not kind.forward


def _is_transformed() -> bool:
    """Tell whether torch.func (grad, vmap, jvp) or forward-mode differentiation is at work, unseen by kernels."""
    return bool(torch._C._are_functorch_transforms_active()) or fwAD._current_level >= 0


def _is_batched(gradient: torch.Tensor) -> bool:
    """Tell whether a gradient stands for several, as `torch.autograd.grad(..., is_grads_batched=True)` makes them."""
    return "Batched" in str(torch._C._dispatch_keys(gradient))  # PyTorch gives this key no name


def size_of(value: Any) -> Size:
    """Return a layer's size along X, Y and Z."""
    return (value, value, value) if isinstance(value, int) else tuple(value)


def _padding(convolution: nn.Conv3d) -> list[tuple[int, int]]:
    """Return how many zeros a convolution puts before and behind each axis."""
    if convolution.padding == "valid":
        return [(0, 0)] * 3
    if convolution.padding == "same":
        return [((k - 1) // 2, k // 2) for k in size_of(convolution.kernel_size)]
    return [(n, n) for n in size_of(convolution.padding)]


def _array(x: torch.Tensor) -> FloatArray:
    """Return (B, C, X, Y, Z) as a C-contiguous array (B, X, Y, Z, C), without a copy if it lies so already."""
    return cast(FloatArray, x.detach().permute(0, 2, 3, 4, 1).contiguous().numpy())


def _tensor(array: FloatArray) -> torch.Tensor:
    """Return (B, X, Y, Z, C) as a tensor (B, C, X, Y, Z) in channels_last_3d, without a copy."""
    view = torch.from_numpy(array).permute(0, 4, 1, 2, 3)
    # The same memory, but no view of another tensor: autograd lets no view be overwritten.
    return torch.empty(0, dtype=view.dtype).set_(view.untyped_storage(), 0, view.shape, view.stride())
