"""Convolution, max-pool, bias, ELU and dropout as one operation: what the layers do one by one, several times quicker.

It keeps its input, its output and one byte for each pooled value (which position of the window won), nothing of the
size of the convolution's output; and its way back goes along the winners alone.

The kernels are imported at first use, because numba is slow to import; without numba nothing `fits`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from math import prod
from typing import Any, cast

import numpy as np
import torch
from torch import nn
from torch.autograd.function import once_differentiable

from pellucid.kernels.arrays import Floats, Size

_MOST_PRODUCTS = 1000  # of a one-channel window: kernel times pool; beyond it compiling takes longer than it saves


@cache
def numba_version() -> str | None:
    """Return the version of numba, which compiles the kernels, or None where it cannot be imported."""
    try:
        import numba
    except ImportError:
        return None
    return str(numba.__version__)


def fits(x: torch.Tensor, convolution: nn.Conv3d, pool: nn.MaxPool3d, elu: nn.ELU, dropout: nn.Dropout) -> bool:
    """Tell whether `convolve_pool_activate` can do what these layers do to x, and nobody looks between them.

    Parameters
    ----------
    x
        The input of the convolution; (B, C_in, X, Y, Z) fits.
    convolution, pool, elu, dropout
        Layers that follow each other.

    Returns
    -------
    bool
        Whether x is a finite CPU tensor of float32 or float64 that gives each layer something to do; the convolution
        has a bias and is plain (stride, dilation and groups 1, no padding); the pool's windows do not overlap; ELU's
        alpha is 1; no layer has a hook; PyTorch is not recording the layers; and numba is there.
    """
    kernel, window = _size(convolution.kernel_size), _size(pool.kernel_size)
    return (
        type(x) is torch.Tensor  # neither a proxy nor a fake
        and not torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
        and not torch.compiler.is_compiling()
        and x.device == convolution.weight.device == torch.device("cpu")
        and x.dtype == convolution.weight.dtype
        and x.dtype in (torch.float32, torch.float64)
        and not torch.is_autocast_enabled("cpu")
        and convolution.bias is not None
        and convolution.stride == convolution.dilation == (1, 1, 1)
        and convolution.padding == (0, 0, 0)
        and convolution.groups == 1
        and _size(pool.stride) == window
        and _size(pool.padding) == (0, 0, 0)
        and _size(pool.dilation) == (1, 1, 1)
        and not pool.ceil_mode
        and not pool.return_indices
        and prod(window) <= 256  # winners are kept in a byte
        and (convolution.in_channels > 1 or prod(window) * prod(kernel) <= _MOST_PRODUCTS)
        and elu.alpha == 1.0
        and dropout.p < 1.0
        and not any(_has_hooks(layer) for layer in (convolution, pool, elu, dropout))
        and x.ndim == 5
        and len(x) > 0
        and x.shape[1] == convolution.in_channels
        and all(n >= k + p - 1 for n, k, p in zip(x.shape[2:], kernel, window, strict=True))
        and bool(torch.isfinite(x.detach().sum()))  # a winner among NaNs is nobody
        and numba_version() is not None
    )


def convolve_pool_activate(
    x: torch.Tensor, convolution: nn.Conv3d, pool: nn.MaxPool3d, dropout: nn.Dropout
) -> torch.Tensor:
    """Return `dropout(elu(maxpool(w * x) + b))`, which is `dropout(maxpool(elu(w * x + b)))`, for layers that `fits`.

    Parameters
    ----------
    x
        (B, C_in, X, Y, Z).
    convolution, pool
        The layers whose weight w, bias b and sizes are taken.
    dropout
        The layer whose p is taken; in evaluation nothing is dropped.

    Returns
    -------
    tensor
        (B, C_out, X', Y', Z') in channels_last_3d, X' = (X - kernel + 1) // pool.

    Notes
    -----
    Dropout's mask is decided by one number from PyTorch's global generator. Gradients can be taken once, not twice.
    """
    p = dropout.p if dropout.training else 0.0
    seed = int(torch.randint(2**62, ()).item()) if p > 0.0 else 0
    sizes = _size(convolution.kernel_size), _size(pool.kernel_size)
    result = _ConvolvePoolActivate.apply(x, convolution.weight, convolution.bias, *sizes, seed, p)  # type: ignore[no-untyped-call]
    return cast(torch.Tensor, result)


class _ConvolvePoolActivate(torch.autograd.Function):
    """The operation and its way back; arrays are (B, X, Y, Z, C), tensors (B, C, X, Y, Z) in channels_last_3d."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor,
        kernel: Size,
        pool: Size,
        seed: int,
        p: float,
    ) -> torch.Tensor:
        from pellucid.kernels.convolve_pool import convolve_pool
        from pellucid.kernels.dropout import drop
        from pellucid.kernels.pool import pool as max_pool

        with _kernel_threads():
            if x.shape[1] == 1:
                taps = weight.detach().reshape(len(weight), -1).T.contiguous().numpy()
                best, winner = convolve_pool(_array(x)[..., 0], taps, kernel, pool)
            else:
                best, winner = max_pool(_array(nn.functional.conv3d(x, weight)), pool)
            out = torch.from_numpy(best)
            nn.functional.elu(out.add_(bias.detach()), inplace=True)
            drop(best.reshape(-1, best.shape[4]), seed, p)
        out = out.permute(0, 4, 1, 2, 3)
        ctx.save_for_backward(x, weight, out)
        ctx.winner, ctx.kernel, ctx.pool, ctx.seed, ctx.p = winner, kernel, pool, seed, p
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        from pellucid.kernels.dropout import elu_dropout_backward
        from pellucid.kernels.winners import input_gradient, weight_gradient

        x, weight, out = ctx.saved_tensors
        values = _array(out)
        rows = (-1, values.shape[4])
        dx = dw = None
        with _kernel_threads():
            before, bias = elu_dropout_backward(
                _array(gradients[0]).reshape(rows), values.reshape(rows), ctx.seed, ctx.p
            )
            g = before.reshape(values.shape)
            if ctx.needs_input_grad[0]:
                taps = np.ascontiguousarray(_array(weight).reshape(len(weight), -1, weight.shape[1]))
                shape = (len(x), *x.shape[2:], x.shape[1])
                found = input_gradient(shape, taps, g, ctx.winner, ctx.kernel, ctx.pool)
                dx = torch.from_numpy(found).permute(0, 4, 1, 2, 3)
            if ctx.needs_input_grad[1]:
                found = weight_gradient(_array(x), g, ctx.winner, ctx.kernel, ctx.pool)
                dw = torch.from_numpy(found.reshape(len(weight), *ctx.kernel, -1)).permute(0, 4, 1, 2, 3)
        return dx, dw, torch.from_numpy(bias).to(weight.dtype), None, None, None, None


@contextmanager
def _kernel_threads() -> Iterator[None]:
    """Run kernels on as many threads as PyTorch has, and leave PyTorch as many.

    Both share one OpenMP, and numba's first kernel sets its number of threads to the machine's: later sums in PyTorch
    would differ in the last bit from those of a process that never ran a kernel.
    """
    from pellucid.kernels.compile import threads

    count = torch.get_num_threads()
    try:
        with threads(count):
            yield
    finally:
        if torch.get_num_threads() != count:
            torch.set_num_threads(count)


def _has_hooks(layer: nn.Module) -> bool:
    """Tell whether something wants to be called with the layer: only the layer itself calls it."""
    hooks = (layer._forward_pre_hooks, layer._forward_hooks, layer._backward_pre_hooks, layer._backward_hooks)
    return any(hooks)


def _array(x: torch.Tensor) -> Floats:
    """Return (B, C, X, Y, Z) as a C-contiguous array (B, X, Y, Z, C), without a copy if it lies so already."""
    return cast(Floats, x.detach().permute(0, 2, 3, 4, 1).contiguous().numpy())


def _size(value: Any) -> Size:
    """Return a layer's size along X, Y and Z."""
    return (value, value, value) if isinstance(value, int) else tuple(value)
