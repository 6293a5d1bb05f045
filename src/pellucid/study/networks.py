"""The user's own networks of a study, tried out before anything runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import torch

from pellucid.errors import InputError, PellucidError
from pellucid.explain.api import explain
from pellucid.explain.trace import trace
from pellucid.network.foreign import ForeignNetwork, source_digest
from pellucid.network.source import ClassSource, find_class
from pellucid.study.cohorts import GRIDS
from pellucid.study.spec import Spec


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
    """Import each network that is not Pellucid's, make it, run an image of zeros through it, explain that if asked.

    Networks alike are tried once. Of networks that are not among the `trusted`, if those are given, nothing is
    imported.

    Raises
    ------
    InputError
        At `training.ARM.network` or `training.ARM.options`, and what is wrong there; or at `explain.epsilon`.
    """
    grid = GRIDS[spec.preparation.grid]
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
            _refuse_sigmoid(model)
            if explained and spec.explain is not None:
                image = torch.zeros((1, 1, *grid.shape))
                explain(model, image, method=spec.explain.method, epsilon=spec.explain.epsilon)


def network_sources(spec: Spec) -> dict[str, str | None]:
    """Return the SHA-256 of the file of each network that is not Pellucid's, for the record."""
    own = dict.fromkeys(arm.own_network for arm in spec.training.values())
    return {name: source_digest(name) for name in own if name is not None}


@contextmanager
def _told_of(arm: str) -> Iterator[None]:
    """Turn what is wrong with a network into an InputError that names its arm."""
    try:
        yield
    except InputError as error:
        if error.where in ("method", "epsilon"):
            raise InputError(f"explain.{error.where}", error.what, error.fix) from error
        key = error.where if error.where == "options" else "network"
        raise InputError(f"training.{arm}.{key}", error.what, error.fix) from error
    except PellucidError as error:
        what, _, fix = str(error).partition(". ")
        raise InputError(f"training.{arm}.network", what, fix.rstrip(".")) from error


def _refuse_sigmoid(model: ForeignNetwork) -> None:
    """Refuse a network that ends in a sigmoid, as far as that can be told: the loss and the maps need the logit."""
    try:
        sigmoid = trace(model).sigmoid
    except PellucidError:  # it cannot be followed: only explanations need that
        return
    if sigmoid is not None:
        raise InputError(
            "network", f"{model.name} ends in a sigmoid, and the loss adds one", "Give the logit before it"
        )
