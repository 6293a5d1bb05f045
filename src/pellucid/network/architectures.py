"""The networks that a trial can fit and a file can hold, by the names that studies give them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias, cast

from pellucid.image.grid import Grid
from pellucid.network.field_of_view import field_of_view
from pellucid.network.foreign import ForeignNetwork
from pellucid.network.info import Architecture
from pellucid.network.naming import check_network
from pellucid.network.paper import PaperNetwork
from pellucid.network.volume_network import VolumeNetwork
from pellucid.network.whole_brain import WholeBrainNetwork

Network: TypeAlias = VolumeNetwork | ForeignNetwork
"""What a study can train: x: (B, 1, X, Y, Z) to logits (B,), with `grid`, `channels` and `info`."""

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


def architecture_of(model: Network) -> str:
    """Return what `model.json` calls the architecture: a class of Pellucid's, or `package.module:Name`."""
    return model.name if isinstance(model, ForeignNetwork) else type(model).__name__


def corner_read(model: Network) -> tuple[int, ...] | None:
    """Return how many leading voxels of each axis a network has to be given; None, all, if it is not Pellucid's.

    Cropping changes nothing that a network computes, but it changes what batch norm averages over in training.
    """
    return field_of_view(model).stops if isinstance(model, VolumeNetwork) else None
