"""A model and how it is explained; one prepared image to one relevance map with its logit and ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.special import expit

from pellucid.attribution.explain import explain
from pellucid.attribution.heads import Head
from pellucid.attribution.method import Method
from pellucid.attribution.methods import find_method, method_from_text
from pellucid.ground.arrays import Float32Array
from pellucid.ground.errors import InputError
from pellucid.image.grid import Grid
from pellucid.maps.models import open_model
from pellucid.network.allocator import keep_freed_memory
from pellucid.network.architectures import Network
from pellucid.network.field_of_view import FieldOfView, field_of_view
from pellucid.network.foreign import Maker
from pellucid.trust.alarms import MapSums, map_sums

LEDGER_COLUMNS = ("layer", "relevance_out", "relevance_in")
"""Of every ledger; behind them stands a column `absorbed_NAME` for each that took relevance on the way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explainer:
    """A model, how it is explained, and what it can see.

    Parameters
    ----------
    folder, model
        The model, and where it lies; None for one that was never saved, or was changed since.
    digest
        SHA-256 of its weights.
    view
        Its field of view.
    method
        The method, with its parameters.
    """

    folder: Path | None
    model: Network
    digest: str
    view: FieldOfView
    method: Method

    @property
    def grid(self) -> Grid:
        """The grid of the model's images."""
        return self.model.grid

    @property
    def network(self) -> str:
        """What a study's tables call the network: `finetuned/trial-01`; `unknown` if it lies nowhere."""
        return "unknown" if self.folder is None else f"{self.folder.parent.name}/{self.folder.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """A relevance map (X, Y, Z), the logit, and the ledger as rows of `LEDGER_COLUMNS`.

    Of a mean of several `networks` also how many of their own maps have an alarm. `head` is as in `Explanation`.
    """

    relevance: Float32Array
    logit: float
    ledger: list[dict[str, Any]]
    networks: int = 1
    alarmed_networks: int = 0
    head: Head = "none"

    @property
    def sums(self) -> MapSums:
        """The sums of the map and of its ledger, and the alarms of it."""
        return map_sums(
            self.relevance,
            self.logit,
            self.ledger,
            networks=self.networks,
            alarmed_networks=self.alarmed_networks,
        )


def open_explainers(
    model: Path | str | Network, methods: Sequence[str | Method], *, network: str | Maker | None = None
) -> list[Explainer]:
    """Open a model once and settle each way in which it is explained, as `open_explainer` does.

    Raises
    ------
    InputError
        As `open_explainer` does; or no method is given, or one twice.
    """
    chosen = [_chosen(method) for method in methods]
    texts = [method.text for method in chosen]
    if len(set(texts)) < max(1, len(texts)):
        what = "none is given" if not texts else f"{next(text for text in texts if texts.count(text) > 1)} stands twice"
        raise InputError("method", what, "Give each method once")
    first = open_explainer(model, method=chosen[0], network=network)
    return [replace(first, method=method) for method in chosen]


def open_explainer(
    model: Path | str | Network, *, method: str | Method, network: str | Maker | None = None
) -> Explainer:
    """Open a model, by its folder or as it was loaded, and settle how it is explained.

    `method` is one, or a text as `method_from_text` reads it; `network` is for `pellucid.load_model`.

    Raises
    ------
    InputError
        If the model cannot be used, there is no such method, or it takes no such parameter.
    """
    chosen = _chosen(method)
    keep_freed_memory()
    opened = open_model(model, network=network)
    return Explainer(
        folder=opened.folder,
        model=opened.model,
        digest=opened.digest,
        view=field_of_view(opened.model),
        method=chosen,
    )


def _chosen(method: str | Method) -> Method:
    return method_from_text(method) if isinstance(method, str) else find_method(method)


def explain_image(explainer: Explainer, image: Float32Array) -> Explained:
    """Explain one prepared image (X, Y, Z) on the model's grid."""
    x = torch.tensor(image)[None, None]  # a copy: arrays of a store are read-only
    result = explain(explainer.model, x, method=explainer.method)
    relevance = result.relevance[0, 0].numpy()
    ledger = [entry.columns() for entry in result.ledger]
    return Explained(relevance=relevance, logit=float(result.logit[0]), ledger=ledger, head=result.head)


def mean_explained(found: Sequence[Explained]) -> Explained:
    """Return what several models say of one image: the mean of their maps, logits and ledgers.

    A ledger is a sum of relevances, so that of the mean map is the mean of theirs. One model's is returned as it is.
    """
    if len(found) == 1:
        return found[0]
    ledger = [
        {"layer": rows[0]["layer"]}
        | {name: float(np.mean([row[name] for row in rows])) for name in rows[0] if name != "layer"}
        for rows in zip(*(one.ledger for one in found), strict=True)
    ]
    relevance = np.mean(np.stack([one.relevance for one in found]), axis=0, dtype=np.float64)
    return Explained(
        relevance=np.asarray(relevance, dtype=np.float32),
        logit=float(np.mean([one.logit for one in found])),
        ledger=ledger,
        networks=len(found),
        alarmed_networks=sum(bool(one.sums.alarms) for one in found),
        head=found[0].head,
    )


def probability(logit: float) -> float:
    """Return the probability of label 1: 1 / (1 + exp(-logit))."""
    return float(expit(logit))


def ledger_table(rows: list[dict[str, Any]], columns: Sequence[str] = ()) -> pd.DataFrame:
    """Return ledger rows as a table: `columns`, `LEDGER_COLUMNS`, and a column for each that absorbed relevance."""
    absorbed = [name for name in (rows[0] if rows else ()) if name.startswith("absorbed_")]
    return pd.DataFrame(rows, columns=[*columns, *LEDGER_COLUMNS, *absorbed])
