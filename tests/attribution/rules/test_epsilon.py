from __future__ import annotations

import torch

from pellucid.attribution.rules.epsilon import signed


def test_zero_counts_as_positive_whatever_its_sign() -> None:
    z = torch.tensor([2.0, 0.0, -0.0, -1e-30, -3.0])
    assert signed(0.5, z).tolist() == [0.5, 0.5, 0.5, -0.5, -0.5]
