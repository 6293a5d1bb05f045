"""Models in and out: a folder with `model.safetensors` and `model.json`; nothing that could run code."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, overload

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

import pellucid
from pellucid.errors import InputError
from pellucid.files import atomic_path, read_json, sha256, write_json
from pellucid.image.grid import Grid
from pellucid.image.prepare import RESAMPLINGS
from pellucid.network.architectures import NETWORKS, Network, architecture_of
from pellucid.network.foreign import ForeignNetwork, Maker, name_of, unfit
from pellucid.network.info import ModelInfo
from pellucid.network.naming import is_import_path
from pellucid.network.volume_network import VolumeNetwork

WEIGHTS = "model.safetensors"
DESCRIPTION = "model.json"
_KINDS = {kind.__name__: kind for kind in NETWORKS.values()}
_RETRAIN = "Restore the model's folder or train the model again"


def save_model(folder: Path | str, model: Network, info: ModelInfo) -> None:
    """Write `model.safetensors` and then `model.json` into `folder`, each atomically.

    The description holds the SHA-256 of the weights, so a folder is whole only if both belong together. Of a
    `ForeignNetwork` it says where the class is and its options; the weights have the names that the class gives them,
    its buffers among them.

    Raises
    ------
    InputError
        If a weight is not float32 or not finite, or `load_model` would not know the model's class.
    """
    folder = Path(folder)
    architecture = architecture_of(model)
    foreign = isinstance(model, ForeignNetwork)
    if not foreign and architecture not in _KINDS:
        raise InputError(folder, f"the architecture {architecture!r} is not known", f"Known are {', '.join(_KINDS)}")
    state = model.network.state_dict() if isinstance(model, ForeignNetwork) else model.state_dict()
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    for name, tensor in tensors.items():
        _check_numbers(folder, name, tensor, foreign=foreign)
    if foreign:  # who shares a weight between two layers gets it twice: a file holds no tensor under two names
        tensors = {name: tensor.clone() for name, tensor in tensors.items()}
    with atomic_path(folder / WEIGHTS) as temporary:
        save_file(tensors, temporary)
    description = {
        "architecture": architecture,
        **({"options": model.options} if isinstance(model, ForeignNetwork) else {}),
        "channels": model.channels,
        "grid": model.grid.to_json(),
        "modality": info.modality,
        "scaling": info.scaling,
        "resampling": info.resampling,
        "classes": {str(label): name for label, name in info.classes.items()},
        "trained": dict(info.trained),
        "pellucid": pellucid.__version__,
        "sha256": sha256(folder / WEIGHTS),
    }
    write_json(folder / DESCRIPTION, description)


@overload
def load_model(path: Path | str, *, network: None = None) -> VolumeNetwork: ...


@overload
def load_model(path: Path | str, *, network: str | Maker) -> ForeignNetwork: ...


@overload
def load_model(path: Path | str, *, network: str | Maker | None) -> Network: ...


def load_model(path: Path | str, *, network: str | Maker | None = None) -> Network:
    """Read a model from its folder, or from its `model.safetensors` or `model.json`; return it ready for prediction.

    The model is in evaluation mode and has its description as `.info`.

    Parameters
    ----------
    path
        The model.
    network
        For a network that is not Pellucid's, its class or where that is, `package.module:Name`. A model file never has
        anything imported: whose code runs is said here. The class gets the options of `model.json`, plain values all.

    Raises
    ------
    InputError
        If a file is missing, is not what it should be, or the two do not belong together; if `network` is missing, or
        is not what the model is of.
    """
    folder = _folder(Path(path))
    weights_file = folder / WEIGHTS
    described = _read_description(folder / DESCRIPTION, read_json(folder / DESCRIPTION))
    _check_class(folder, described.architecture, network)
    tensors = _read_weights(weights_file)
    if sha256(weights_file) != described.digest:
        raise InputError(weights_file, f"the weights are not those that {DESCRIPTION} describes (SHA-256)", _RETRAIN)
    if network is not None:
        model: Network = _fill_foreign(weights_file, tensors, network, described)
    else:
        kind = _KINDS[described.architecture]
        _check_fit(weights_file, tensors, kind, described.channels, described.grid)
        model = kind(described.channels, described.grid, seed=0)
        model.load_state_dict(tensors)
    model.info = described.info
    return model.eval()


def _folder(path: Path) -> Path:
    """Return the folder of a model named by its folder or by one of its files."""
    if path.is_dir():
        missing = [name for name in (DESCRIPTION, WEIGHTS) if not (path / name).is_file()]
        if missing:
            raise InputError(
                path, f"the folder has no {' and no '.join(missing)}", "Give the folder of a trained model"
            )
        return path
    if not path.exists():
        raise InputError(path, "it does not exist", "Check the path")
    if path.name not in (DESCRIPTION, WEIGHTS):
        raise InputError(
            path, f"it is neither {WEIGHTS} nor {DESCRIPTION}", "Give a model's folder; other formats are never loaded"
        )
    return _folder(path.parent)


class _Description(NamedTuple):
    """What `model.json` says: the options of a network that is not Pellucid's, the channels of one that is."""

    architecture: str
    options: Mapping[str, Any]
    channels: int
    grid: Grid
    info: ModelInfo
    digest: str


def _read_description(file: Path, content: Any) -> _Description:
    """Return the content of `model.json`, checked."""
    try:
        architecture = str(content["architecture"])
        foreign = is_import_path(architecture)
        if not foreign and architecture not in _KINDS:
            raise InputError(
                file, f"the architecture {content['architecture']!r} is not known", f"Known are {', '.join(_KINDS)}"
            )
        resampling = content.get("resampling", "antialias")  # older files do not say
        if resampling not in RESAMPLINGS:
            raise InputError(file, f"the resampling {resampling!r} is not known", f"Known are {', '.join(RESAMPLINGS)}")
        info = ModelInfo(
            modality=str(content["modality"]),
            scaling=str(content["scaling"]),
            resampling=resampling,
            classes={int(label): str(name) for label, name in content["classes"].items()},
            trained=dict(content["trained"]),
        )
        return _Description(
            architecture,
            dict(content["options"]) if foreign else {},
            0 if foreign else int(content["channels"]),
            Grid.from_json(content["grid"]),
            info,
            str(content["sha256"]),
        )
    except KeyError as error:
        raise InputError(file, f"the key {error} is missing", _RETRAIN) from None
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError(file, f"it does not describe a model ({error})", _RETRAIN) from None


def _check_class(folder: Path, architecture: str, network: str | Maker | None) -> None:
    """Refuse a model whose class is not given, and one that is given another class than it is of."""
    name = architecture.rpartition(":")[2]
    if not is_import_path(architecture):
        if network is not None:
            raise InputError("network", f"is given, but {folder} holds a {architecture}", "Leave it out")
    elif network is None:
        raise InputError(
            folder,
            f"the model is of {architecture}, whose code is not in its files and is never imported on their word",
            f"If you trust that code, hand it over: load_model(folder, network={name}), or on the command line "
            f"--network {architecture}",
        )
    elif isinstance(network, str | type) and name_of(network).rpartition(":")[2] != name:
        raise InputError(
            "network", f"is {name_of(network)}, but the model in {folder} is of {architecture}", f"Give {name}"
        )


def _fill_foreign(
    file: Path, tensors: dict[str, torch.Tensor], network: str | Maker, described: _Description
) -> ForeignNetwork:
    """Make a network that is not Pellucid's and give it its weights."""
    try:
        model = ForeignNetwork(network, described.grid, options=described.options, seed=0)
    except InputError as error:
        if error.where != "options":
            raise
        raise InputError(file.with_name(DESCRIPTION), f"its options do not fit: {error.what}", error.fix) from error
    expected = model.network.state_dict()
    if set(tensors) != set(expected):
        wrong = ", ".join(sorted(set(tensors) ^ set(expected)))
        raise InputError(file, f"missing or unknown tensors: {wrong}", f"Give the {model.name} that was trained")
    for name, tensor in tensors.items():
        _check_numbers(file, name, tensor, foreign=True)
        found, needed = (f"{tuple(one.shape)} of {one.dtype}" for one in (tensor, expected[name]))
        if found != needed:
            raise InputError(file, f"{name} is {found}, not {needed}", f"Give the {model.name} that was trained")
    model.network.load_state_dict(tensors)
    return model


def _read_weights(file: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a safetensors file."""
    try:
        tensors: dict[str, torch.Tensor] = load_file(file)
    except (SafetensorError, OSError) as error:
        raise InputError(file, f"it is not a safetensors file ({error})", _RETRAIN) from None
    return tensors


def _check_fit(
    file: Path, tensors: dict[str, torch.Tensor], kind: type[VolumeNetwork], channels: int, grid: Grid
) -> None:
    """Refuse weights whose names, shapes or numbers are not those of the network that `model.json` describes."""
    expected = set(kind(1, seed=0).state_dict())  # the smallest says the names, whatever size the description claims
    if set(tensors) != expected:
        wrong = ", ".join(sorted(set(tensors) ^ expected))
        raise InputError(file, f"missing or unknown tensors: {wrong}", _RETRAIN)
    for name, tensor in tensors.items():
        _check_numbers(file, name, tensor)
    found = tensors["conv1.weight"].shape[0]
    if found != channels:
        raise InputError(file, f"it has {found} channels, {DESCRIPTION} says {channels}", _RETRAIN)
    try:
        needed = channels * math.prod(kind.cells_on(grid))
    except InputError as error:
        raise InputError(file, f"{DESCRIPTION} has a grid that cannot be used: {error.what}", _RETRAIN) from None
    found = tensors["fc.weight"].shape[-1]
    if found != needed:
        raise InputError(file, f"the head has {found} weights, the model's grid ({grid}) needs {needed}", _RETRAIN)
    for name, parameter in kind(channels, grid, seed=0).state_dict().items():
        if tensors[name].shape != parameter.shape:
            raise InputError(
                file, f"{name} has shape {tuple(tensors[name].shape)}, not {tuple(parameter.shape)}", _RETRAIN
            )


def _check_numbers(where: Path, name: str, tensor: torch.Tensor, *, foreign: bool = False) -> None:
    """Refuse a tensor that is not float32 or not finite; a foreign network may have whole numbers too."""
    if tensor.dtype != torch.float32 and not (foreign and unfit(tensor) is None):
        raise InputError(where, f"{name} is {tensor.dtype}, not float32", "Convert the model with model.float()")
    if not bool(torch.isfinite(tensor).all()):
        raise InputError(where, f"{name} holds NaN or infinity", "Train the model again")
