"""Relevance maps of single people over the scans they explain."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pellucid.ground.arrays import BoolArray
from pellucid.ground.numbers import number
from pellucid.image.nifti import read_volume
from pellucid.maps.explainer import probability
from pellucid.report.explained import alarm_note, explained
from pellucid.report.html.blocks import Picture, Section, Text, missing, records
from pellucid.report.pictures.overlay import map_figure
from pellucid.report.pictures.relevance import symmetric_limit
from pellucid.report.pictures.style import save
from pellucid.report.section_registry import page_section
from pellucid.rundir.run import Maps, Run

PATIENTS_SHOWN = 3


@dataclass(frozen=True)
class Shown:
    """A scan whose map is drawn: its row in the store, the explained logit, why it was chosen, and how it adds up."""

    row: int
    name: str
    group: str
    logit: float
    reason: str
    path: Path
    alarms: tuple[str, ...]
    gross: str
    adds_up: str


@page_section("heatmaps", title="Individual heatmaps", order=110)
def heatmaps(run: Run, figures: Path) -> Section:
    """Draw the surest patients found, the worst error and the surest control, all in one colour scale."""
    section = Section("heatmaps", "Individual heatmaps")
    maps = run.maps
    store = run.store(maps) if maps else None
    if maps is None or store is None:
        section.add(missing("Relevance maps", "maps") if maps is None else missing("The scans", "stores"))
        return section
    shown = choose(explained(maps, store))
    if not shown:
        section.add(missing("The logits that maps explain", f"maps/{maps.arm}/{maps.method}/sub-…_relevance.json"))
        return section
    seen = maps.seen(store.grid)
    values = [read_volume(one.path).data for one in shown]
    limit = symmetric_limit(values)
    modality = store.modality
    section.add(
        Text(
            paragraphs=[
                f"Each picture shows a participant's relevance map ({maps.method}) over its {modality}. Warm "
                f"colours: evidence for {store.classes[1]}; cool colours: evidence against it. All have the same "
                "colour scale, which ends at the 99.9th percentile of |relevance| of these maps (± "
                f"{number(limit)}). The planes cut through the strongest voxel. Participants are selected by score "
                "only: the most certain hits, the most certain miss or false alarm, the most certain control. "
                f"{_whose(maps)}"
            ]
        )
    )
    for one, relevance in zip(shown, values, strict=True):
        stem = f"heatmap-{one.name}"
        said = f"logit {number(one.logit)}, probability {number(probability(one.logit))}, not calibrated"
        title = f"{one.name} ({one.group}), {one.reason}: {said}"
        figure = map_figure(
            store.images[one.row],
            relevance,
            store.grid,
            seen,
            lesions=store.lesions(one.row),
            title=title,
            limit=limit,
            note=one.gross,
            alarms=one.alarms,
        )
        save(figure, figures / stem)
        section.add(
            Picture(
                stem=stem,
                suffix=".png",
                alt=f"Axial, coronal and sagittal {modality} of {one.name} with its relevance map in colour.",
                caption=f"{one.name}, group {one.group}: {one.reason}. {one.adds_up} "
                + _lesion_note(store.lesions(one.row)),
                sources=[run.relative(one.path)],
            )
        )
    return section


def choose(table: pd.DataFrame) -> list[Shown]:
    """Choose of the scans that `explained` gives, by score: surest hits, surest error, surest control."""
    called, patient = table["logit"] > 0, table["label"] == 1
    picks = [
        (table[called & patient].nlargest(PATIENTS_SHOWN, "logit"), "true positive"),
        (_worst(table[called != patient]), None),
        (table[~called & ~patient].nsmallest(1, "logit"), "true negative"),
    ]
    return [
        Shown(
            row=row["row"],
            name=row["name"],
            group=str(row["group"]),
            logit=float(row["logit"]),
            reason=reason or ("missed patient" if row["label"] == 1 else "false alarm"),
            path=row["path"],
            alarms=(*([row["remark"]] if isinstance(row["remark"], str) else []), *(row["alarms"] or ())),
            gross=str(row["gross"]),
            adds_up=alarm_note(row),
        )
        for some, reason in picks
        for row in records(some)
    ]


def _whose(maps: Maps) -> str:
    """Say which models give the logits."""
    model = maps.sidecar.get("Model")
    if isinstance(model, list):
        return f"Logits and verdicts are means over the {len(model)} models whose maps are averaged."
    if maps.trial is not None:
        return f"Logits and verdicts are those of the explained model, {maps.trial.name} of arm {maps.arm}."
    return f"Logits and verdicts are those of the model of arm {maps.arm} that a map explains."


def _lesion_note(mask: BoolArray | None) -> str:
    if mask is None:
        return "No lesion mask."
    return "Yellow: lesion outline." if mask.any() else "Its lesion mask is empty."


def _worst(errors: pd.DataFrame) -> pd.DataFrame:
    return errors.loc[errors["logit"].abs().nlargest(1).index]
