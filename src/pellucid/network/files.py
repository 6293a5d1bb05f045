"""Models in and out: a folder with `model.safetensors` and `model.json`; nothing that could run code."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

import pellucid
from pellucid.errors import InputError
from pellucid.files import atomic_path, read_json, sha256, write_json
from pellucid.image.grid import Grid
from pellucid.network.architectures import NETWORKS
from pellucid.network.info import ModelInfo
from pellucid.network.volume_network import VolumeNetwork

WEIGHTS = "model.safetensors"
DESCRIPTION = "model.json"
_KINDS = {kind.__name__: kind for kind in NETWORKS.values()}
_RETRAIN = "Restore the model's folder or train the model again"


def save_model(folder: Path | str, model: VolumeNetwork, info: ModelInfo) -> None:
    """Write `model.safetensors` and then `model.json` into `folder`, each atomically.

    The description holds the SHA-256 of the weights, so a folder is whole only if both belong together.

    Raises
    ------
    InputError
        If a weight is not float32 or not finite, or `load_model` would not know the model's class.
    """
    folder = Path(folder)
    architecture = type(model).__name__
    if architecture not in _KINDS:
        raise InputError(folder, f"the architecture {architecture!r} is not known", f"Known are {', '.join(_KINDS)}")
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    for name, tensor in tensors.items():
        _check_numbers(folder, name, tensor)
    with atomic_path(folder / WEIGHTS) as temporary:
        save_file(tensors, temporary)
    description = {
        "architecture": architecture,
        "channels": model.channels,
        "grid": model.grid.to_json(),
        "modality": info.modality,
        "scaling": info.scaling,
        "classes": {str(label): name for label, name in info.classes.items()},
        "trained": dict(info.trained),
        "pellucid": pellucid.__version__,
        "sha256": sha256(folder / WEIGHTS),
    }
    write_json(folder / DESCRIPTION, description)


def load_model(path: Path | str) -> VolumeNetwork:
    """Read a model from its folder, or from its `model.safetensors` or `model.json`; return it ready for prediction.

    The model is in evaluation mode and has its description as `.info`.

    Raises
    ------
    InputError
        If a file is missing, is not what it should be, or the two do not belong together.
    """
    folder = _folder(Path(path))
    description_file, weights_file = folder / DESCRIPTION, folder / WEIGHTS
    description = read_json(description_file)
    kind, channels, grid, info, digest = _read_description(description_file, description)
    tensors = _read_weights(weights_file)
    if sha256(weights_file) != digest:
        raise InputError(weights_file, f"the weights are not those that {DESCRIPTION} describes (SHA-256)", _RETRAIN)
    _check_fit(weights_file, tensors, kind, channels, grid)
    model = kind(channels, grid, seed=0)
    model.load_state_dict(tensors)
    model.info = info
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


def _read_description(file: Path, content: Any) -> tuple[type[VolumeNetwork], int, Grid, ModelInfo, str]:
    """Return kind, channels, grid, info and the SHA-256 of the weights from the content of `model.json`."""
    try:
        kind = _KINDS.get(str(content["architecture"]))
        if kind is None:
            raise InputError(
                file, f"the architecture {content['architecture']!r} is not known", f"Known are {', '.join(_KINDS)}"
            )
        info = ModelInfo(
            modality=str(content["modality"]),
            scaling=str(content["scaling"]),
            classes={int(label): str(name) for label, name in content["classes"].items()},
            trained=dict(content["trained"]),
        )
        return kind, int(content["channels"]), Grid.from_json(content["grid"]), info, str(content["sha256"])
    except KeyError as error:
        raise InputError(file, f"the key {error} is missing", _RETRAIN) from None
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError(file, f"it does not describe a model ({error})", _RETRAIN) from None


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


def _check_numbers(where: Path, name: str, tensor: torch.Tensor) -> None:
    """Refuse a tensor that is not float32 or not finite."""
    if tensor.dtype != torch.float32:
        raise InputError(where, f"{name} is {tensor.dtype}, not float32", "Convert the model with model.float()")
    if not bool(torch.isfinite(tensor).all()):
        raise InputError(where, f"{name} holds NaN or infinity", "Train the model again")
