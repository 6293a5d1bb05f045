"""The network of Eitel et al. 2019, reordered and cropped so that it is quick, with the same output."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from pellucid.image.grid import PAPER_GRID, Grid
from pellucid.network.field_of_view import derive_view, output_shape
from pellucid.network.volume_network import Geometry, VolumeNetwork


class PaperNetwork(VolumeNetwork):
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
    PellucidError
        If the memory does not suffice for a batch.

    References
    ----------
    Eitel et al. 2019, §2.4.1, and its code; Glorot and Bengio 2010 for the kernels.
    """

    # deviates: the paper's text counts four pools; its code and its 333,889 parameters have three.
    # deviates: pools before ELUs, on a crop; in the paper ELUs first, on the whole grid. The logit is the same.

    LEAST = 71  # leaves the dense layer a cell

    def __init__(self, channels: int = 64, grid: Grid = PAPER_GRID, *, seed: int | None = None) -> None:
        super().__init__(channels, grid, seed=seed)
        layers = nn.Sequential(OrderedDict(self.named_children()))  # a subclass may have a forward of its own
        self._shortest = derive_view(layers, grid.shape).stops
        self._longest = tuple(_longest(layers, axis, grid.shape) for axis in range(3))

    @classmethod
    def _geometry(cls, grid: Grid) -> Geometry:
        """Return the paper's geometry, whatever the grid: nothing is padded, and all pools are 3x3x3."""
        return Geometry()


def _longest(layers: nn.Sequential, axis: int, shape: tuple[int, ...]) -> int:
    """Return the greatest length of an axis that leaves as many cells as `shape` does."""
    longer, cells = list(shape), output_shape(layers, shape)[axis]
    while output_shape(layers, tuple(longer))[axis] == cells:
        longer[axis] += 1
    return longer[axis] - 1
