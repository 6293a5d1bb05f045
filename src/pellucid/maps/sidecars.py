"""What the sidecar of a relevance map says: written of ours, read of ours or another tool's and known to make sense."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import pellucid
from pellucid.bids.prepared import SPACE
from pellucid.ground.arrays import BoolArray, Float32Array
from pellucid.ground.errors import InputError, brief
from pellucid.ground.files import read_json, relative, sha256
from pellucid.image.grid import Grid
from pellucid.image.nifti import SUFFIXES, sidecar_path
from pellucid.image.prepare import RESAMPLINGS
from pellucid.image.resample import resample_mask
from pellucid.image.scaling import SCALINGS
from pellucid.maps.explainer import Explained, Explainer, probability
from pellucid.network.field_of_view import FieldOfView
from pellucid.trust.alarms import MapSums, map_sums

_SHAPE = {
    "Method?": str,
    "References?": [str],
    "MethodText?": str,
    "Model?": (str, [str]),
    "Sources?": [str],
    "SourceSha256?": str,
    "Grid?": dict,
    "SourceGrid?": dict,
    "Images?": str,
    "Scaling?": str,
    "Resampling?": str,
    "Logit?": float,
    "Ledger?": [dict],
    "Alarms?": [str],
    "Sums?": {"GrossPerLogit?": float},
    "Group?": str,
    "Scans?": int,
    "AlarmedMaps?": int,
    "NetworkScale?": str,
    "FieldOfView?": {"Stops": [int], "SeenShare?": float, "Grid?": dict},
}
_FIX = "Repair the sidecar, or remove it: the map can be judged without it"


def describe_map(explainers: Sequence[Explainer], folder: Path) -> dict[str, Any]:
    """Say what every map of these models in `folder` has in common, as JSON types in the manner of BIDS sidecars.

    `Model` and `ModelSha256` are text for one model and lists for several, whose mean the map is; a model
    that lies in no folder has no `Model`.
    """
    explainer = explainers[0]
    method, info = explainer.method, explainer.model.info
    models: list[Any] = [relative(one.folder, folder) for one in explainers if one.folder is not None]
    digests: list[Any] = [one.digest for one in explainers]
    whose = "one network" if len(digests) == 1 else f"{len(digests)} networks, the mean of their maps"
    return {
        "Description": f"Relevance of each voxel for the logit of {whose}. Research only.",
        "Method": method.name,
        "MethodText": method.text,
        "Rule": method.summary,
        "RuleSource": method.source,
        "Parameters": explainer.method.parameters,
        "References": list(method.references),
        "SeedNeuron": "logit",
        "Units": method.units,
        **({"Model": models[0] if len(models) == 1 else models} if models else {}),
        "ModelSha256": digests[0] if len(digests) == 1 else digests,
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
        why = "unknown: the layers do not show what the network cannot see. Every voxel counts as seen."
        return {"FieldOfViewUnknown": why}
    return {
        "FieldOfView": {
            "Stops": list(view.stops),
            "SeenShare": view.share,
            "Grid": grid.to_json(),
            "Description": "Voxels (i, j, k) of Grid below Stops can move the logit; elsewhere a map is 0 and silent.",
        }
    }


def describe_source(explained: Explained, folder: Path, *, source: Path, source_grid: Grid) -> dict[str, Any]:
    """Say which scan a map in `folder` explains, and the model's output for it."""
    unseen = "the output; the end of the model is unknown, so it may be a probability"
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


def read_sidecar(path: Path) -> dict[str, Any]:
    """Return what stands in the sidecar of the map at `path`, without what is null; nothing if there is none.

    What `describe_map` and `describe_source` write may be missing, and is else as they write it.
    Other keys are anything.

    Raises
    ------
    InputError
        It is no JSON, or one of those keys is of another kind, or says what cannot be.
    """
    file = path if path.suffix == ".json" else sidecar_path(path)
    if not file.is_file():
        return {}
    said: dict[str, Any] = {key: value for key, value in read_json(file, _SHAPE).items() if value is not None}
    view = said.get("FieldOfView", {})
    grids = {key: said.get(key) for key in ("Grid", "SourceGrid")} | {"FieldOfView.Grid": view.get("Grid")}
    for key, grid in grids.items():
        if grid is not None:
            try:
                Grid.from_json(grid)
            except ValueError as error:
                raise InputError(file, f"its `{key}` is no grid: {error}", _FIX) from None
    if view and (len(view["Stops"]) != 3 or min(view["Stops"]) < 0):
        raise InputError(file, f"its `FieldOfView.Stops` is {brief(view['Stops'], 40)}, not three counts", _FIX)
    for key, known in (("Scaling", tuple(SCALINGS)), ("Resampling", RESAMPLINGS)):
        if said.get(key, known[0]) not in known:
            raise InputError(file, f"its `{key}` is {brief(repr(said[key]), 40)}, not one of {', '.join(known)}", _FIX)
    return said


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


def seen_by(sidecar: Mapping[str, Any], grid: Grid) -> BoolArray:
    """Return the field of view that a map's sidecar states as a mask on `grid`; everything, if it states none."""
    view = sidecar.get("FieldOfView")
    if view is None:
        return np.ones(grid.shape, dtype=np.bool_)
    home = Grid.from_json(view.get("Grid", grid.to_json()))
    mask = np.zeros(home.shape, dtype=np.bool_)
    mask[tuple(slice(int(stop)) for stop in view["Stops"])] = True
    return mask if home.matches(grid) else resample_mask(mask, home, grid)


def method_of(sidecar: Mapping[str, Any]) -> str:
    """Return what tables call the map of a sidecar: its method with the parameters that are not as by default.

    >>> method_of({"Method": "lrp-epsilon", "MethodText": "lrp-epsilon:epsilon=0.01"}), method_of({})
    ('lrp-epsilon:epsilon=0.01', 'map')
    """
    return str(sidecar.get("MethodText") or sidecar.get("Method") or "map")


def source_of(map_path: Path) -> Path | None:
    """Return the scan that a map's sidecar names first; None without one, or where it cannot be read."""
    sources = read_quietly(map_path).get("Sources")
    first = sources[0] if isinstance(sources, list) and sources else None
    return map_path.parent / first if isinstance(first, str) and first else None


def read_quietly(map_path: Path) -> dict[str, Any]:
    """Return a map's sidecar, empty where it cannot be read: who needs it says what is wrong with it."""
    if not map_path.name.endswith(SUFFIXES) or not sidecar_path(map_path).is_file():
        return {}
    try:
        sidecar = read_json(sidecar_path(map_path))
    except InputError:
        return {}
    return sidecar if isinstance(sidecar, dict) else {}
