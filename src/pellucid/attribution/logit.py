"""A model's own logit, before anything is explained: finite, and each batch item's the same as alone."""

from __future__ import annotations

import torch
from torch import nn

from pellucid.attribution.agreement import agree, refuse_meeting_items
from pellucid.attribution.checks import select
from pellucid.attribution.forward import run_forward
from pellucid.attribution.heads import Head
from pellucid.ground.errors import PellucidError


def logit_of(model: nn.Module, x: torch.Tensor, units: torch.Tensor | None) -> tuple[torch.Tensor, Head]:
    """Return the logit (B,) that the model's own forward pass gives, recorded by autograd, and what follows it."""
    forward = run_forward(model, x.detach().requires_grad_() if not x.requires_grad else x)
    logit = forward.select(select(forward.output, units))
    assert_finite(logit)
    return logit, forward.head


def assert_finite(logit: torch.Tensor) -> None:
    """Refuse a model whose output is no number."""
    if not bool(torch.isfinite(logit).all()):
        raise PellucidError("The model's logit is NaN or infinite for a finite x. Check the model's weights.")


def assert_alone(
    model: nn.Module, x: torch.Tensor, units: torch.Tensor | None, logit: torch.Tensor, size: torch.Tensor
) -> None:
    """Refuse a model that gives the first item another logit in this batch than alone."""
    if len(x) == 1:
        return
    try:
        alone = logit_of(model, x[:1], None if units is None else units[:1])[0].detach()
    except PellucidError as error:
        refuse_meeting_items(model, f"it fails ({error})")
    if not agree(alone, logit[:1], size[:1]):
        refuse_meeting_items(model, f"its logit is {float(alone):.6g}, in the batch {float(logit[0]):.6g}")
