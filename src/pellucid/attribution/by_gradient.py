"""Relevance that needs nothing but the gradient of the logit: through the model's own forward pass."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from pellucid.attribution.agreement import is_own
from pellucid.attribution.arithmetic import total
from pellucid.attribution.logit import assert_alone, logit_of
from pellucid.attribution.result import Explanation
from pellucid.ground.errors import PellucidError

Map = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Makes a map of x and of the gradient at it, both (B, ...)."""


def explain_by_gradient(model: nn.Module, x: torch.Tensor, units: torch.Tensor | None, of: Map) -> Explanation:
    """Return the map that `of` makes of x and the gradient; parameters are those of `Method.run`."""
    x.requires_grad_()
    try:
        logit, head = logit_of(model, x, units)
        at_x = gradient(x, logit)
    except OverwrittenError:
        # PyTorch's own `allow_mutation_on_saved_tensors` may take one tensor for another (2.13).
        with torch.autograd.graph.saved_tensors_hooks(torch.clone, lambda kept: kept):
            logit, head = logit_of(model, x, units)
            at_x = gradient(x, logit)
    x, logit = x.detach(), logit.detach()
    if not is_own(model):
        assert_alone(model, x, units, logit, total((x * at_x).abs()))
    return Explanation(of(x, at_x), logit, (), head=head)


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
    try:
        (at_x,) = torch.autograd.grad(logit.sum(), x, allow_unused=True) if logit.requires_grad else (None,)
    except RuntimeError as error:
        if "modified by an inplace operation" in str(error):
            raise OverwrittenError(str(error)) from error
        said = " ".join(str(error).split()).split(". ")[0].rstrip(".")
        raise PellucidError(f"Autograd cannot differentiate the model ({said}). Repair its forward pass.") from error
    if at_x is None:
        raise PellucidError(
            "The model's output does not depend on its input, or its forward pass runs without gradients. There is "
            "nothing to explain."
        )
    return at_x
