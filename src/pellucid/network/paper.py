"""The network of Eitel et al. 2019, reordered and cropped so that it is quick, with the same output."""

from __future__ import annotations

from collections import OrderedDict
from typing import cast

import torch
from torch import nn

from pellucid.errors import InputError, PellucidError
from pellucid.image.grid import PAPER_GRID, Grid
from pellucid.network.field_of_view import field_of_view, output_shape
from pellucid.network.fused import convolve_pool_activate, fits
from pellucid.network.info import ModelInfo


class PaperNetwork(nn.Sequential):
    """Four valid 3x3x3 convolutions with ELU, three 3x3x3 max-pools, dropout 0.3 and one dense unit.

    `logit = fc(flatten(... drop1(elu1(pool1(conv1(x))))))`, of shape (B,), before the sigmoid. With 64 channels on the
    paper's grid it has 333,889 parameters, Glorot-uniform kernels and zero biases. Two things differ from the text and
    change nothing: the pools stand before the ELUs, which commute because ELU is monotone, and the input is cropped to
    the voxels that can move the logit (`pellucid.field_of_view`).

    Parameters
    ----------
    channels
        Filters of each convolution.
    grid
        The grid of the images; the dense layer has `channels` weights for each cell that its shape leaves, 1x2x1 here.
    seed
        Where the kernels are drawn from; None takes PyTorch's global generator.

    Notes
    -----
    An input x is (B, 1, X, Y, Z). Any spatial shape that leaves the same cells fits: 96x114x96 and 71x98x71 give the
    same logit. The dense layer's weights are in the order channel, x, y, z.

    Raises
    ------
    InputError
        If `channels` is not a positive integer, the grid is too small, or an input does not fit.

    References
    ----------
    Eitel et al. 2019, §2.4.1, and its code; Glorot and Bengio 2010 for the kernels.
    """

    conv1: nn.Conv3d
    conv2: nn.Conv3d
    conv3: nn.Conv3d
    conv4: nn.Conv3d
    fc: nn.Linear

    # deviates: the paper's text counts four pools; its code and its 333,889 parameters have three.

    def __init__(self, channels: int = 64, grid: Grid = PAPER_GRID, *, seed: int | None = None) -> None:
        if not isinstance(channels, int) or isinstance(channels, bool) or channels < 1:
            raise InputError("channels", f"{channels!r} is not a positive integer", "Give 64 for the paper's network")
        super().__init__(
            OrderedDict(
                conv1=_convolution(1, channels),
                pool1=nn.MaxPool3d(3),
                elu1=nn.ELU(),
                drop1=nn.Dropout(0.3),
                conv2=_convolution(channels, channels),
                pool2=nn.MaxPool3d(3),
                elu2=nn.ELU(),
                drop2=nn.Dropout(0.3),
                conv3=_convolution(channels, channels),
                elu3=nn.ELU(),
                conv4=_convolution(channels, channels),
                pool4=nn.MaxPool3d(3),
                elu4=nn.ELU(),
                drop4=nn.Dropout(0.3),
                flatten=nn.Flatten(),
            )
        )
        self.cells = output_shape(self, grid.shape)
        if min(self.cells) < 1:
            raise InputError(
                "grid", f"{grid} leaves the dense layer no cell", "Give at least 71 voxels along each axis"
            )
        cells = self.cells[0] * self.cells[1] * self.cells[2]
        self.fc = nn.utils.skip_init(nn.Linear, channels * cells, 1)  # type: ignore[no-untyped-call]
        self.channels = channels
        self.grid = grid
        self._shortest = field_of_view(self, grid.shape).stops
        self._longest = tuple(_longest(self, axis) for axis in range(3))
        self._info: ModelInfo | None = None
        _initialise(self, seed)
        # The state dict stays ordinary: memory format is only the order in which the same numbers lie.
        for convolution in (self.conv1, self.conv2, self.conv3, self.conv4):
            convolution.weight.data = convolution.weight.data.contiguous(memory_format=torch.channels_last_3d)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return the logit (B,) of input: (B, 1, X, Y, Z)."""
        x = fit_input(input, self._shortest, self._longest)
        logit: torch.Tensor = self._fused(x) if self._may_fuse() else super().forward(x)  # type: ignore[no-untyped-call]
        return logit.squeeze(1)

    def _may_fuse(self) -> bool:
        """Tell whether nobody looks between the layers: in training, and in prediction without gradients.

        Elsewhere each layer runs by itself, as LRP needs them.
        """
        return self.training or not torch.is_grad_enabled()

    def _fused(self, x: torch.Tensor) -> torch.Tensor:
        """Do what the layers do one by one, but each convolution with its pool, ELU and dropout in one operation."""
        layers = list(self.children())
        while layers:
            block = layers[:4]
            if _is_block(block) and fits(x, *block):  # type: ignore[arg-type]
                convolution, pool, _, dropout = block
                x = convolve_pool_activate(x, convolution, pool, dropout)  # type: ignore[arg-type]
                layers = layers[4:]
            else:
                x = layers.pop(0)(x)
        return x

    @property
    def info(self) -> ModelInfo:
        """What `model.json` says of a loaded model; PellucidError for one that was not loaded."""
        if self._info is None:
            raise PellucidError("This network was not loaded from a file, so it has no info. Use pellucid.load_model.")
        return self._info

    @info.setter
    def info(self, info: ModelInfo) -> None:
        self._info = info


@torch.fx.wrap
def fit_input(x: torch.Tensor, shortest: tuple[int, ...], longest: tuple[int, ...]) -> torch.Tensor:
    """Check x: (B, 1, X, Y, Z) and crop it to its first `shortest` voxels, which are all that the network sees.

    Raises
    ------
    InputError
        If x has another number of axes or channels, or an axis is not within `shortest` to `longest`.
    """
    shape = "x".join(str(n) for n in x.shape)
    if x.ndim != 5 or x.shape[1] != 1:
        raise InputError("x", f"its shape {shape} is not (batch, 1, X, Y, Z)", "Add the missing axes, as x[None, None]")
    spatial = x.shape[2:]
    if any(not low <= n <= high for low, n, high in zip(shortest, spatial, longest, strict=True)):
        fits = " x ".join(f"{low}-{high}" for low, high in zip(shortest, longest, strict=True))
        raise InputError(
            "x", f"its shape {shape} does not fit; X x Y x Z may be {fits}", "Resample the image to the model's grid"
        )
    x = x[:, :, : shortest[0], : shortest[1], : shortest[2]]
    # With one channel, `contiguous` takes either layout for the other; only a clone makes the convolutions follow it.
    return x.clone(memory_format=torch.channels_last_3d) if x.device.type == "cpu" else x.contiguous()


def _is_block(layers: list[nn.Module]) -> bool:
    """Tell whether four layers are convolution, max-pool, ELU and dropout."""
    kinds = (nn.Conv3d, nn.MaxPool3d, nn.ELU, nn.Dropout)
    return len(layers) == 4 and all(type(layer) is kind for layer, kind in zip(layers, kinds, strict=True))


def kernels_penalty(model: PaperNetwork) -> torch.Tensor:
    """Return the sum of squares of the kernels of convolutions 3 and 4, the paper's L2 term before its factor 0.01."""
    return model.conv3.weight.square().sum() + model.conv4.weight.square().sum()


def _convolution(channels_in: int, channels_out: int) -> nn.Conv3d:
    # skip_init: the default initialisation would draw from the global generator, whatever the seed.
    layer: nn.Conv3d = nn.utils.skip_init(nn.Conv3d, channels_in, channels_out, 3)  # type: ignore[no-untyped-call]
    return layer


def _initialise(model: PaperNetwork, seed: int | None) -> None:
    """Draw the kernels uniformly from ± sqrt(6 / (fan_in + fan_out)), set the biases to 0 (Keras' defaults)."""
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    for layer in (model.conv1, model.conv2, model.conv3, model.conv4, model.fc):
        nn.init.xavier_uniform_(layer.weight, generator=generator)
        nn.init.zeros_(cast(torch.Tensor, layer.bias))


def _longest(model: PaperNetwork, axis: int) -> int:
    """Return the greatest length of an axis that leaves as many cells as the grid's does."""
    shape = list(model.grid.shape)
    while output_shape(model, tuple(shape))[axis] == model.cells[axis]:
        shape[axis] += 1
    return shape[axis] - 1
