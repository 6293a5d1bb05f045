"""How time and memory of a training step grow: the network by batch, its first block by volume.

    python experiments/growth.py

Each is timed in this process, and its memory measured in a fresh one, as `pellucid bench` does.
"""

from __future__ import annotations

import argparse
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from math import prod
from statistics import median

import torch

from pellucid.benchmark.memory import peak_above
from pellucid.benchmark.rivals import Entrant
from pellucid.benchmark.timing import alternate
from pellucid.benchmark.works import call_of
from pellucid.image.grid import PAPER_GRID
from pellucid.network.fused import FusedSequential
from pellucid.network.paper import PaperNetwork

CHANNELS = 64
WARM = (16, 16, 16)
"""A volume on which kernels are loaded before memory is measured."""


class FirstBlock(torch.nn.Module):
    """The network's first convolution, pool, ELU and dropout; the mean of what it gives stands for a logit."""

    def __init__(self) -> None:
        super().__init__()
        self.block = FusedSequential(*list(PaperNetwork(channels=CHANNELS, seed=0).children())[:4])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return one number a volume."""
        return self.block(x).flatten(1).mean(1)


def entrant(kind: str, batch: int, shape: tuple[int, ...]) -> Entrant:
    """Return the network or its first block, with images."""
    images = torch.rand((batch, 1, *shape), generator=torch.Generator().manual_seed(0))
    return Entrant(FirstBlock() if kind == "block" else PaperNetwork(channels=CHANNELS, seed=0), images)


def memory(kind: str, batch: int, shape: tuple[int, ...], threads: int) -> int | None:
    """Return the bytes that a step adds to this process, which must be fresh."""
    torch.set_num_threads(threads)
    call_of("train", entrant(kind, 1, WARM if kind == "block" else shape))()
    return peak_above(call_of("train", entrant(kind, batch, shape)))


def main() -> None:
    """Print a row for each batch and each volume."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, nargs="*", default=[1, 2, 4, 8, 16, 32])
    parser.add_argument("--cubes", type=int, nargs="*", default=[48, 72, 96, 128, 192, 256])
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    setups = [("network", batch, PAPER_GRID.shape) for batch in options.batches]
    setups += [("block", 1, (edge,) * 3) for edge in options.cubes]
    print("training step\tvolume\tbatch\ts\tns a voxel\tMB\tbytes a voxel")
    for kind, batch, shape in setups:
        calls = {kind: call_of("train", entrant(kind, batch, shape))}
        seconds = median(alternate(calls, options.repeats, lambda _: None)[kind])
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            taken = pool.submit(memory, kind, batch, shape, torch.get_num_threads()).result()
        voxels = batch * prod(shape)
        need = "n/a\tn/a" if taken is None else f"{taken / 1e6:.0f}\t{taken / voxels:.1f}"
        edges = "x".join(map(str, shape))
        print(f"{kind}\t{edges}\t{batch}\t{seconds:.3f}\t{1e9 * seconds / voxels:.1f}\t{need}")


if __name__ == "__main__":
    main()
