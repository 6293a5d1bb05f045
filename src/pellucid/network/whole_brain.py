"""The paper's network made to see the whole brain: zeros are added where its pools would drop the end of an axis."""

from __future__ import annotations

from pellucid.image.grid import Grid
from pellucid.network.volume_network import Geometry, VolumeNetwork


class WholeBrainNetwork(VolumeNetwork):
    """The layers and width of `PaperNetwork`, but every voxel of the grid can move the logit.

    `logit = fc(flatten(... drop1(elu1(pool1(conv1(x))))))`, of shape (B,), before the sigmoid. The convolutions are
    padded with zeros so that no pool drops a position, and the last pool leaves 2 or 3 cells along each axis. With 64
    channels on the paper's grid it has 334,273 parameters; names, kernels and biases are as in `PaperNetwork`:

        input           96 x 114 x 96
        conv1, padded   96 x 114 x 96    pool1 3x3x3    32 x 38 x 32
        conv2           30 x 36 x 30     pool2 3x3x3    10 x 12 x 10
        conv3, padded   10 x 12 x 10
        conv4, padded   10 x 12 x 10     pool4 5x6x5     2 x  2 x  2    fc

    Parameters
    ----------
    channels
        Filters of each convolution.
    grid
        The grid of the images, at least 54 voxels along each axis. An input x is (B, 1, X, Y, Z) of exactly its shape.
    seed
        Where the kernels are drawn from; None takes PyTorch's global generator.

    Notes
    -----
    Each axis is padded by itself. Before an axis of n positions goes through a convolution and a pool of 3,
    (n + 1) mod 3 zeros are put at either end, the only number below 3 whose outputs, n - 2 + 2 ((n + 1) mod 3), divide
    by 3. Convolution 3 keeps the length m. Convolution 4 keeps an even m, whose halves are two cells; an odd one it
    pads like convolutions 1 and 2, and its thirds are three cells.

    Raises
    ------
    InputError
        If `channels` is not a positive integer, the grid is too small, or an input does not fit.
    PellucidError
        If the memory does not suffice for a batch.
    """

    LEAST = 54  # from here on each cell of the last pool takes three positions or more

    @classmethod
    def _geometry(cls, grid: Grid) -> Geometry:
        """Return where zeros are added on a grid, and the pools, so that nothing is dropped."""
        x, y, z = (_axis(n) for n in grid.shape)
        padding1, padding2, padding4, pool4 = zip(x, y, z, strict=True)
        return Geometry(padding1=padding1, padding2=padding2, padding3=(1, 1, 1), padding4=padding4, pool4=pool4)


def _axis(n: int) -> tuple[int, int, int, int]:
    """Return the padding of convolutions 1, 2 and 4 and the size of the last pool along an axis of n voxels.

    >>> _axis(96)
    (1, 0, 1, 5)
    """
    padding1 = _padding(n)
    n = _pooled(n, padding1)
    padding2 = _padding(n)
    m = _pooled(n, padding2)
    if m % 2 == 0:
        return padding1, padding2, 1, m // 2
    return padding1, padding2, _padding(m), _pooled(m, _padding(m))


def _padding(n: int) -> int:
    """Return how many zeros at either end make the outputs of a kernel of 3, n + 2 p - 2, divide by 3."""
    return (n + 1) % 3


def _pooled(n: int, padding: int) -> int:
    """Return a third of the outputs of a kernel of 3 on a padded axis."""
    return (n + 2 * padding - 2) // 3
