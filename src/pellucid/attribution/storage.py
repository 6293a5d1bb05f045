"""Overwriting a tensor without losing what was there: copies that lie as the original does, and what aliases then hold.

Tensors share memory with their views, with what `Identity` or a dropout in evaluation mode hands on, and under several
names. Whoever overwrites one of them changes them all.
"""

from __future__ import annotations

import torch

Layout = tuple[torch.Size, tuple[int, ...], int]
"""Where the values of a tensor lie in its memory: size, strides, and the place of the first."""


def layout_of(x: torch.Tensor) -> Layout:
    """Return where the values of x lie in its memory."""
    return x.size(), x.stride(), int(x.storage_offset())


def is_same_memory(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Tell whether two tensors lie in one memory."""
    return bool(one.untyped_storage()._cdata == other.untyped_storage()._cdata)


def copy_with_memory(x: torch.Tensor) -> torch.Tensor:
    """Return a copy of x that lies in a memory of its own, as large as x's, just as x lies in x's."""
    if (copy := x.clone()).untyped_storage().nbytes() == x.untyped_storage().nbytes() and copy.stride() == x.stride():
        return copy
    return _put(_blank(x), x).as_strided(*layout_of(x))


def overwritten(old: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
    """Return what `old` holds after the tensor that lies as `new` does, in the same memory, has become `new`.

    The memories of both are of one size. The result is differentiable in both.
    """
    return _put(_put(_blank(old), old), new).as_strided(*layout_of(old))


def repeats(x: torch.Tensor) -> bool:
    """Tell whether one place of x's memory shows up at several of x's."""
    return any(n > 1 and stride == 0 for n, stride in zip(x.shape, x.stride(), strict=True))


def _put(memory: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return `memory`: (n,) with the values of x where x lies.

    `torch.as_strided_scatter` would do it, but in PyTorch 2.13 its gradient for `memory` is wrong.
    """
    places = torch.arange(len(memory), device=x.device).as_strided(*layout_of(x))
    return memory.scatter(0, places.reshape(-1), x.reshape(-1))


def _blank(x: torch.Tensor) -> torch.Tensor:
    """Return zeros for all of x's memory."""
    return torch.zeros(x.untyped_storage().nbytes() // x.element_size(), dtype=x.dtype, device=x.device)
