"""The optimiser of the paper's code: Adam as Keras has it, with a step size that decays batch by batch."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch

BETAS = (0.9, 0.999)
EPSILON = 1e-7


def step_size(iteration: int, *, learning_rate: float, decay: float) -> float:
    """Return `learning_rate / (1 + decay * iteration)`, iteration counted in batches from 0.

    >>> round(step_size(27 * 100, learning_rate=5e-4, decay=2e-3), 7)
    7.81e-05
    """
    return learning_rate / (1.0 + decay * iteration)


class KerasAdam:
    """Adam with β 0.9 and 0.999 and ε 1e-7, the ε standing where Keras has it.

    With g the gradient, t the iteration from 1, m and v the running means of g and g²:
    `w -= a sqrt(1 - 0.999^t) / (1 - 0.9^t) * m / (sqrt(v) + ε)`, a the decayed step size.

    Notes
    -----
    PyTorch adds its epsilon to `sqrt(v / (1 - 0.999^t))`, so it is given `ε / sqrt(1 - 0.999^t)`: 32 times ε at first.

    References
    ----------
    Keras 2.2.4, `keras.optimizers.Adam`; Kingma and Ba 2015, the form before section 2.1's.
    """

    def __init__(self, parameters: Iterable[torch.nn.Parameter], *, learning_rate: float, decay: float) -> None:
        self._adam = torch.optim.Adam(parameters, lr=learning_rate, betas=BETAS, eps=EPSILON)
        self._learning_rate = learning_rate
        self._decay = decay
        self._iteration = 0

    def step(self) -> float:
        """Update the weights by their gradients, forget the gradients, and return the step size."""
        size = step_size(self._iteration, learning_rate=self._learning_rate, decay=self._decay)
        self._iteration += 1
        for group in self._adam.param_groups:
            group["lr"] = size
            group["eps"] = EPSILON / math.sqrt(1.0 - BETAS[1] ** self._iteration)
        self._adam.step()
        self._adam.zero_grad()
        return size
