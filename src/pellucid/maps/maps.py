"""One prepared scan to one relevance map on disk, with a sidecar that says everything about it."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch

import pellucid
from pellucid.attribution.checks import fill_in
from pellucid.attribution.explain import Method, explain, find_method
from pellucid.attribution.heads import Head
from pellucid.ground.arrays import BoolArray, Float32Array
from pellucid.ground.files import read_json, sha256
from pellucid.image.grid import Grid
from pellucid.image.nifti import sidecar_path, write_volume
from pellucid.image.prepare import to_native
from pellucid.image.resample import resample_mask
from pellucid.network.allocator import keep_freed_memory
from pellucid.network.architectures import Network
from pellucid.network.field_of_view import FieldOfView, field_of_view
from pellucid.network.files import WEIGHTS, load_model
from pellucid.network.foreign import Maker
from pellucid.trust.alarms import MapSums, map_sums

SPACE = "MNI152NLin6Asym"
LEDGER_COLUMNS = ("layer", "relevance_out", "relevance_in", "absorbed_bias", "absorbed_epsilon")


@dataclass(frozen=True, slots=True, kw_only=True)
class Explainer:
    """A model, how it is explained, and what it can see.

    Parameters
    ----------
    folder, model
        The model, and where it lies.
    digest
        SHA-256 of its weights.
    view
        Its field of view.
    method, parameters
        As `pellucid.methods` lists them, with the parameters in force.
    """

    folder: Path
    model: Network
    digest: str
    view: FieldOfView
    method: Method
    parameters: dict[str, float]

    @property
    def grid(self) -> Grid:
        """The grid of the model's images."""
        return self.model.grid


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


def open_explainer(
    folder: Path, *, method: str, epsilon: float | None = None, network: str | Maker | None = None
) -> Explainer:
    """Load a model and settle how it is explained; `epsilon` is the method's own if None, `network` for `load_model`.

    Raises
    ------
    InputError
        If the model cannot be used, there is no such method, or it takes no such parameter.
    """
    chosen = find_method(method)
    parameters = fill_in(chosen, {"epsilon": epsilon}, torch.float32)
    keep_freed_memory()
    model = load_model(folder, network=network)
    return Explainer(
        folder=folder,
        model=model,
        digest=sha256(folder / WEIGHTS),
        view=field_of_view(model),
        method=chosen,
        parameters=parameters,
    )


def explain_image(explainer: Explainer, image: Float32Array) -> Explained:
    """Explain one prepared image (X, Y, Z) on the model's grid."""
    x = torch.tensor(image)[None, None]  # a copy: arrays of a store are read-only
    result = explain(explainer.model, x, method=explainer.method.name, epsilon=explainer.parameters.get("epsilon"))
    relevance = result.relevance[0, 0].numpy()
    ledger = [
        {"layer": entry.layer} | {name: float(getattr(entry, name)[0]) for name in LEDGER_COLUMNS[1:]}
        for entry in result.ledger
    ]
    return Explained(relevance=relevance, logit=float(result.logit[0]), ledger=ledger, head=result.head)


def mean_explained(found: Sequence[Explained]) -> Explained:
    """Return what several models say of one image: the mean of their maps, logits and ledgers.

    A ledger is a sum of relevances, so that of the mean map is the mean of theirs. One model's is returned as it is.
    """
    if len(found) == 1:
        return found[0]
    ledger = [
        {"layer": rows[0]["layer"]} | {name: float(np.mean([row[name] for row in rows])) for name in LEDGER_COLUMNS[1:]}
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


def map_name(who: str, method: str, *, res: str = "", statistic: Literal["", "mean", "sd"] = "") -> str:
    """Return the file name of a map: `sub-01_space-MNI152NLin6Asym_desc-lrpEpsilon_relevance.nii.gz`."""
    first, *rest = method.split("-")
    label = first + "".join(word.capitalize() for word in (*rest, statistic))
    entity = f"_res-{res}" if res else ""
    return f"{who}_space-{SPACE}{entity}_desc-{label}_relevance.nii.gz"


def write_map(
    path: Path,
    explainers: Sequence[Explainer],
    explained: Explained,
    *,
    source: Path,
    source_grid: Grid,
    said: Mapping[str, Any] | None = None,
) -> None:
    """Write a map, of one model or the mean of several, on the models' grid, with its sidecar; the ledger is in it.

    `said` is what the gate found of the scan, for the sidecar.
    """
    write_volume(
        path,
        explained.relevance,
        explainers[0].grid,
        np.float32,
        description=f"Pellucid relevance, {explainers[0].method.name}",
        sidecar=describe_map(explainers, path.parent)
        | describe_source(explained, path.parent, source=source, source_grid=source_grid)
        | dict(said or {})
        | {"Ledger": explained.ledger},
    )


def write_spread(path: Path, explainers: Sequence[Explainer], found: Sequence[Explained]) -> None:
    """Write the standard deviation (n - 1) over several models' maps of one image beside their mean at `path`."""
    method = explainers[0].method.name
    who = path.name.split("_space-")[0]
    write_volume(
        path.with_name(map_name(who, method, statistic="sd").replace("relevance", "spread")),
        np.std([one.relevance for one in found], axis=0, ddof=1, dtype=np.float64).astype(np.float32),
        explainers[0].grid,
        np.float32,
        description=f"Spread of Pellucid relevance over {len(found)} models",
        sidecar=describe_map(explainers, path.parent)
        | {"Description": "Standard deviation over the models of the relevance of each voxel. Research only."}
        | {"Logits": [one.logit for one in found]},
    )


def write_native_map(
    path: Path,
    explainer: Explainer,
    explained: Explained,
    *,
    source: Path,
    source_grid: Grid,
    said: Mapping[str, Any] | None = None,
) -> None:
    """Write a map resampled linearly onto the grid of its scan; sums over voxels are not those of the map itself."""
    write_volume(
        path,
        to_native(explained.relevance, explainer.grid, source_grid),
        source_grid,
        np.float32,
        description=f"Pellucid relevance, {explainer.method.name}, on the scan's grid",
        sidecar=describe_map([explainer], path.parent)
        | describe_source(explained, path.parent, source=source, source_grid=source_grid)
        | dict(said or {})
        | {
            "Description": "Relevance resampled linearly onto the scan's grid; sums differ from the original map's.",
            "Grid": source_grid.to_json(),
        },
    )


def describe_source(explained: Explained, folder: Path, *, source: Path, source_grid: Grid) -> dict[str, Any]:
    """Say which scan a map in `folder` explains, and the model's output for it."""
    unseen = "the output; the end of the model cannot be seen, so it may be a probability"
    return {
        **({"SeedNeuron": unseen} if explained.head == "unknown" else {}),
        "Sources": [relative(source, folder)],
        "SourceSha256": sha256(source),
        "SourceGrid": source_grid.to_json(),
        "Logit": explained.logit,
        "Probability": probability(explained.logit),
        "ProbabilityDescription": "1 / (1 + exp(-Logit)); not calibrated. Research only.",
        **describe_sums(explained.sums),
    }


def describe_sums(sums: MapSums) -> dict[str, Any]:
    """Say what a map on the model's grid sums to, and every alarm; `Alarms` is null where a method keeps no ledger."""
    absorbed = {f"Absorbed{name.capitalize()}": value for name, value in (sums.absorbed or {}).items()}
    several = {"Networks": sums.networks, "AlarmedNetworks": sums.alarmed_networks}
    return {
        "Sums": {
            "Sum": sums.total,
            "Positive": sums.positive,
            "Negative": sums.negative,
            "Gross": sums.gross,
            "GrossPerLogit": None if math.isnan(sums.gross_per_logit) else sums.gross_per_logit,
            **absorbed,
            **(several if sums.networks > 1 else {}),
            "Description": "Of the map on the model's grid. GrossPerLogit is the sum of |relevance| over |Logit|: "
            "where it is large, most of the map cancels.",
        },
        "Alarms": None if sums.alarms is None else sums.sentences(),
    }


def read_sums(path: Path, relevance: Float32Array) -> MapSums:
    """Return the sums of a map at `path`, whose values are `relevance`, with the ledger of its sidecar."""
    said = read_json(sidecar_path(path), {"Logit": float, "Ledger": [dict], "Sums": dict})
    several = said["Sums"]
    return map_sums(
        relevance,
        float(said["Logit"]),
        said["Ledger"],
        networks=int(several.get("Networks", 1)),
        alarmed_networks=int(several.get("AlarmedNetworks", 0)),
    )


def read_ledger(path: Path) -> list[dict[str, Any]]:
    """Return the ledger that a map's sidecar holds."""
    ledger: list[dict[str, Any]] = read_json(sidecar_path(path), {"Ledger": [dict]})["Ledger"]
    return ledger


def describe_map(explainers: Sequence[Explainer], folder: Path) -> dict[str, Any]:
    """Say what every map of these models in `folder` has in common, as JSON types in the manner of BIDS sidecars.

    `Model` and `ModelSha256` are text for one model and lists for several, whose mean the map is.
    """
    explainer = explainers[0]
    method, info = explainer.method, explainer.model.info
    models: list[Any] = [relative(one.folder, folder) for one in explainers]
    digests: list[Any] = [one.digest for one in explainers]
    whose = "one network" if len(models) == 1 else f"{len(models)} networks, the mean of their maps"
    return {
        "Description": f"Relevance of each voxel for the logit of {whose}. Research only.",
        "Method": method.name,
        "Rule": method.summary,
        "RuleSource": method.source,
        "Parameters": explainer.parameters,
        "SeedNeuron": "logit",
        "Units": method.units,
        "Model": models[0] if len(models) == 1 else models,
        "ModelSha256": digests[0] if len(models) == 1 else digests,
        "Classes": {str(label): name for label, name in info.classes.items()},
        "Modality": info.modality,
        "Images": info.trained.get("images", "prepared"),
        "Scaling": info.scaling,
        "Resampling": info.resampling,
        "Space": SPACE,
        "Grid": explainer.grid.to_json(),
        **describe_view(explainer.view, explainer.grid),
        "GeneratedBy": [{"Name": "Pellucid", "Version": pellucid.__version__}],
    }


def describe_view(view: FieldOfView, grid: Grid) -> dict[str, Any]:
    """Say what a model sees of its grid, or, under another name, that nobody knows: nothing then states a share."""
    if not view.known:
        why = "unknown: the layers do not tell what the network cannot see. Every voxel counts as seen."
        return {"FieldOfViewUnknown": why}
    return {
        "FieldOfView": {
            "Stops": list(view.stops),
            "SeenShare": view.share,
            "Grid": grid.to_json(),
            "Description": "Voxels (i, j, k) of Grid below Stops can move the logit; elsewhere a map is 0 and silent.",
        }
    }


def seen_by(sidecar: Mapping[str, Any], grid: Grid) -> BoolArray:
    """Return the field of view that a map's sidecar states as a mask on `grid`; everything, if it states none."""
    view = sidecar.get("FieldOfView")
    if view is None:
        return np.ones(grid.shape, dtype=np.bool_)
    home = Grid.from_json(view.get("Grid", grid.to_json()))
    mask = np.zeros(home.shape, dtype=np.bool_)
    mask[tuple(slice(int(stop)) for stop in view["Stops"])] = True
    return mask if home.matches(grid) else resample_mask(mask, home, grid)


def relative(path: Path, folder: Path) -> str:
    """Return how to get from `folder` to `path`, so that a run directory can be moved; absolute on another drive."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:
        return str(path.resolve())


def probability(logit: float) -> float:
    """Return the probability of label 1: 1 / (1 + exp(-logit)), without overflow."""
    return float(0.5 * (1.0 + np.tanh(0.5 * logit)))


def ledger_table(rows: list[dict[str, Any]], columns: Sequence[str] = ()) -> pd.DataFrame:
    """Return ledger rows as a table whose columns are `columns`, then `LEDGER_COLUMNS`, also when there are none."""
    return pd.DataFrame(rows, columns=[*columns, *LEDGER_COLUMNS])
