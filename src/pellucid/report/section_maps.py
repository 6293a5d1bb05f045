"""Relevance maps over the scans they explain: single subjects, and the mean of each group."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.analysis.averages import group_means
from pellucid.cohort.store import Store
from pellucid.image.nifti import read_volume
from pellucid.report.blocks import Picture, Section, Text, missing, number, records
from pellucid.report.overlay import draw_map, strongest_voxel, symmetric_limit
from pellucid.report.run import Maps, Run, scan_name

PATIENTS_SHOWN = 3


@dataclass(frozen=True)
class Shown:
    """A scan whose map is drawn: its row in the store, its prediction, and why it was chosen."""

    row: int
    name: str
    group: str
    logit: float
    reason: str
    path: Path


def heatmaps(run: Run, figures: Path) -> Section:
    """Draw the surest patients found, the worst error and the surest control, all in one colour scale."""
    section = Section("heatmaps", "Individual heatmaps")
    maps, store = run.maps, _store(run)
    if maps is None or store is None:
        section.add(missing("Relevance maps", "maps") if maps is None else missing("The scans", "stores"))
        return section
    shown = choose(maps, store)
    if not shown:
        section.add(missing("Held-out predictions with a map", f"models/{maps.arm}/TRIAL/predictions.tsv"))
        return section
    seen = run.seen(store.grid)
    values = [read_volume(one.path).data for one in shown]
    limit = symmetric_limit(values)
    modality = store.modality
    section.add(
        Text(
            paragraphs=[
                f"Each picture lays a subject's relevance map ({maps.method}) over its {modality}. Warm voxels speak "
                f"for {store.classes.get(1, 'label 1')}, cool ones against. All share one colour scale, which ends at "
                f"the 99.9th percentile of |relevance| of these maps (± {number(limit)}). The planes cut through the "
                "strongest voxel. The choice is by score alone: the surest hits, the surest miss or false alarm, the "
                "surest control."
            ]
        )
    )
    for one, relevance in zip(shown, values, strict=True):
        stem = f"heatmap-{one.name}"
        probability = 0.5 * (1.0 + np.tanh(0.5 * one.logit))
        title = f"{one.name} ({one.group}), {one.reason}: logit {number(one.logit)}, probability {number(probability)}"
        for suffix in (".png", ".svg"):
            draw_map(
                store.images[one.row],
                relevance,
                store.grid,
                seen,
                lesions=store.lesions(one.row),
                title=title,
                limit=limit,
                path=figures / (stem + suffix),
            )
        section.add(
            Picture(
                stem=stem,
                suffix=".png",
                alt=f"Axial, coronal and sagittal {modality} of {one.name} with its relevance map in colour.",
                caption=f"{one.name}, group {one.group}: {one.reason}. " + _lesion_note(store.lesions(one.row)),
                sources=[str(one.path.relative_to(run.folder))],
            )
        )
    return section


def averages(run: Run, figures: Path) -> Section:
    """Draw the mean map of each group over the mean of the scans it comes from."""
    section = Section("averages", "Group averages")
    maps, store = run.maps, _store(run)
    if maps is None or store is None:
        section.add(missing("Group averages", "maps"))
        return section
    found = {
        path.name.split("_")[0].removeprefix("group-"): path for path in maps.folder.glob("group-*_relevance.nii.gz")
    }
    if not found:
        section.add(missing("Group averages", f"maps/{maps.arm}/{maps.method}/group-GROUP_…_relevance.nii.gz"))
        return section
    volumes = {group: read_volume(path).data for group, path in found.items()}
    limit = symmetric_limit(list(volumes.values()))
    scans = group_means(_held_out_scans(maps, store))
    groups = sorted(found, key=lambda group: group != run.positive)
    centre = store.grid.world(strongest_voxel(volumes[groups[0]], run.seen(store.grid))).tolist()
    for group in groups:
        if group not in scans:
            section.add(missing(f"The scans behind the average of {group}", "stores"))
            continue
        number_of = scans[group].number
        stem = f"average-{group}"
        for suffix in (".png", ".svg"):
            draw_map(
                scans[group].values,
                volumes[group],
                store.grid,
                run.seen(store.grid),
                title=f"{group}: mean relevance of {number_of} held-out scans",
                centre=centre,
                limit=limit,
                path=figures / (stem + suffix),
            )
        section.add(
            Picture(
                stem=stem,
                suffix=".png",
                alt=f"Mean {store.modality} of group {group} in three planes with the group's mean relevance in "
                "colour.",
                caption=f"Mean relevance of group {group}, over the mean of the same {number_of} scans. No subject is "
                "scaled; all groups are cut through the strongest voxel of the first; their colours end at ± "
                f"{number(limit)}.",
                sources=[str(found[group].relative_to(run.folder))],
            )
        )
    return section


def choose(maps: Maps, store: Store) -> list[Shown]:
    """Choose held-out scans by score: surest true positives, the surest error, the surest true negative."""
    predictions = maps.trial.predictions if maps.trial else None
    if predictions is None:
        return []
    rows = _rows(store)
    table = predictions[predictions["role"] == "holdout"]
    table = table.assign(name=[scan_name(row) for row in records(table)])
    paths = {name: path for name in table["name"] if name in rows and (path := maps.of(name)) is not None}
    table = table[table["name"].isin(list(paths))]
    called, patient = table["logit"] > 0, table["label"] == 1
    picks = [
        (table[called & patient].nlargest(PATIENTS_SHOWN, "logit"), "true positive"),
        (_worst(table[called != patient]), None),
        (table[~called & ~patient].nsmallest(1, "logit"), "true negative"),
    ]
    return [
        Shown(
            row=rows[row["name"]],
            name=row["name"],
            group=str(row["group"]),
            logit=float(row["logit"]),
            reason=reason or ("missed patient" if row["label"] == 1 else "false alarm"),
            path=paths[row["name"]],
        )
        for some, reason in picks
        for row in records(some)
    ]


def _lesion_note(mask: npt.NDArray[np.bool_] | None) -> str:
    if mask is None:
        return "No lesion mask."
    return "Yellow: lesion outline." if mask.any() else "Its lesion mask is empty."


def _worst(errors: pd.DataFrame) -> pd.DataFrame:
    return errors.loc[errors["logit"].abs().nlargest(1).index]


def _held_out_scans(maps: Maps, store: Store) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    for name, row in _rows(store).items():
        if maps.of(name) is not None:
            yield str(store.table["group"].iloc[row]), store.images[row]


def _store(run: Run) -> Store | None:
    """Return the store of the explained scans."""
    if run.maps is None:
        return None
    return run.store({path.name.split("_")[0] for path in run.maps.folder.glob("sub-*_relevance.nii.gz")})


def _rows(store: Store) -> dict[str, int]:
    return {scan_name(row): n for n, row in enumerate(records(store.table))}
