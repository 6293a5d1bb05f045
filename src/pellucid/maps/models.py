"""A model that is to be applied: by its folder or as it was loaded, with the digest that says which it is."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from pellucid.ground.files import sha256
from pellucid.maps.model_folder import find_model
from pellucid.network.architectures import Network
from pellucid.network.files import WEIGHTS, load_model, weights_digest
from pellucid.network.foreign import Maker


class Opened(NamedTuple):
    """A model, the SHA-256 of its weights, and its folder; None for one that was never saved, or was changed since."""

    model: Network
    digest: str
    folder: Path | None


def open_model(model: Path | str | Network, *, network: str | Maker | None = None) -> Opened:
    """Load a model from a folder, as `find_model` and `pellucid.load_model` take it, or take one that is loaded.

    Raises
    ------
    InputError
        If it cannot be used.
    PellucidError
        If a model that was not loaded has no `info`, which says how its images are prepared.
    """
    if isinstance(model, Path | str):
        folder = find_model(Path(model))
        return Opened(load_model(folder, network=network), sha256(folder / WEIGHTS), folder)
    digest, lies = weights_digest(model), model.folder
    if lies is None or not (lies / WEIGHTS).is_file() or sha256(lies / WEIGHTS) != digest:
        lies = None
    return Opened(model.eval(), digest, lies)
