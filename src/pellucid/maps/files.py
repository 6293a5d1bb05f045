"""Relevance maps on disk: NIfTI with a sidecar, on the model's grid or on the scan's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.image.grid import Grid
from pellucid.image.nifti import sidecar_path, write_volume
from pellucid.image.prepare import to_native
from pellucid.maps.evidence import Lesions
from pellucid.maps.explainer import Explained, Explainer
from pellucid.maps.names import map_name, picture_of
from pellucid.maps.scans import Scan
from pellucid.maps.sidecars import describe_map, describe_source


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


def write_spread(path: Path, explainers: Sequence[Explainer], found: Sequence[Explained]) -> None:
    """Write the standard deviation (n - 1) over several models' maps of one image beside their mean at `path`."""
    write_volume(
        path.with_name(path.name.replace("_relevance", "Sd_spread")),
        np.std([one.relevance for one in found], axis=0, ddof=1, dtype=np.float64).astype(np.float32),
        explainers[0].grid,
        np.float32,
        description=f"Spread of Pellucid relevance over {len(found)} models",
        sidecar=describe_map(explainers, path.parent)
        | {"Description": "Standard deviation over the models of the relevance of each voxel. Research only."}
        | {"Logits": [one.logit for one in found]},
    )


def write_maps(
    explainer: Explainer,
    scan: Scan,
    explained: Explained,
    lesions: Lesions | None,
    *,
    out: Path,
    name: str,
    native: bool,
) -> list[Path]:
    """Write a scan's map on the model's grid and, if asked, on the scan's own; return the paths.

    Sidecars say what the gate found of the scan, and which lesion mask the map is measured against.
    """
    paths = [out / map_name(name, explainer.method.text)]
    said: dict[str, Any] = scan.admitted.sidecar | (lesions.sidecar if lesions is not None else {})
    write_map(paths[0], [explainer], explained, source=scan.path, source_grid=scan.native, said=said)
    if native:
        paths.append(out / map_name(name, explainer.method.text, res="native"))
        write_native_map(paths[1], explainer, explained, source=scan.path, source_grid=scan.native, said=said)
    return paths


def remove_maps(out: Path, name: str, explainer: Explainer) -> None:
    """Remove what an earlier call left of a scan: should this one fail, no map may lie there without its row."""
    for res in ("", "native"):
        old = out / map_name(name, explainer.method.text, res=res)
        for file in (old, sidecar_path(old), picture_of(old)):
            file.unlink(missing_ok=True)
