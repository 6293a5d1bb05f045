"""The user's own networks of a study, tried out before anything runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import torch

from pellucid.attribution.explain import explain
from pellucid.attribution.forward import run_forward
from pellucid.attribution.methods import method_from_text
from pellucid.attribution.naming import imported_by
from pellucid.attribution.undisturbed import attributes_kept, undisturbed
from pellucid.ground.errors import InputError, PellucidError
from pellucid.image.grid import PAPER_GRID
from pellucid.network.foreign import ForeignNetwork, random_image
from pellucid.network.source import ClassSource, find_class, source_digest
from pellucid.spec.spec import Spec


def own_networks(spec: Spec) -> dict[str, ClassSource]:
    """Return where the class of each network that is not Pellucid's is written, by its name; nothing is imported.

    Raises
    ------
    InputError
        At `training.ARM.network`, if there is no such class.
    """
    found: dict[str, ClassSource] = {}
    for name, arm in spec.training.items():
        if arm.own_network is not None and arm.own_network not in found:
            with _told_of(name):
                found[arm.own_network] = find_class(arm.own_network)
    return found


def check_networks(spec: Spec, *, trusted: Collection[str] | None = None) -> None:
    """Import each network that is not Pellucid's, make it, run a random image through it, explain that if asked.

    Networks alike are tried once. An explanation shows whether torch.fx sees the function that the network computes. Of
    networks that are not among the `trusted`, if those are given, nothing is imported.

    Raises
    ------
    InputError
        At `training.ARM.network` or `training.ARM.options`, and what is wrong there; or at `explain.methods`.
    """
    grid = PAPER_GRID
    tried: set[tuple[str, str, bool]] = set()
    for name, arm in spec.training.items():
        explained = spec.explain is not None and name in spec.explain.arms
        words = (arm.network, repr(arm.options), explained)
        if arm.own_network is None or words in tried or (trusted is not None and arm.own_network not in trusted):
            continue
        tried.add(words)
        with _told_of(name):
            model = ForeignNetwork(arm.own_network, grid, options=arm.options, seed=0)
            model.try_out()
            image = random_image(grid)
            _refuse_probabilities(model, image)
            if explained and spec.explain is not None:
                for method in spec.explain.methods:
                    if trusted is None or set(imported_by(method)) <= set(trusted):
                        explain(model, image, method=method_from_text(method))


def own_code(spec: Spec) -> dict[str, str | None]:
    """Return the SHA-256 of the file of each network, method, rule and plugin of the user's own, for the record."""
    own = dict.fromkeys([*(arm.own_network for arm in spec.training.values()), *spec.plugins])
    return {name: source_digest(name) for name in own if name is not None}


@contextmanager
def _told_of(arm: str) -> Iterator[None]:
    """Turn what is wrong with a network into an InputError that names its arm."""
    try:
        yield
    except InputError as error:
        key = error.where if error.where == "options" else "network"
        raise InputError(f"training.{arm}.{key}", error.what, error.fix) from error
    except PellucidError as error:
        what, _, fix = str(error).partition(". ")
        raise InputError(f"training.{arm}.network", what, fix.rstrip(".")) from error


def _refuse_probabilities(model: ForeignNetwork, image: torch.Tensor) -> None:
    """Refuse a network that ends in a sigmoid or softmax: the loss and the maps need the logit."""
    with undisturbed(model, image.device), attributes_kept(model):
        head = run_forward(model, image.clone().requires_grad_()).head
    if head in ("none", "unknown"):
        return
    what = f"{model.name} ends in a {head}, but the loss adds a sigmoid"
    raise InputError("network", what, "Return the logit before it")
