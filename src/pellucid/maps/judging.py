"""How well maps on disk, of whatever method or tool, find lesions: `judge_map`, and of many maps three tables."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pellucid.atlas.template import mni_brain_mask
from pellucid.bids.pairing import owner, participant
from pellucid.ground.errors import InputError
from pellucid.ground.files import read_tsv, sha256, write_tsv
from pellucid.ground.progress import Progress, unwatched
from pellucid.image.grid import Grid
from pellucid.image.nifti import read_volume
from pellucid.maps.batch import Ended, each
from pellucid.maps.evidence import find_learned, lesion_evidence, of_mask, read_lesions
from pellucid.maps.results import merged
from pellucid.maps.sidecars import method_of, read_quietly, read_sidecar, seen_by
from pellucid.preprocess.admission import admit
from pellucid.trust.lesion_summary import compare_with_nulls, lesion_summary
from pellucid.trust.nulls import NO_IMAGE, NULLS, Learned


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What lesion masks say of many maps.

    Parameters
    ----------
    tables
        The lesion table of each map that was judged now.
    every
        All of lesions.tsv, the rows of earlier calls first.
    files
        What was written.
    ended
        Which maps failed, and whether the call was interrupted.
    """

    tables: dict[Path, pd.DataFrame]
    every: pd.DataFrame
    files: tuple[Path, ...]
    ended: Ended


def judge_map(
    path: Path | str, lesions: Path | str | None, *, image: Path | str | None = None, force: bool = False
) -> pd.DataFrame:
    """Return the lesion table of a map on disk, made by whatever method or tool.

    What the map's sidecar says is used: the field of view, the image it explains, what nulls may know of the model's
    training participants. Without an image the brain is the MNI template's and the nulls made from the image are
    missing, as `brain_from` and `reason` say.

    Parameters
    ----------
    path
        The map, in MNI space.
    lesions
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
    path = Path(path)
    volume = read_volume(path)
    sidecar = read_sidecar(path)
    grid = _recorded_grid(sidecar, volume.grid)
    image = Path(image) if image else _recorded_image(sidecar, path.parent)
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
    drawn = None if lesions is None else read_lesions(Path(lesions), native=native, grid=grid)
    kind = str(sidecar.get("Images", "prepared"))  # what the network was given; masks and fillings are not made again
    table = lesion_evidence(
        volume.data,
        None if drawn is None else drawn.mask,
        name=method_of(sidecar),
        image=prepared.image if image is not None and kind == "prepared" else None,
        no_image=NO_IMAGE if kind == "prepared" else f"the network was given {kind} images, which are not at hand",
        brain=prepared.brain if image is not None else mni_brain_mask(grid),
        seen=seen_by(sidecar, grid),
        learned=_recorded_learned(sidecar, path.parent, grid),
        grid=grid,
    )
    table = of_mask(table, drawn, remarks)
    return table.assign(
        brain_from="image" if image is not None else "MNI template", networks=_recorded_networks(sidecar)
    )


def judge_maps(
    masks: Mapping[Path, Path | None],
    *,
    images: Mapping[Path, Path | None] | None = None,
    out: Path,
    force: bool = False,
    progress: Progress = unwatched,
) -> Judged:
    """Judge maps; write lesions.tsv, where rows of other maps stay, and lesions_summary and lesions_compared of all.

    Parameters
    ----------
    masks, images
        The lesion mask of each map, and the scan that it explains, as in `judge_map`.
    out
        The folder of the tables.
    force, progress
        As in `judge_map`; called as the work goes on.

    Raises
    ------
    InputError
        Two maps of one scan have one name.
    KeyboardInterrupt
        The call was interrupted before anything was done.
    """
    paths, tables = list(masks), dict[Path, pd.DataFrame]()
    check_apart(paths, out / "lesions.tsv")

    def work(path: Path) -> None:
        table = judge_map(path, masks[path], image=(images or {}).get(path), force=force)
        table.insert(0, "file", str(path.absolute()))
        table.insert(1, "participant_id", participant(path) or owner(path))
        tables[path] = table

    ended = each(paths, work, progress)
    if not tables:
        if ended.stopped:
            raise ended.stopped
        return Judged(tables={}, every=pd.DataFrame(), files=(), ended=ended)
    now = [str(path.absolute()) for path in paths if path in tables or path in ended.failed]
    every = merged(out / "lesions.tsv", pd.concat(tables.values(), ignore_index=True), key="file", done=now)
    written = {
        "lesions": every,
        "lesions_summary": lesion_summary(every),
        "lesions_compared": compare_with_nulls(every),
    }
    files = tuple(out / f"{name}.tsv" for name in written)
    for file, table in zip(files, written.values(), strict=True):
        write_tsv(file, table)
    return Judged(tables=tables, every=every, files=files, ended=ended)


def check_apart(maps: Sequence[Path], judged: Path) -> None:
    """Raise InputError where two maps of one scan have one name: they would be averaged as if one model had made both.

    Parameters
    ----------
    maps
        Maps that are to be judged, each called after its sidecar's method, or `map`.
    judged
        The table of the maps that were judged before; it need not be there.
    """
    named = [(Path(os.path.abspath(path)), method_of(read_quietly(path))) for path in maps]
    if judged.is_file():
        before = read_tsv(judged)
        if {"file", "map"} <= set(before):
            now = {path for path, _ in named}
            rows = before[["file", "map"]].astype(str).drop_duplicates().itertuples(index=False)
            named[:0] = [(Path(file), name) for file, name in rows if Path(file) not in now]
    seen: dict[tuple[str, str], Path] = {}
    for path, name in named:
        if name in NULLS or name.startswith("|"):
            continue
        first = seen.setdefault((owner(path), name), path)
        if first != path:
            what = f"its name has the same scan and method ({name}) as {first}; both would be averaged"
            fix = "Name each map after its scan, and judge the maps of two models separately, each with its own --out"
            raise InputError(path, what, fix)


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
