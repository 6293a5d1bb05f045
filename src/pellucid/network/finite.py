"""Whether a batch holds numbers alone."""

from __future__ import annotations

import torch

from pellucid.ground.errors import InputError


def check_finite(x: torch.Tensor) -> None:
    """Raise InputError, which names the batch items, if x: (B, ...) holds NaN or infinity."""
    if bool(torch.isfinite(x.sum())):  # quicker, and a finite sum has finite terms
        return
    # The sum of finite values may be infinite: only now look at each.
    broken = [str(b) for b, item in enumerate(x) if not bool(torch.isfinite(item).all())]
    if broken:
        raise InputError(
            "x", f"has NaN or infinity in batch item {', '.join(broken)}", "Clean these images or exclude them"
        )
