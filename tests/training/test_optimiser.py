from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from pellucid.training.optimiser import KerasAdam, step_size


def test_step_sizes_of_the_paper() -> None:
    for epoch, expected in ((1, 4.7e-4), (10, 3.2e-4), (20, 2.4e-4), (50, 1.35e-4), (100, 7.8e-5)):
        found = step_size(27 * epoch, learning_rate=5e-4, decay=2e-3)
        assert found == pytest.approx(expected, rel=0.02)
    assert step_size(0, learning_rate=5e-4, decay=2e-3) == 5e-4


@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e-9])
def test_equals_keras_formula(scale: float) -> None:
    """Gradients as small as epsilon too, where PyTorch's place for it gives other steps."""
    generator = np.random.default_rng(0)
    w = generator.normal(size=5)
    parameter = nn.Parameter(torch.tensor(w.copy()))
    optimiser = KerasAdam([parameter], learning_rate=0.01, decay=0.5)
    m = v = np.zeros(5)
    for iteration in range(20):
        g = generator.normal(size=5) * scale
        parameter.grad = torch.tensor(g)
        size = optimiser.step()
        assert parameter.grad is None
        lr = 0.01 * (1.0 / (1.0 + 0.5 * iteration))
        t = iteration + 1
        m = 0.9 * m + (1.0 - 0.9) * g
        v = 0.999 * v + (1.0 - 0.999) * g**2
        w = w - lr * (np.sqrt(1.0 - 0.999**t) / (1.0 - 0.9**t)) * m / (np.sqrt(v) + 1e-7)
        assert size == pytest.approx(lr, rel=1e-15)
        np.testing.assert_allclose(parameter.detach().numpy(), w, rtol=1e-12, atol=1e-15)
