"""Who competes: the package's network, and the same network as others write and explain it."""

from __future__ import annotations

from copy import deepcopy
from typing import NamedTuple

import torch
from torch import nn

from pellucid.attribution.explain import explain
from pellucid.ground.errors import InputError
from pellucid.network.field_of_view import crop, field_of_view
from pellucid.network.paper import PaperNetwork

EPSILON = 1e-3


class Entrant(NamedTuple):
    """A model, and images (B, 1, X, Y, Z) laid out as it likes them."""

    model: nn.Module
    images: torch.Tensor


def enter(name: str, network: PaperNetwork, images: torch.Tensor) -> Entrant:
    """Make an entrant with the weights of `network`.

    Parameters
    ----------
    name
        `ours`: the network itself. `plain`: PyTorch in its simplest form, on the whole images. `plain-best`: the
        same layers, channels last, on the voxels that the network sees, cut out beforehand. `dense`: `plain`,
        explained by this package layer by layer.
    network
        Where the weights come from; it is copied.
    images
        (B, 1, X, Y, Z) of the network's grid.

    Raises
    ------
    InputError
        If the name is not known.
    """
    network = deepcopy(network)
    match name:
        case "ours":
            return Entrant(network, images)
        case "plain":
            return Entrant(plain(network), images)
        case "dense":
            return Entrant(watched(plain(network)), images)
        case "plain-best":
            # With one channel, `contiguous` and `to` take either layout for the other; a clone is laid out anew.
            part = crop(images, field_of_view(network)).clone(memory_format=torch.channels_last_3d)
            model = plain(network)
            for parameter in model.parameters():
                if parameter.ndim == 5:
                    parameter.data = parameter.data.clone(memory_format=torch.channels_last_3d)
            return Entrant(model, part)
    raise InputError("rival", f"{name!r} is not known", "Choose ours, plain, plain-best or dense")


def plain(network: PaperNetwork) -> nn.Sequential:
    """Return the layers of `network` as the paper orders them, unfused, uncropped, contiguous; logits are (B, 1)."""
    channels = network.channels

    def convolution(inputs: int) -> list[nn.Module]:
        return [nn.Conv3d(inputs, channels, 3), nn.ELU()]

    def pool() -> list[nn.Module]:
        return [nn.MaxPool3d(3), nn.Dropout(0.3)]

    layers = [*convolution(1), *pool(), *convolution(channels), *pool(), *convolution(channels), *convolution(channels)]
    model = nn.Sequential(*layers, *pool(), nn.Flatten(), nn.Linear(network.fc.in_features, 1))
    for own, given in zip(model.parameters(), network.parameters(), strict=True):
        own.data = given.data.contiguous().clone(memory_format=torch.contiguous_format)
    return model.train(network.training)


def watched(model: nn.Module) -> nn.Module:
    """Hang a hook that does nothing on every layer of `model`, so that none is fused: a hook wants to see each."""
    for layer in model.modules():
        layer.register_forward_hook(lambda *_: None)
    return model


def lrp(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Return the LRP-epsilon map of x by this package: fused where the model is, else layer by layer."""
    return explain(model, x, epsilon=EPSILON).relevance
