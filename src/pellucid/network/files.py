"""Models in and out: a folder with `model.safetensors` and `model.json`; nothing that could run code."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, overload

import torch
from safetensors.torch import save, save_file

import pellucid
from pellucid.ground.errors import InputError, brief
from pellucid.ground.files import atomic_path, read_json, sha256, write_json
from pellucid.ground.memory import demand_memory
from pellucid.image.grid import Grid
from pellucid.image.prepare import RESAMPLINGS
from pellucid.image.scaling import SCALINGS, UNSCALED
from pellucid.network.architectures import NETWORKS, Network
from pellucid.network.foreign import ForeignNetwork, Maker, name_of, unfit
from pellucid.network.info import ModelInfo
from pellucid.network.naming import is_import_path
from pellucid.network.volume_network import VolumeNetwork
from pellucid.network.weights import RETRAIN, Shapes, check_shapes, read_claims, read_tensors

WEIGHTS = "model.safetensors"
DESCRIPTION = "model.json"
_KINDS = {kind.__name__: kind for kind in NETWORKS.values()}
_SHAPE = {
    "architecture": str,
    "options?": dict,
    "channels?": int,
    "grid": object,
    "modality": str,
    "scaling": str,
    "resampling": str,
    "classes": {"0": str, "1": str},
    "trained": dict,
    "pellucid": str,
    "sha256": str,
}
_MEANING = ("architecture", "options", "channels", "grid", "modality", "scaling", "resampling", "classes")
"""What of `model.json` decides what a logit means."""
_NOTE = "description"
"""The note in the weights' file that holds the digest of this."""
_LONGEST_NAME = 100
_BYTES_A_VOXEL = 24  # of an image while it is brought to the model's grid


def save_model(folder: Path | str, model: Network, info: ModelInfo) -> None:
    """Write `model.safetensors` and then `model.json` into `folder`, each atomically.

    The description holds the SHA-256 of the weights, and the weights a digest of what in it decides what a logit means,
    so that neither is taken for another's: a mirrored grid or another scaling would be no error of its own. Of a
    `ForeignNetwork` it says where the class is and its options; the weights have the names that the class gives them,
    its buffers among them.

    Raises
    ------
    InputError
        If a weight is not float32 or not finite, or `load_model` would not know the model's class.
    """
    folder = Path(folder)
    if model.options is None and model.name not in _KINDS:
        raise InputError(folder, f"the architecture {model.name!r} is not known", f"Known are {', '.join(_KINDS)}")
    tensors = _tensors(model)
    for name, tensor in tensors.items():
        _check_numbers(folder, name, tensor, foreign=model.options is not None)
    description = _describe(model, info)
    with atomic_path(folder / WEIGHTS) as temporary:
        save_file(tensors, temporary, metadata={_NOTE: _meaning(description)})
    write_json(folder / DESCRIPTION, description | {"sha256": sha256(folder / WEIGHTS)})


def weights_digest(model: Network) -> str:
    """Return the SHA-256 that `model.safetensors` has if the model is saved as it is now, with its own `info`."""
    content = save(_tensors(model), metadata={_NOTE: _meaning(_describe(model, model.info))})
    return hashlib.sha256(content).hexdigest()


def _tensors(model: Network) -> dict[str, torch.Tensor]:
    """Return the weights as a file holds them, by name."""
    # Copied: who shares a weight between two layers gets it twice, for a file holds no tensor under two names.
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in model.inner.state_dict().items()}


def _describe(model: Network, info: ModelInfo) -> dict[str, Any]:
    """Return what `model.json` says, but for the digest of the weights."""
    return {
        "architecture": model.name,
        **({} if model.options is None else {"options": model.options}),
        "channels": model.channels,
        "grid": model.grid.to_json(),
        "modality": info.modality,
        "scaling": info.scaling,
        "resampling": info.resampling,
        "classes": {str(label): name for label, name in info.classes.items()},
        "trained": dict(info.trained),
        "pellucid": pellucid.__version__,
    }


def _meaning(description: Mapping[str, Any]) -> str:
    """Return a digest of what in a description decides what a logit means.

    Of a class that is not Pellucid's its name counts and not where it is, for that is said anew at each loading.
    """
    content = {key: description[key] for key in _MEANING if key in description}
    content["architecture"] = str(content["architecture"]).rpartition(":")[2]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


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
    content = read_json(folder / DESCRIPTION, _SHAPE)
    described = _read_description(folder / DESCRIPTION, content)
    _check_class(folder, described.architecture, network)
    claims = read_claims(weights_file)
    if network is not None:
        model: Network = _make_foreign(weights_file, claims.shapes, network, described)
    else:
        model = _make(weights_file, claims.shapes, described)
    if sha256(weights_file) != described.digest:
        raise InputError(weights_file, f"the weights are not those that {DESCRIPTION} describes (SHA-256)", RETRAIN)
    if claims.notes.get(_NOTE) != _meaning(content):
        what = f"it was not saved together with {WEIGHTS}: one of {', '.join(_MEANING)} differs"
        raise InputError(folder / DESCRIPTION, what, RETRAIN)
    tensors = read_tensors(weights_file, claims)
    inner = model.inner
    for name, needed in inner.state_dict().items():
        _check_numbers(weights_file, name, tensors[name], foreign=network is not None)
        if tensors[name].dtype != needed.dtype:
            raise InputError(weights_file, f"{name} is of {tensors[name].dtype}, not of {needed.dtype}", RETRAIN)
    inner.load_state_dict(tensors)
    model.info, model.folder = described.info, folder
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


def _read_description(file: Path, content: dict[str, Any]) -> _Description:
    """Return what `model.json` says, once it is known that it makes sense."""
    architecture = content["architecture"]
    foreign = is_import_path(architecture)
    if not foreign and architecture not in _KINDS:
        raise InputError(
            file, f"the architecture {brief(repr(architecture))} is not known", f"Known are {', '.join(_KINDS)}"
        )
    for key, known in (("resampling", RESAMPLINGS), ("scaling", (*SCALINGS, UNSCALED))):
        if content[key] not in known:
            what = f"the {key} {brief(repr(content[key]))} is not known"
            raise InputError(file, what, f"Known are {', '.join(known)}")
    classes = {int(label): content["classes"][label] for label in ("0", "1")}
    if len(content["classes"]) != len(classes):
        raise InputError(file, "its classes are not 0 and 1", RETRAIN)
    for key, name in (("modality", content["modality"]), *((f"classes.{n}", name) for n, name in classes.items())):
        if not name.strip() or not name.isprintable() or len(name) > _LONGEST_NAME:
            raise InputError(file, f"its `{key}`, {brief(repr(name), 60)}, is not a name", "Use letters and digits")
    try:
        grid = Grid.from_json(content["grid"])
    except ValueError as error:
        raise InputError(file, str(error), RETRAIN) from None
    demand_memory(file, math.prod(grid.shape) * _BYTES_A_VOXEL, f"an image on its grid ({grid})")
    info = ModelInfo(
        modality=content["modality"],
        scaling=content["scaling"],
        resampling=content["resampling"],
        classes=classes,
        trained=content["trained"],
    )
    if foreign and content.get("options") is None:
        raise InputError(file, "it lacks `options`", RETRAIN)
    options = dict(content["options"]) if foreign else {}
    return _Description(architecture, options, content.get("channels") or 0, grid, info, content["sha256"])


def _check_class(folder: Path, architecture: str, network: str | Maker | None) -> None:
    """Refuse a model whose class is not given, and one that is given another class than it is of."""
    name = architecture.rpartition(":")[2]
    if not is_import_path(architecture):
        if network is not None:
            raise InputError("network", f"is given, but {folder} holds a {architecture}", "Remove it")
    elif network is None:
        raise InputError(
            folder,
            f"the model is of {architecture}, whose code is not in its files and is never imported because they say so",
            f"If you trust that code, pass it: load_model(folder, network={name}), or on the command line --network "
            f"{architecture}",
        )
    elif isinstance(network, str | type) and name_of(network).rpartition(":")[2] != name:
        raise InputError(
            "network", f"is {name_of(network)}, but the model in {folder} is of {architecture}", f"Give {name}"
        )


def _make_foreign(file: Path, shapes: Shapes, network: str | Maker, described: _Description) -> ForeignNetwork:
    """Make a network that is not Pellucid's, for weights of `shapes`."""
    try:
        model = ForeignNetwork(network, described.grid, options=described.options, seed=0)
    except InputError as error:
        if error.where != "options":
            raise
        raise InputError(file.with_name(DESCRIPTION), f"its options are wrong: {error.what}", error.fix) from error
    check_shapes(
        file,
        shapes,
        _shapes(model.network),
        of=f"the {model.name} given",
        fix=f"Give the {model.name} that was trained",
    )
    return model


def _make(file: Path, shapes: Shapes, described: _Description) -> VolumeNetwork:
    """Make one of Pellucid's networks, for weights of `shapes`."""
    kind, channels = _KINDS[described.architecture], described.channels
    if channels < 1:
        raise InputError(file.with_name(DESCRIPTION), f"it has {channels} channels", RETRAIN)
    try:
        one, two = (_shapes(kind(n, described.grid, seed=0)) for n in (1, 2))
    except InputError as error:
        where = file.with_name(DESCRIPTION)
        raise InputError(where, f"its grid cannot be used: {error.what}", RETRAIN) from None
    # An axis has either a fixed length or one that grows with the channels; so nothing large is made to know it.
    expected = {
        name: tuple(a + (b - a) * (channels - 1) for a, b in zip(shape, two[name], strict=True))
        for name, shape in one.items()
    }
    said = f"{DESCRIPTION} (channels {channels}, grid {described.grid})"
    check_shapes(file, shapes, expected, of=f"a {kind.__name__} of {said}", fix=RETRAIN)
    demand_memory(file, 8 * sum(map(math.prod, expected.values())), "its network")
    return kind(channels, described.grid, seed=0)


def _shapes(network: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def _check_numbers(where: Path, name: str, tensor: torch.Tensor, *, foreign: bool = False) -> None:
    """Refuse a tensor that is not float32 or not finite; a foreign network may have whole numbers too."""
    if tensor.dtype != torch.float32 and not (foreign and unfit(tensor) is None):
        raise InputError(where, f"{name} is {tensor.dtype}, not float32", "Convert the model with model.float()")
    if not bool(torch.isfinite(tensor).all()):
        raise InputError(where, f"{name} holds NaN or infinity", "Train the model again")
