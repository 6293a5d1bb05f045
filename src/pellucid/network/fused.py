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
    dilation or groups and for pools whose windows overlap; where a hook or a replaced `forward` watches a layer, or
    torch.fx, torch.jit or torch.compile records it; under torch.func, forward-mode differentiation and dispatch modes;
    in a process forked from one that had run a kernel; and where numba is missing. ELU and dropout are fused only where
    a convolution or the dense layer follows, so that nobody can overwrite what their way back needs.

    Dropout's mask is decided by one number from PyTorch's global generator. Results do not depend on the number of
    threads where all layers are fused. Which of several equal values wins a window may differ from the layers one by
    one if an activation stands before the pool.
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return what the layers make of the input, one behind the other."""
        if torch.jit.is_scripting():  # type: ignore[attr-defined]
            for layer in self:
                input = layer(input)
            return input
        return self._run(input)

    @torch.jit.unused
    def _run(self, input: torch.Tensor) -> torch.Tensor:
        """Run the layers and fuse what can be fused.

        Kernels answer in channels_last_3d. A module that is not PyTorch's, and whoever called, gets contiguous values,
        for `view` refuses other strides.
        """
        x, layers = input, list(self.children())
        fresh = False  # x is a kernel's own, which nobody else reads
        moved = False  # the next layer stood before the pool
        strided = False  # x is in channels_last_3d, as kernels leave it
        while layers:
            if (place := pool_behind(layers)) and obstacle(x, layers[0], layers[place]) is None:
                x = convolve_pool(x, cast(nn.Conv3d, layers[0]), cast(nn.MaxPool3d, layers.pop(place)))
                layers.pop(0)
                fresh, moved, strided = True, place == 2, True
            elif fresh and _are_elu_and_dropout(layers):
                layers.pop(0)
                dropout = cast(nn.Dropout, layers.pop(0))
                x = elu_dropout(x, dropout.p if dropout.training else 0.0)
                fresh = moved = False
            else:
                layer = layers.pop(0)
                if strided and not type(layer).__module__.startswith("torch.nn.modules."):
                    x, strided = x.contiguous(), False
                # What the way back of an activation reads may be overwritten by whoever comes behind the pool.
                x = layer(x).clone() if moved else layer(x)
                fresh = moved = False
        return x.contiguous() if strided else x

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
    """Tell whether `layers` begin with an ELU and a dropout that `elu_dropout` stands for.

    Its result must not be overwritten, so a layer that only reads it has to follow.
    """
    if len(layers) < 3 or any(is_watched(layer) for layer in layers[:4]):
        return False
    elu, dropout = layers[:2]
    kinds = [type(layer) for layer in layers[2:4]]
    read_only = kinds[0] is nn.Conv3d or kinds == [nn.Flatten, nn.Linear]
    fits = type(elu) is nn.ELU and elu.alpha == 1.0 and type(dropout) is nn.Dropout and dropout.p < 1.0
    return read_only and fits
