"""A trained model applied to scans from anywhere: predictions, maps, and what lesion masks say of the maps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

import pellucid
from pellucid.analysis.regions import regional_relevance
from pellucid.atlas.labels import Atlas
from pellucid.atlas.template import mni_brain_mask
from pellucid.cohort.admission import Admitted, admit
from pellucid.gate.finding import UNCHECKED
from pellucid.ground.errors import InputError
from pellucid.ground.files import sha256
from pellucid.image.grid import Grid
from pellucid.image.nifti import read_volume
from pellucid.image.prepare import Prepared
from pellucid.maps.evidence import Lesions, find_learned, lesion_evidence, read_lesions
from pellucid.maps.maps import (
    Explained,
    Explainer,
    describe_view,
    map_name,
    probability,
    seen_by,
    write_map,
    write_native_map,
)
from pellucid.maps.sidecars import read_sidecar
from pellucid.network.architectures import Network
from pellucid.network.field_of_view import field_of_view
from pellucid.network.files import WEIGHTS
from pellucid.trust.nulls import NO_IMAGE, Learned

PREDICTION_COLUMNS = ("image", "participant_id", "logit", "probability_not_calibrated", "class", "problems")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A scan as the model sees it, the grid it came on, and what was found of it when it was admitted."""

    path: Path
    prepared: Prepared
    native: Grid
    admitted: Admitted

    @property
    def remark(self) -> str | None:
        """What is odd about the scan, in one line."""
        return self.admitted.remark


def open_scan(path: Path, model: Network, *, force: bool = False) -> Scan:
    """Read a scan, look whether it may be used, and prepare it as the model's description says.

    Raises
    ------
    InputError
        It cannot be read; or it is refused (`pellucid.cohort.admission`) and `force` is not given.
    """
    admitted = admit(path, modality=model.info.modality, force=force)
    prepared, admitted = admitted.prepare(model.grid, scaling=model.info.scaling, resampling=model.info.resampling)
    return Scan(path=path, prepared=prepared, native=admitted.volume.grid, admitted=admitted)


def predict_scan(model: Network, scan: Scan) -> float:
    """Return the logit of one scan.

    Raises
    ------
    InputError
        It is no finite number: weights may be finite and yet too large.
    """
    with torch.inference_mode():
        logit = float(model(torch.from_numpy(scan.prepared.image)[None, None])[0])
    if not math.isfinite(logit):
        what = f"the model's logit for it is {logit}: its weights are too large"
        raise InputError(scan.path, what, "Train the model again, or give another one")
    return logit


def prediction_row(
    path: Path, participant_id: str | None, *, model: Network, logit: float | None, problems: str | None
) -> dict[str, Any]:
    """Return one row of `PREDICTION_COLUMNS`; a scan that failed has its problem and no numbers."""
    return {
        "image": str(path),
        "participant_id": participant_id,
        "logit": logit,
        "probability_not_calibrated": None if logit is None else probability(logit),
        "class": None if logit is None else model.info.classes[int(logit > 0)],
        "problems": problems,
    }


def describe_predictions(folder: Path, model: Network, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Say, as JSON types, what model gave the predictions, what they mean, and the predictions themselves."""
    classes = model.info.classes
    return {
        "Model": str(folder),
        "ModelSha256": sha256(folder / WEIGHTS),
        "Modality": model.info.modality,
        "Scaling": model.info.scaling,
        "Resampling": model.info.resampling,
        "Grid": model.grid.to_json(),
        **describe_view(field_of_view(model), model.grid),
        "GeneratedBy": [{"Name": "Pellucid", "Version": pellucid.__version__}],
        "logit": {"Description": f"Output before the sigmoid; above 0 means {classes[1]}"},
        "probability_not_calibrated": {"Description": f"1 / (1 + exp(-logit)), of {classes[1]}. Research only."},
        "problems": {
            "Description": "Why there is no prediction, or what is odd about the scan. FORCED: the gate refuses the "
            "scan, and --force took it all the same. " + UNCHECKED
        },
        "Predictions": list(rows),
    }


def write_maps(
    explainer: Explainer,
    scan: Scan,
    explained: Explained,
    *,
    folder: Path,
    name: str,
    native: bool,
    lesions: Lesions | None = None,
) -> list[Path]:
    """Write a scan's map on the model's grid and, if asked, on the scan's own; return the paths.

    Sidecars say what the gate found of the scan, and which lesion mask the map is measured against.
    """
    paths = [folder / map_name(name, explainer.method.name)]
    said = scan.admitted.sidecar | (lesions.sidecar if lesions is not None else {})
    write_map(paths[0], [explainer], explained, source=scan.path, source_grid=scan.native, said=said)
    if native:
        paths.append(folder / map_name(name, explainer.method.name, res="native"))
        write_native_map(paths[1], explainer, explained, source=scan.path, source_grid=scan.native, said=said)
    return paths


def scan_regions(explainer: Explainer, explained: Explained, atlas: Atlas) -> pd.DataFrame:
    """Return the relevance of each area of an atlas that lies on the model's grid."""
    return regional_relevance(explained.relevance, atlas.labels, atlas.regions, explainer.view.mask())


def scan_lesions(
    explainer: Explainer, scan: Scan, explained: Explained, lesions: Lesions | None, *, learned: Learned
) -> pd.DataFrame:
    """Return the lesion table of one scan, its map and the nulls; a missing mask gives missing values."""
    table = lesion_evidence(
        explained.relevance,
        None if lesions is None else lesions.mask,
        name=explainer.method.name,
        image=scan.prepared.image,
        brain=scan.prepared.brain,
        seen=explainer.view.mask(),
        learned=learned,
        grid=explainer.grid,
    )
    return _of_mask(table, lesions, [scan.remark] if scan.remark else [])


def judge_map(path: Path, mask: Path | None, *, image: Path | None = None, force: bool = False) -> pd.DataFrame:
    """Return the lesion table of a map on disk, made by whatever method or tool.

    What the map's sidecar says is used: the field of view, the image it explains, what nulls may know of the model's
    training participants. Without an image the brain is the MNI template's and the nulls made from the image are
    missing, as `brain_from` and `reason` say.

    Parameters
    ----------
    path
        The map, in MNI space.
    mask
        The lesion mask, on the map's grid or on that of the image.
    image
        The scan that the map explains; None takes the sidecar's, if it is there unchanged.
    force
        Whether to use an image that the gate refuses; the column `problems` says so.

    Raises
    ------
    InputError
        If a file cannot be read, the image is refused, or the mask lies on another grid.
    """
    volume = read_volume(path)
    sidecar = read_sidecar(path)
    grid = _recorded_grid(sidecar, volume.grid)
    image = image or _recorded_image(sidecar, path.parent)
    native = Grid.from_json(sidecar["SourceGrid"]) if "SourceGrid" in sidecar else grid
    remarks = [f"map: {remark}" for remark in volume.remarks]
    if image is not None:
        admitted = admit(image, modality=str(sidecar.get("Modality", "")), force=force)
        native = admitted.volume.grid
        prepared, admitted = admitted.prepare(
            grid,
            scaling=str(sidecar.get("Scaling", "robust")),
            resampling=sidecar.get("Resampling", "antialias"),
        )
        remarks += [admitted.remark] if admitted.remark else []
    lesions = None if mask is None else read_lesions(mask, native=native, grid=grid)
    kind = str(sidecar.get("Images", "prepared"))  # what the network was given; masks and fillings are not made again
    table = lesion_evidence(
        volume.data,
        None if lesions is None else lesions.mask,
        name=str(sidecar.get("Method", "map")),
        image=prepared.image if image is not None and kind == "prepared" else None,
        no_image=NO_IMAGE if kind == "prepared" else f"the network was given {kind} images, which are not at hand",
        brain=prepared.brain if image is not None else mni_brain_mask(grid),
        seen=seen_by(sidecar, grid),
        learned=_recorded_learned(sidecar, path.parent, grid),
        grid=grid,
    )
    table = _of_mask(table, lesions, remarks)
    return table.assign(
        brain_from="image" if image is not None else "MNI template", networks=_recorded_networks(sidecar)
    )


def _of_mask(table: pd.DataFrame, lesions: Lesions | None, remarks: list[str]) -> pd.DataFrame:
    """Say in a lesion table which mask it is of, and what is odd about that and about the scan and its map."""
    odd = [*remarks, *(lesions.remarks if lesions is not None else ())]
    return table.assign(lesion_mask=None if lesions is None else str(lesions.path), problems="; ".join(odd) or None)


def _recorded_networks(sidecar: dict[str, Any]) -> str:
    """Return the names of the networks that a map is of, as a study's tables have them: `finetuned/trial-01`.

    Maps that name none may all be of one network.
    """
    models = sidecar.get("Model", [])
    parts = [Path(str(model)).parts[-2:] for model in ([models] if isinstance(models, str) else models)]
    return " ".join("/".join(part).replace(" ", "_") for part in parts) or "unknown"


def _recorded_grid(sidecar: dict[str, Any], grid: Grid) -> Grid:
    """Return the grid as the sidecar has it, if it is the map's: a NIfTI header rounds what a scan is brought to."""
    said = Grid.from_json(sidecar["Grid"]) if "Grid" in sidecar else grid
    return said if said.matches(grid) else grid


def _recorded_learned(sidecar: dict[str, Any], folder: Path, grid: Grid) -> Learned:
    """Return what nulls may know of the model that made a map in `folder`; of several models the first's."""
    models = sidecar.get("Model", [])
    first = [models] if isinstance(models, str) else models[:1]
    if not first:
        return Learned(missing="the map's sidecar names no model, so no training participants are known")
    return find_learned(folder / str(first[0]), grid)


def _recorded_image(sidecar: dict[str, Any], folder: Path) -> Path | None:
    """Return the image that a map in `folder` was made from, if it is still there and still the same."""
    for source in sidecar.get("Sources", [])[:1]:
        path = folder / str(source)
        if path.is_file() and sha256(path) == sidecar.get("SourceSha256"):
            return path
    return None
