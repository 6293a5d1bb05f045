"""Networks as a user may have written them; tests put this folder on the path of imports."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn


class SmallNet(nn.Module):
    """Strided convolutions, batch norm and a mean over cells: layers that relevance can walk through; (B, 1)."""

    def __init__(self, width: int = 2) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(1, width, 5, stride=4)
        self.norm = nn.BatchNorm3d(width)
        self.conv2 = nn.Conv3d(width, width, 3, stride=2)
        self.pool = nn.AdaptiveAvgPool3d(1)
        self.fc = nn.Linear(width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.conv1(x)))
        x = torch.relu(self.conv2(x))
        return cast(torch.Tensor, self.fc(torch.flatten(self.pool(x), 1)))


class Grouped(SmallNet):
    """A layer without a rule for relevance; (B,)."""

    def __init__(self, width: int = 2) -> None:
        super().__init__(width)
        self.norm = nn.GroupNorm(1, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x).squeeze(1)


class Chain(nn.Sequential):
    """A plain sequence, whose field of view can be derived: 8x9x8 cells of 12 voxels, 6 planes unread; (B, 1)."""

    def __init__(self, width: int = 2) -> None:
        super().__init__(nn.Conv3d(1, width, 12, stride=12), nn.ELU(), nn.Flatten(), nn.Linear(width * 8 * 9 * 8, 1))


def small(width: int = 2) -> SmallNet:
    """A function that makes a network: no file can have it called."""
    raise AssertionError(f"called with {width}")


class WithSigmoid(SmallNet):
    """A network that gives a probability."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(super().forward(x))


class WithSoftmax(SmallNet):
    """A network of two units that gives the probability of the second."""

    def __init__(self, width: int = 2) -> None:
        super().__init__(width)
        self.fc = nn.Linear(width, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x).softmax(1)[:, 1]


class Branching(SmallNet):
    """A network that torch.fx takes for another: not what it has in a tensor's place is a tensor."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logit = super().forward(x)
        return logit + 1 if torch.is_tensor(logit) else logit


class Squeezed(SmallNet):
    """A network whose output loses the batch axis when one scan comes alone."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x).squeeze()


class TwoUnits(SmallNet):
    """A network with a unit for each group."""

    def __init__(self, width: int = 2) -> None:
        super().__init__(width)
        self.fc = nn.Linear(width, 2)


not_a_class = 3
