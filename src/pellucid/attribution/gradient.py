"""The gradient of the logit, its size, and the gradient times the input."""

from __future__ import annotations

import torch

from pellucid.ground.errors import PellucidError


class OverwrittenError(PellucidError):
    """A model overwrites what autograd needs on the way back, which PyTorch allows only if asked."""


def gradient(x: torch.Tensor, logit: torch.Tensor) -> torch.Tensor:
    """Return d logit_b / d x_b for x: (B, ...) that `logit`: (B,) was computed from.

    Batch items must not meet, so that the gradient of the sum holds each item's own.

    Raises
    ------
    PellucidError
        If the logit does not depend on x, or autograd cannot go back.
    """
    # deviates: Eq. 1 of the paper is a norm of this, which `sensitivity` gives; signed, it has a positive half.
    try:
        (at_x,) = torch.autograd.grad(logit.sum(), x, allow_unused=True) if logit.requires_grad else (None,)
    except RuntimeError as error:
        if "modified by an inplace operation" in str(error):
            raise OverwrittenError(str(error)) from error
        said = " ".join(str(error).split()).split(". ")[0].rstrip(".")
        raise PellucidError(f"Autograd cannot go back through the model ({said}). Mend its forward pass.") from error
    if at_x is None:
        raise PellucidError(
            "The model's output does not depend on its input, or its forward pass runs without gradients. There is "
            "nothing to explain."
        )
    return at_x


def sensitivity(x: torch.Tensor, logit: torch.Tensor) -> torch.Tensor:
    """Return `|d logit / d x|`, voxel by voxel: the norm of Eitel 2019, Eq. 1, whose one component is a channel.

    The paper's code takes the absolute value of the gradient of the score, too; here it is that of the logit, which
    differs by the sigmoid's slope, one factor for all of an image.
    """
    return gradient(x, logit).abs()


def input_x_gradient(x: torch.Tensor, logit: torch.Tensor) -> torch.Tensor:
    """Return `x * d logit / d x`, what epsilon -> 0 leaves of LRP-epsilon in a network that is piecewise linear."""
    return x.detach() * gradient(x, logit)
