"""The gradient of the logit, and the gradient times the input."""

from __future__ import annotations

import torch

from pellucid.errors import PellucidError


def gradient(x: torch.Tensor, logit: torch.Tensor) -> torch.Tensor:
    """Return d logit_b / d x_b for x: (B, ...) that `logit`: (B,) was computed from.

    Batch items do not meet in evaluation mode, so the gradient of the sum holds each item's own.
    """
    (at_x,) = torch.autograd.grad(logit.sum(), x, allow_unused=True)
    if at_x is None:
        raise PellucidError("The model's output does not depend on its input. There is nothing to explain.")
    return at_x


def input_x_gradient(x: torch.Tensor, logit: torch.Tensor) -> torch.Tensor:
    """Return `x * d logit / d x`, what epsilon -> 0 leaves of LRP-epsilon in a network that is piecewise linear."""
    return x.detach() * gradient(x, logit)
