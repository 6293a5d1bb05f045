"""What is measured: a training step, a prediction, a relevance map; and how much arithmetic they need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from pellucid.benchmark.rivals import Entrant, enter, lrp
from pellucid.image.grid import PAPER_GRID, resized
from pellucid.network.field_of_view import field_of_view, output_shape
from pellucid.network.paper import PaperNetwork

WORKS = {"train": "training step", "predict": "prediction", "explain": "LRP-epsilon map"}
"""The works and their names for people."""

Call = Callable[[], torch.Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """One work of one entrant, as another process can repeat it.

    Parameters
    ----------
    work
        A key of `WORKS`.
    entrant
        A name that `pellucid.benchmark.rivals.enter` knows.
    channels
        Filters of each convolution.
    batch
        Volumes at a time.
    shape
        Voxels of a volume (X, Y, Z).
    """

    work: str
    entrant: str
    channels: int = 64
    batch: int = 4
    shape: tuple[int, int, int] = PAPER_GRID.shape


def prepare(setup: Setup) -> Entrant:
    """Make an entrant with its images; the same weights and images for every one of the same shape."""
    network = PaperNetwork(channels=setup.channels, grid=resized(PAPER_GRID, setup.shape), seed=0)
    images = torch.rand((setup.batch, 1, *setup.shape), generator=torch.Generator().manual_seed(0))
    return enter(setup.entrant, network, images)


def call_of(work: str, entrant: Entrant) -> Call:
    """Return the work of an entrant, ready to be called again and again.

    A training step is the forward pass with dropout, the cross-entropy of the logits, the backward pass and Adam's
    step; it returns the loss.
    """
    model, images = entrant
    if work == "train":
        return _training_step(model.train(), images)
    model.eval()

    def predict() -> torch.Tensor:
        with torch.no_grad():
            return logits(model, images)

    def explain() -> torch.Tensor:
        return lrp(model, images)

    return predict if work == "predict" else explain


def logits(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Return one logit a volume, (B,)."""
    output: torch.Tensor = model(images)
    return output.flatten()


def result_of(work: str, entrant: Entrant) -> torch.Tensor:
    """Return what entrants must agree on: the relevance maps, for the other works the logits without dropout."""
    return call_of("explain" if work == "explain" else "predict", entrant)().detach().clone()


def difference(ours: torch.Tensor, other: torch.Tensor) -> float:
    """Return the greatest absolute difference as a share of the greatest absolute value of `ours`."""
    return float((ours - other).abs().max() / ours.abs().max())


def gflop(network: PaperNetwork) -> float:
    """Return the arithmetic of one volume's forward pass, in 10^9 operations: twice its multiply-adds.

    Of convolutions and the dense layer, on the voxels that the network sees. A training step and a relevance map need
    some hundredths more on their way back, if they go along the pools' winners alone.
    """
    shape = field_of_view(network).stops
    operations = 0
    for layer in network.children():
        if isinstance(layer, nn.Linear):
            operations += 2 * layer.weight.numel()
            continue
        shape = output_shape(layer, shape)
        if isinstance(layer, nn.Conv3d):
            operations += 2 * layer.weight.numel() * prod(shape)
    return operations / 1e9


def _training_step(model: nn.Module, images: torch.Tensor) -> Call:
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-4)
    classes = torch.arange(len(images), dtype=images.dtype) % 2

    def step() -> torch.Tensor:
        optimiser.zero_grad()
        loss = F.binary_cross_entropy_with_logits(logits(model, images), classes)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        return loss.detach()

    return step
