"""What Pellucid's networks share: four convolutions, three max-pools and one dense unit on the grid of the images."""

from __future__ import annotations

from collections import OrderedDict
from math import prod
from typing import ClassVar, NamedTuple, cast

import torch
from torch import nn

from pellucid.ground.errors import InputError, PellucidError
from pellucid.image.grid import PAPER_GRID, Grid
from pellucid.kernels.arrays import Size
from pellucid.network.field_of_view import field_of_view, output_shape, runs_layers_in_order
from pellucid.network.finite import check_finite
from pellucid.network.fused import FusedSequential
from pellucid.network.info import Described

_FUSED_BYTES, _LAYERWISE_BYTES = 36, 760  # a voxel that 64 channels see, in a training step
_HALF = (torch.float16, torch.bfloat16)
_NO_MEMORY = ("can't allocate memory", "DefaultCPUAllocator", "out of memory")  # how PyTorch's RuntimeErrors say it


class Geometry(NamedTuple):
    """What tells two networks apart: the zeros before and behind each axis of convolutions 1 to 4, and the pools."""

    padding1: Size = (0, 0, 0)
    pool1: Size = (3, 3, 3)
    padding2: Size = (0, 0, 0)
    pool2: Size = (3, 3, 3)
    padding3: Size = (0, 0, 0)
    padding4: Size = (0, 0, 0)
    pool4: Size = (3, 3, 3)


class VolumeNetwork(FusedSequential, Described):
    """Four 3x3x3 convolutions with ELU, three max-pools, dropout 0.3 and one dense unit: the base of two networks.

    A subclass says by `_geometry` where zeros are added and how the pools are sized, and by `LEAST` on what grids.

    Parameters
    ----------
    channels
        Filters of each convolution.
    grid
        The grid of the images; the dense layer has `channels` weights for each cell that its shape leaves.
    seed
        Where the kernels are drawn from; None takes PyTorch's global generator.

    Raises
    ------
    InputError
        If `channels` is not a positive integer, the grid is too small, or an input does not fit.
    PellucidError
        If the memory does not suffice for a batch.
    """

    LEAST: ClassVar[int]
    """Voxels along an axis of the smallest grid."""

    conv1: nn.Conv3d
    conv2: nn.Conv3d
    conv3: nn.Conv3d
    conv4: nn.Conv3d
    fc: nn.Linear

    def __init__(self, channels: int = 64, grid: Grid = PAPER_GRID, *, seed: int | None = None) -> None:
        if not isinstance(channels, int) or isinstance(channels, bool) or channels < 1:
            raise InputError("channels", f"{channels!r} is not a positive integer", "Give 64 for the paper's network")
        super().__init__(_layers(channels, self.geometry(grid)))
        self.cells = self.cells_on(grid)
        self.fc = nn.utils.skip_init(nn.Linear, channels * prod(self.cells), 1)  # type: ignore[no-untyped-call]
        self.channels = channels
        self.grid = grid
        self._shortest = self._longest = tuple(grid.shape)
        _initialise(self, seed)
        # The state dict stays ordinary: memory format is only the order in which the same numbers lie.
        for convolution in (self.conv1, self.conv2, self.conv3, self.conv4):
            convolution.weight.data = convolution.weight.data.contiguous(memory_format=torch.channels_last_3d)

    @property
    def name(self) -> str:
        """What `model.json` calls the architecture."""
        return type(self).__name__

    @property
    def inner(self) -> nn.Module:
        """The network itself."""
        return self

    @property
    def corner(self) -> tuple[int, ...]:
        """How many leading voxels of each axis the network has to be given: cropping to them changes nothing."""
        return field_of_view(self).stops

    def penalty(self) -> torch.Tensor:
        """Return the sum of squares of the kernels of convolutions 3 and 4, the paper's L2 term before its factor."""
        return self.conv3.weight.square().sum() + self.conv4.weight.square().sum()

    def step_bytes(self) -> int:
        """Return the bytes of memory that a scan takes in a training step, as measured (docs/performance.md)."""
        x = torch.zeros(1, 1, *self.corner)
        bytes_a_voxel = _FUSED_BYTES if self.paths(x)["conv1"] == "fused" else _LAYERWISE_BYTES
        return int(x.numel() * bytes_a_voxel * self.channels / 64)

    @classmethod
    def geometry(cls, grid: Grid) -> Geometry:
        """Return where this kind of network pads, and its pools, on a grid.

        Raises
        ------
        InputError
            If the grid is too small.
        """
        if min(grid.shape) < cls.LEAST:
            raise InputError(
                "grid", f"{grid} is too small for a {cls.__name__}", f"Give at least {cls.LEAST} voxels along each axis"
            )
        return cls._geometry(grid)

    @classmethod
    def _geometry(cls, grid: Grid) -> Geometry:
        """Return the geometry on a grid that is large enough."""
        raise NotImplementedError

    @classmethod
    def cells_on(cls, grid: Grid) -> tuple[int, ...]:
        """Return how many cells along X, Y and Z a grid leaves to the dense layer, without making that layer."""
        return output_shape(nn.Sequential(_layers(1, cls.geometry(grid))), grid.shape)

    @runs_layers_in_order
    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return the logit (B,) of input: (B, 1, X, Y, Z)."""
        try:
            x = fit_input(input, self._shortest, self._longest, self.conv1.weight.dtype)
            return super().forward(x).squeeze(1)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise PellucidError(too_large(len(input))) from error


@torch.fx.wrap
def fit_input(x: torch.Tensor, shortest: tuple[int, ...], longest: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    """Check x: (B, 1, X, Y, Z) and crop it to its first `shortest` voxels, which are all that the network sees.

    Raises
    ------
    InputError
        As `check_input`.
    """
    check_input(x, shortest, longest, dtype)
    x = x[:, :, : shortest[0], : shortest[1], : shortest[2]]
    # With one channel, `contiguous` takes either layout for the other; only a clone makes the convolutions follow it.
    return x.clone(memory_format=torch.channels_last_3d) if x.device.type == "cpu" else x.contiguous()


def check_input(x: torch.Tensor, shortest: tuple[int, ...], longest: tuple[int, ...], dtype: torch.dtype) -> None:
    """Check x: (B, 1, X, Y, Z).

    Raises
    ------
    InputError
        If x is no tensor, has another number of axes or channels, an axis is not within `shortest` to `longest`, it is
        not of the weights' `dtype` or of half precision (but under autocast), or it holds NaN or infinity.
    """
    if not isinstance(x, torch.Tensor):
        raise InputError("x", f"is {type(x).__name__}, not a tensor", "Convert it with torch.as_tensor(x)")
    shape = "x".join(str(n) for n in x.shape)
    if x.ndim != 5 or x.shape[1] != 1:
        raise InputError("x", f"its shape {shape} is not (batch, 1, X, Y, Z)", "Add the missing axes, as x[None, None]")
    spatial = x.shape[2:]
    if any(not low <= n <= high for low, n, high in zip(shortest, spatial, longest, strict=True)):
        ranges = zip(shortest, longest, strict=True)
        fits = " x ".join(f"{low}-{high}" if low < high else str(low) for low, high in ranges)
        raise InputError(
            "x", f"its shape {shape} does not fit; X x Y x Z may be {fits}", "Resample the image to the model's grid"
        )
    _check_type(x, dtype)
    _check_values(x)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that the memory of the machine or of its GPU does not suffice."""
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _NO_MEMORY)


def too_large(volumes: int) -> str:
    """Say that a batch is too large for the memory, and what to do."""
    if volumes < 2:
        return (
            "Memory is too small for a batch of 1 volume, and no batch is smaller. Close other programs, or use a "
            "machine with more memory."
        )
    return f"Memory is too small for a batch of {volumes} volumes. Use batches of {volumes // 2} or fewer."


def _check_type(x: torch.Tensor, dtype: torch.dtype) -> None:
    """Refuse an x that is not of the weights' data type, and half precision, unless autocast converts both."""
    single = (torch.float32, *_HALF)
    if x.dtype == dtype and dtype in (torch.float32, torch.float64):
        return
    if x.dtype in single and dtype in single and torch.is_autocast_enabled(x.device.type):
        return
    if x.dtype != dtype:
        fix = f"Convert it with x.to({dtype})" if dtype not in _HALF else "Use x.float() and model.float()"
        raise InputError("x", f"is {x.dtype}, the model's weights are {dtype}", fix)
    raise InputError(
        "x", f"is {x.dtype}, and so are the model's weights", "Use x.float() and model.float(), under torch.autocast"
    )


def _check_values(x: torch.Tensor) -> None:
    """Refuse NaN and infinity, where the values may be looked at: not while PyTorch records the layers."""
    recorded = torch.compiler.is_compiling() or torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    if recorded or x.is_meta or (x.is_cuda and torch.cuda.is_current_stream_capturing()):
        return
    check_finite(x.detach())


def _layers(channels: int, geometry: Geometry) -> OrderedDict[str, nn.Module]:
    """Return the layers of a network up to its dense one."""
    g = geometry
    return OrderedDict(
        conv1=_convolution(1, channels, g.padding1),
        pool1=nn.MaxPool3d(g.pool1),
        elu1=nn.ELU(),
        drop1=nn.Dropout(0.3),
        conv2=_convolution(channels, channels, g.padding2),
        pool2=nn.MaxPool3d(g.pool2),
        elu2=nn.ELU(),
        drop2=nn.Dropout(0.3),
        conv3=_convolution(channels, channels, g.padding3),
        elu3=nn.ELU(),
        conv4=_convolution(channels, channels, g.padding4),
        pool4=nn.MaxPool3d(g.pool4),
        elu4=nn.ELU(),
        drop4=nn.Dropout(0.3),
        flatten=nn.Flatten(),
    )


def _convolution(channels_in: int, channels_out: int, padding: Size) -> nn.Conv3d:
    # skip_init: the default initialisation would draw from the global generator, whatever the seed.
    layer: nn.Conv3d = nn.utils.skip_init(  # type: ignore[no-untyped-call]
        nn.Conv3d, channels_in, channels_out, 3, padding=padding
    )
    return layer


def _initialise(model: VolumeNetwork, seed: int | None) -> None:
    """Draw the kernels uniformly from ± sqrt(6 / (fan_in + fan_out)), set the biases to 0 (Keras' defaults)."""
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    for layer in (model.conv1, model.conv2, model.conv3, model.conv4, model.fc):
        nn.init.xavier_uniform_(layer.weight, generator=generator)
        nn.init.zeros_(cast(torch.Tensor, layer.bias))
