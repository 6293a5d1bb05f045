"""The networks that a trial can fit and a file can hold, by the names that studies give them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias, cast

from pellucid.image.grid import Grid
from pellucid.network.foreign import ForeignNetwork
from pellucid.network.info import Architecture
from pellucid.network.naming import check_network
from pellucid.network.paper import PaperNetwork
from pellucid.network.volume_network import VolumeNetwork
from pellucid.network.whole_brain import WholeBrainNetwork

Network: TypeAlias = VolumeNetwork | ForeignNetwork
"""What a study can train: x: (B, 1, X, Y, Z) to logits (B,).

Each kind says of itself `name`, `grid`, `channels` or `options`, `corner`, `inner`, `penalty()` and `step_bytes()`.
"""

NETWORKS: Mapping[Architecture, type[VolumeNetwork]] = {"paper": PaperNetwork, "whole-brain": WholeBrainNetwork}


def build_network(
    network: str,
    grid: Grid,
    *,
    channels: int = 64,
    options: Mapping[str, Any] | None = None,
    seed: int | None = None,
) -> Network:
    """Return a network with random weights, by the words of a study.

    Parameters
    ----------
    network
        `paper`, `whole-brain`, or where a class is: `package.module:Name`.
    grid
        The grid of the images.
    channels
        Of Pellucid's networks.
    options
        Keyword arguments of a class that is not Pellucid's.
    seed
        Where the weights are drawn from; None takes PyTorch's global generator.

    Raises
    ------
    InputError
        If there is no such network, or it cannot be made so.
    """
    check_network(network)
    if network in NETWORKS:
        return NETWORKS[cast(Architecture, network)](channels, grid, seed=seed)
    return ForeignNetwork(network, grid, options=options, seed=seed)
