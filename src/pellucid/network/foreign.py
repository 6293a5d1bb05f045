"""A network of the user's own, given by its class or where that is, with what Pellucid's networks offer to others."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from pellucid.ground.errors import InputError, PellucidError
from pellucid.image.grid import PAPER_GRID, Grid
from pellucid.network.info import Described
from pellucid.network.naming import check_options
from pellucid.network.source import import_class, told
from pellucid.network.volume_network import check_input, is_out_of_memory, too_large

Maker = Callable[..., nn.Module]
"""A class of networks, or a function that returns one: what a caller hands over in Python."""

_ONE_SCAN = "Expected more than 1 value per channel"  # how PyTorch says that batch norm has nothing to average over
_CONTRACT = "A network takes x: (B, 1, X, Y, Z) and returns one logit per scan, of shape (B,) or (B, 1)"


class ForeignNetwork(nn.Module, Described):
    """A network that is not Pellucid's: `logit = network(x)`, of shape (B,), before the sigmoid.

    Parameters
    ----------
    network
        The class, or a function that returns a network; or where the class is, `package.module:Name`, which must be a
        subclass of `nn.Module`. It must take x: (B, 1, X, Y, Z) and give (B,) or (B, 1).
    grid
        The grid of the images; x is of exactly its shape.
    options
        Keyword arguments of the class: text, numbers, true, false, lists and tables.
    seed
        Of the first weights: PyTorch's global CPU generator is seeded while the network is made and left as it was
        found. None lets it draw on. Who draws from elsewhere in the class gets other weights each time.

    Notes
    -----
    What the layers do is not known. Images are never cropped for it, and `pellucid.field_of_view` says what it can
    derive.

    Raises
    ------
    InputError
        At `network`, if it cannot be imported, gives no `nn.Module`, has nothing to train or holds what a model file
        cannot, or if its output is not one logit a scan; at `options`, if it does not take them; if an input does not
        fit.
    PellucidError
        If the memory does not suffice for a batch, or batch norm is given a single value to normalise.
    """

    channels: None = None
    """Its width is its own affair."""

    def __init__(
        self,
        network: str | Maker,
        grid: Grid = PAPER_GRID,
        *,
        options: Mapping[str, Any] | None = None,
        seed: int | None = None,
    ) -> None:
        given = dict(options or {})
        check_options(given)
        super().__init__()
        self.network = _make(network, given, seed)
        self.name = name_of(network)
        self.options = given
        self.grid = grid
        check_tensors(self.name, self.network)

    @property
    def inner(self) -> nn.Module:
        """What the user's class made."""
        return self.network

    @property
    def corner(self) -> None:
        """It is given whole images: cropping would change what batch norm averages over in training."""
        return

    def penalty(self) -> torch.Tensor:
        """Return the sum of squares of the kernels of every `nn.Conv3d`; 0 if it has none."""
        kernels = [layer.weight for layer in self.modules() if isinstance(layer, nn.Conv3d)]
        # The start has a gradient, so that the sum of none can go backward too.
        return sum((kernel.square().sum() for kernel in kernels), start=torch.zeros((), requires_grad=True))

    def step_bytes(self) -> int:
        """Return the bytes of memory that a scan takes in a training step: twice what is kept for the way back.

        As much again goes into gradients on it, at most.
        """
        kept: dict[int, int] = {}

        def note(tensor: torch.Tensor) -> torch.Tensor:
            storage = tensor.untyped_storage()
            kept[storage.data_ptr()] = storage.nbytes()
            return tensor

        training = self.training
        self.eval()  # a single scan is enough for batch norm then
        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            self(random_image(self.grid))
        self.train(training)
        return 2 * sum(kept.values())

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return the logit (B,) of input: (B, 1, X, Y, Z)."""
        try:
            x = whole_input(input, tuple(self.grid.shape), next(self.parameters()).dtype)
            return one_logit(self.network(x))
        except (RuntimeError, MemoryError, ValueError) as error:
            if is_out_of_memory(error):
                raise PellucidError(too_large(len(input))) from error
            if _ONE_SCAN in str(error):
                raise PellucidError(
                    f"{self.name} has batch norm, which cannot average over a batch of one scan. Use another "
                    "batch_size, so that the last batch of an epoch is not a single scan."
                ) from error
            raise

    def try_out(self) -> None:
        """Run a random image through the network, for zeros hide much.

        Raises
        ------
        InputError
            At `network`, if that fails or gives no finite logit of shape (1,); says what happened.
        """
        image = random_image(self.grid)
        training = self.training
        self.eval()
        try:
            with torch.inference_mode():
                logit = self(image)
        except PellucidError:
            raise
        except Exception as error:  # the user's forward may raise anything
            raise InputError(
                "network", f"{self.name} fails on an image of shape {tuple(image.shape)}: {told(error)}", _CONTRACT
            ) from error
        finally:
            self.train(training)
        if logit.shape != (1,) or not bool(torch.isfinite(logit).all()):
            what = "NaN or infinity" if logit.shape == (1,) else f"{tuple(logit.shape)}"
            raise InputError("network", f"{self.name} gives {what} for one random image", _CONTRACT)


def random_image(grid: Grid) -> torch.Tensor:
    """Return x: (1, 1, X, Y, Z) of numbers from 0 to 1, always the same."""
    return torch.rand((1, 1, *grid.shape), generator=torch.Generator().manual_seed(0))


@torch.fx.wrap
def whole_input(x: torch.Tensor, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    """Return x: (B, 1, X, Y, Z) as it is; InputError unless it has that `shape` and `dtype` and is finite."""
    check_input(x, shape, shape, dtype)
    return x


@torch.fx.wrap
def one_logit(output: torch.Tensor) -> torch.Tensor:
    """Return the output of a network, (B,) or (B, 1), as (B,); InputError at `network` for anything else."""
    if not isinstance(output, torch.Tensor):
        raise InputError("network", f"its output is a {type(output).__name__}, not a tensor", _CONTRACT)
    if output.ndim not in (1, 2) or (output.ndim == 2 and output.shape[1] != 1):
        shape = tuple(output.shape)
        raise InputError("network", f"its output has the shape {shape}, which is not one logit per scan", _CONTRACT)
    return output.reshape(-1)


def name_of(network: str | Maker) -> str:
    """Return what a model file calls a network: `package.module:Name`."""
    if isinstance(network, str):
        return network
    return f"{network.__module__}:{getattr(network, '__name__', type(network).__name__)}"


def import_network(path: str) -> type[nn.Module]:
    """Import a class of networks from `package.module:Name`; errors as `source.import_class`."""
    return import_class(path, nn.Module)


def check_tensors(name: str, network: nn.Module) -> None:
    """Refuse a network that cannot be trained or saved as it is.

    Raises
    ------
    InputError
        At `network`, if no parameter can be trained, a tensor has no size yet, is of a floating type that is not
        float32, or holds NaN or infinity, or if its state holds anything but tensors.
    """
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise InputError("network", f"{name} has no trainable parameter", "Give a network that has one")
    for key, tensor in network.state_dict(keep_vars=True).items():
        if isinstance(tensor, UninitializedParameter | UninitializedBuffer):
            raise InputError("network", f"{name} is lazy: {key} has no size yet", "Give every layer its sizes")
        if (why := unfit(tensor)) is not None:
            fix = "Make it float32 and finite, or a buffer that is not saved (persistent=False)"
            raise InputError("network", f"{key} of {name} {why}", fix)


def unfit(tensor: object) -> str | None:
    """Return why a tensor of a network's state cannot be in a model file; None if it can: float32, integer or bool."""
    if not isinstance(tensor, torch.Tensor):
        return f"is a {type(tensor).__name__}, not a tensor"
    if tensor.is_complex() or (tensor.is_floating_point() and tensor.dtype != torch.float32):
        return f"is {tensor.dtype}, not float32"
    return None if bool(torch.isfinite(tensor).all()) else "holds NaN or infinity"


def _make(network: str | Maker, options: dict[str, Any], seed: int | None) -> nn.Module:
    """Make the network, its weights drawn from `seed`."""
    maker, name = import_network(network) if isinstance(network, str) else network, name_of(network)
    generator = torch.default_generator
    before = generator.get_state()
    try:
        if seed is not None:
            generator.manual_seed(seed)
        made: object = maker(**options)
    except (Exception, SystemExit) as error:  # a user's class may raise anything
        given = ", ".join(options) or "no options"
        raise InputError(
            "options", f"{name} cannot be made with {given}: {told(error)}", _takes(name, maker)
        ) from error
    finally:
        if seed is not None:
            generator.set_state(before)
    if not isinstance(made, nn.Module):
        raise InputError(
            "network", f"{name} returns a {type(made).__name__}, not a torch.nn.Module", "Give a class of networks"
        )
    return made


def _takes(name: str, maker: Maker) -> str:
    """Say what keyword arguments a class takes."""
    try:
        return f"{name} takes {inspect.signature(maker)}"
    except (TypeError, ValueError):
        return f"Give what {name} takes"
