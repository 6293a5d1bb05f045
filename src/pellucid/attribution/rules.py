"""The arithmetic of layer-wise relevance propagation, one layer at a time.

Every rule takes the layer's inputs and output as autograd recorded them: for an affine layer, the vector-Jacobian
product of autograd is the transposed layer, whatever its stride, padding, dilation or groups.
"""

from __future__ import annotations

import torch
from torch import nn

from pellucid.attribution.operations import bias_of

Tensors = tuple[torch.Tensor, ...]

_SHORT = 256
"""Numbers that may be summed in float32: the error is at most some 1e-6 of the sum of their sizes, mostly 1e-8."""


def epsilon_rule(
    inputs: Tensors, z: torch.Tensor, relevance: torch.Tensor, epsilon: float
) -> tuple[Tensors, torch.Tensor]:
    """Share relevance out among the inputs of an affine layer in proportion to what they added to it.

    `z_j = sum_i a_i w_ij + b_j`, `s_j = +1 if z_j >= 0 else -1`, and
    `R_i = a_i sum_j w_ij q_j` with the quotient `q_j = R_j / (z_j + epsilon s_j)`.

    The bias is part of the denominator, so it takes its share. Padding takes none: its a_i is 0.

    Parameters
    ----------
    inputs
        The tensors a that the layer is affine in, recorded by autograd.
    z
        The layer's output, of any shape, recorded by autograd.
    relevance
        The relevance of z, of its shape.
    epsilon
        The stabiliser, above 0.

    Returns
    -------
    relevance_in, quotient
        The relevance of each input, of its shape; and q, of z's shape.

    References
    ----------
    Bach et al. 2015, PLOS ONE 10(7), eq. 58; as in iNNvestigate's `lrp.epsilon`, which Eitel et al. 2019 used.
    """
    quotient = torch.empty_like(z)  # laid out as z
    torch.div(relevance, z.detach() + signed(epsilon, z), out=quotient)
    pulled = pull(z, inputs, quotient)
    return tuple(a.detach() * c for a, c in zip(inputs, pulled, strict=True)), quotient


def route_rule(inputs: Tensors, output: torch.Tensor, relevance: torch.Tensor) -> Tensors:
    """Send relevance back to where each value came from: the winner of a max-pool takes all.

    Where values tie in a window, the first wins, as in PyTorch's gradient. Cropped voxels get 0.
    """
    return pull(output, inputs, relevance)


def pull(output: torch.Tensor, inputs: Tensors, values: torch.Tensor, *, keep: bool = False) -> Tensors:
    """Return the vector-Jacobian product `values @ d output / d inputs`, also 0 for an input that takes no part.

    PyTorch 2.13 gives a wrong one for batch norm in evaluation mode, if `values` do not lie in memory as its output.
    """
    if values.stride() != output.stride():
        values = torch.empty_like(output).copy_(values)
    found = torch.autograd.grad(output, inputs, values, retain_graph=keep, materialize_grads=True)
    return tuple(found)


def absorbed_by_epsilon(z: torch.Tensor, quotient: torch.Tensor, epsilon: float) -> torch.Tensor:
    """Return `sum_j q_j epsilon s_j`, (B,)."""
    return total(quotient * signed(epsilon, z))


def signed(epsilon: float, z: torch.Tensor) -> torch.Tensor:
    """Return `epsilon s(z)`: +epsilon where z >= 0, also at -0.0, and -epsilon elsewhere."""
    return torch.copysign(z.new_tensor(epsilon), z.detach() + 0.0)  # -0.0 + 0.0 is 0.0


def absorbed_by_bias(layer: nn.Module | None, quotient: torch.Tensor) -> torch.Tensor:
    """Return `sum_j q_j b_j`, (B,), for a module with a bias per channel; 0 for a layer without."""
    bias = None if layer is None else bias_of(layer)
    if bias is None:
        return torch.zeros(len(quotient), dtype=torch.float64, device=quotient.device)
    channel = quotient.ndim - 1 if isinstance(layer, nn.Linear) else 1
    others = [axis for axis in range(1, quotient.ndim) if axis != channel]
    per_channel = quotient.sum(dim=others, dtype=torch.float64) if others else quotient.double()
    return per_channel @ bias.double()


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
