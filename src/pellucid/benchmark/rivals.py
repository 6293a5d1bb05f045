"""Who competes: the package's network, and the same network as others write and explain it."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from importlib import import_module
from typing import NamedTuple

import torch
from torch import nn

from pellucid.attribution.explain import explain
from pellucid.ground.errors import InputError
from pellucid.network.field_of_view import crop, field_of_view
from pellucid.network.fused import FusedSequential
from pellucid.network.paper import PaperNetwork

EPSILON = 1e-3

Relevance = Callable[[nn.Module, torch.Tensor], torch.Tensor]


class Entrant(NamedTuple):
    """A model, images (B, 1, X, Y, Z) laid out as it likes them, and how it makes relevance maps of them."""

    model: nn.Module
    images: torch.Tensor
    relevance: Relevance


def enter(name: str, network: PaperNetwork, images: torch.Tensor) -> Entrant:
    """Make an entrant with the weights of `network`.

    Parameters
    ----------
    name
        `ours`: the network itself. `plain`: PyTorch as anyone would write it, on the whole images. `plain-best`: the
        same layers, channels last, on the voxels that the network sees, cut out beforehand. `dense` and `zennit`:
        `plain`, explained by this package layer by layer and by zennit. `block`: the network's first block, fused,
        which takes images of any shape.
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
            return Entrant(network, images, lrp)
        case "plain":
            return Entrant(plain(network), images, lrp)
        case "dense":
            return Entrant(watched(plain(network)), images, lrp)
        case "zennit":
            return Entrant(plain(network), images, lrp_by_zennit)
        case "plain-best":
            # With one channel, `contiguous` and `to` take either layout for the other; a clone is laid out anew.
            part = crop(images, field_of_view(network)).clone(memory_format=torch.channels_last_3d)
            model = plain(network)
            for parameter in model.parameters():
                if parameter.ndim == 5:
                    parameter.data = parameter.data.clone(memory_format=torch.channels_last_3d)
            return Entrant(model, part, lrp)
        case "block":
            return Entrant(first_block(network), images, lrp)
    raise InputError("rival", f"{name!r} is not known", "Choose ours, plain, plain-best, dense, zennit or block")


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


def first_block(network: PaperNetwork) -> FusedSequential:
    """Return the network's first convolution, pool, ELU and dropout: from (B, 1, X, Y, Z) to (B, channels, ...)."""
    return FusedSequential(*list(network.children())[:4])


def lrp(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Return the LRP-epsilon map of x by this package: fused where the model is, else layer by layer."""
    return explain(model, x, epsilon=EPSILON).relevance


def lrp_by_zennit(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Return the LRP-epsilon map of x by zennit: the rule on convolutions and dense layers, activations pass it on."""
    rules, types = import_module("zennit.rules"), import_module("zennit.types")
    composite = import_module("zennit.composites").LayerMapComposite(
        [
            (types.Convolution, rules.Epsilon(epsilon=EPSILON)),
            (types.Linear, rules.Epsilon(epsilon=EPSILON)),
            (types.Activation, rules.Pass()),
        ]
    )
    with import_module("zennit.attribution").Gradient(model=model, composite=composite) as attributor:
        _, relevance = attributor(x, torch.Tensor.detach)  # the seed is the logit itself
    found: torch.Tensor = relevance.detach()
    return found


def lrp_rival() -> str:
    """Return `zennit` if it can be imported here, else `dense`."""
    try:
        for module in ("rules", "types", "composites", "attribution"):
            import_module(f"zennit.{module}")
    except Exception:  # it imports torchvision, which fails in ways of its own where it does not fit torch
        return "dense"
    return "zennit"
