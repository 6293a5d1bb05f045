"""A sequence of layers that convolves, pools and activates in one operation where it can, several times quicker.

It keeps the input, the pooled output and one byte for each pooled value (which position of the window won), nothing of
the size of the convolution's output; and its way back goes along the winners alone.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from pellucid.network.fused_functions import convolve_pool, elu_dropout, is_watched, obstacle, pool_behind


class FusedSequential(nn.Sequential):
    """An `nn.Sequential` that fuses what it can: the same layers, parameters, state dict, output and gradients.

    Fused are a `Conv3d` and the `MaxPool3d` behind it, then an `ELU` and the `Dropout` behind those. A monotone
    activation may stand between convolution and pool, for the two commute. `paths` tells what is fused and why the rest
    is not.

    Parameters
    ----------
    *layers
        As for `nn.Sequential`: layers, or one `OrderedDict` of named ones.

    Notes
    -----
    Elsewhere the layers run one by one: on GPUs, in half precision and under autocast; for convolutions with stride,
    dilation or groups and for pools whose windows overlap; where hooks watch a layer, or torch.fx, torch.jit or
    torch.compile records it; in a process forked from one that had run a kernel; and where numba is missing.

    Dropout's mask is decided by one number from PyTorch's global generator. Results do not depend on the number of
    threads where all layers are fused. Which of several equal values wins a window may differ from the layers one by
    one if an activation stands before the pool.
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return what the layers make of the input, one behind the other."""
        x, layers, fresh = input, list(self.children()), False
        while layers:
            if (place := pool_behind(layers)) and obstacle(x, layers[0], layers[place]) is None:
                x = convolve_pool(x, cast(nn.Conv3d, layers[0]), cast(nn.MaxPool3d, layers.pop(place)))
                layers.pop(0)
                fresh = True
            elif fresh and _are_elu_and_dropout(layers):
                layers.pop(0)
                dropout = cast(nn.Dropout, layers.pop(0))
                x = elu_dropout(x, dropout.p if dropout.training else 0.0)
                fresh = False
            else:
                x = layers.pop(0)(x)
                fresh = False
        return x

    def paths(self, x: torch.Tensor) -> dict[str, str]:
        """Tell how each convolution runs for an input x: `fused`, or `layer by layer` and why.

        The layers run once, one by one and without gradients.
        """
        found: dict[str, str] = {}
        children = list(self.named_children())
        layers = [layer for _, layer in children]
        with torch.no_grad():
            for n, (name, layer) in enumerate(children):
                if isinstance(layer, nn.Conv3d):
                    place = pool_behind(layers[n:])
                    why = obstacle(x, layer, layers[n + place]) if place else "no max-pool follows"
                    found[name] = "fused" if why is None else f"layer by layer: {why}"
                x = layer(x)
        return found


def _are_elu_and_dropout(layers: list[nn.Module]) -> bool:
    """Tell whether `layers` begin with an ELU and a dropout that `elu_dropout` stands for."""
    if len(layers) < 2 or any(is_watched(layer) for layer in layers[:2]):
        return False
    elu, dropout = layers[:2]
    return type(elu) is nn.ELU and elu.alpha == 1.0 and type(dropout) is nn.Dropout and dropout.p < 1.0
