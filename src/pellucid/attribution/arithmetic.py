"""Sums of batch items, and autograd's vector-Jacobian product, which is the transposed layer of an affine one."""

from __future__ import annotations

import torch

Tensors = tuple[torch.Tensor, ...]

_SHORT = 256
"""Numbers that may be summed in float32: the error is at most some 1e-6 of the sum of their sizes, mostly 1e-8."""


def pull(output: torch.Tensor, inputs: Tensors, values: torch.Tensor, *, keep: bool = False) -> Tensors:
    """Return the vector-Jacobian product `values @ d output / d inputs`, also 0 for an input that takes no part.

    PyTorch 2.13 gives a wrong one for batch norm in evaluation mode, if `values` do not lie in memory as its output.
    """
    if values.stride() != output.stride():
        values = torch.empty_like(output).copy_(values)
    found = torch.autograd.grad(output, inputs, values, retain_graph=keep, materialize_grads=True)
    return tuple(found)


def total(values: torch.Tensor) -> torch.Tensor:
    """Return the sum of each batch item in float64, (B,).

    The axis that lies densest in memory is summed first, in the type of `values`, if it is short.
    """
    if values.ndim > 2:
        strides = [values.stride(axis) for axis in range(1, values.ndim)]
        densest = 1 + strides.index(min(strides))
        if 1 < values.shape[densest] <= _SHORT:
            values = values.sum(dim=densest)
    axes = tuple(range(1, values.ndim))
    return values.sum(dim=axes, dtype=torch.float64) if axes else values.double()
