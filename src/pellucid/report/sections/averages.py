"""Mean relevance maps over mean scans: of each group, and of the patients under each network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pellucid.analysis.averages import mean_map
from pellucid.cohort.store import Store
from pellucid.ground.arrays import Float32Array
from pellucid.ground.numbers import number
from pellucid.image.nifti import read_volume
from pellucid.maps.sidecars import read_sidecar
from pellucid.report.explained import explained
from pellucid.report.html.blocks import Note, Picture, Section, missing
from pellucid.report.pictures.brain import Bar, Scene, grey_levels
from pellucid.report.pictures.relevance import UNIT, relevance_bar, relevance_paint, strongest_voxel, symmetric_limit
from pellucid.report.pictures.style import save
from pellucid.report.pictures.tiles import Block, Frame, draw_tiles, foot
from pellucid.report.section_registry import page_section
from pellucid.rundir.run import Maps, Run


@page_section("averages", title="Group averages", order=120)
def averages(run: Run, figures: Path) -> Section:
    """Draw the mean map of each group over the mean of its scans, and that of the patients under every network."""
    section = Section("averages", "Group averages")
    maps = run.maps
    store = run.store(maps) if maps else None
    if maps is None or store is None:
        section.add(missing("Group averages", "maps"))
        return section
    found = {one.group: one for one in map(_average, maps.averages)}
    if not found:
        section.add(missing("Group averages", f"maps/{maps.arm}/{maps.method}/group-GROUP_…_relevance.nii.gz"))
        return section
    averaged, which = explained(maps, store), "held-out scans"
    if run.explain and run.explain.averages == "correct":
        averaged, which = averaged[averaged["correct"]], f"correctly classified {which}"
    scans = {}
    for group in sorted(found, key=lambda group: group != run.positive):
        rows = averaged.loc[averaged["group"].astype(str) == group, "row"].tolist()
        if len(rows) == found[group].scans:
            scans[group] = mean_map(store.images[row] for row in rows)
            continue
        stated = found[group].scans or "no number of"
        text = (
            f"Missing: the average of {group}. Its sidecar states {stated} scans, but {len(rows)} {which} of the "
            "group have a map that states its logit."
        )
        section.add(Note(tone="missing", text=text))
    if scans:
        known = [found[group] for group in scans]
        section.add(_groups(run, maps, store, known, scans, which, figures))
        if found[next(iter(scans))].group == run.positive:
            section.add(*_networks(run, maps, store, scans[run.positive], which, figures))
    return section


def _groups(
    run: Run,
    maps: Maps,
    store: Store,
    found: Sequence[_Average],
    scans: Mapping[str, Float32Array],
    which: str,
    figures: Path,
) -> Picture:
    """Draw the mean map of each group, one below the other, in one colour scale."""
    volumes = {one.group: read_volume(one.path).data for one in found}
    limit, seen = symmetric_limit(list(volumes.values())), maps.seen(store.grid)
    centre = store.grid.world(strongest_voxel(volumes[found[0].group], seen))
    blocks = [
        Block(
            f"{one.group}: mean of {one.scans} {which}",
            Scene.of(store.grid, grey_levels(scans[one.group]), volumes[one.group], seen),
            [centre],
            relevance_paint(limit),
        )
        for one in found
    ]
    clipped = any(bool(np.abs(values).max() > limit) for values in volumes.values())
    figure = draw_tiles(
        blocks,
        Frame.around(np.any([scan != 0 for scan in scans.values()], axis=0), store.grid),
        bar=relevance_bar(limit, clipped=clipped),
        note=foot(blocks[0].scene),
    )
    save(figure, figures / "averages")
    numbers = ", ".join(f"{one.scans} of {one.group}" for one in found)
    return Picture(
        stem="averages",
        suffix=".png",
        alt=f"Mean {store.modality} of each group in three planes with the group's mean relevance in colour.",
        caption=f"Mean relevance of the {which} of each group ({numbers}), over the mean of the same scans. Maps "
        f"are not scaled by participant; networks: {'; '.join(dict.fromkeys(one.networks for one in found))}. All "
        f"groups are cut through the strongest voxel of the first; their colours end at ± {number(limit)}."
        + "".join(one.alarm_note() for one in found),
        sources=[run.relative(one.path) for one in found],
    )


def _networks(run: Run, maps: Maps, store: Store, scan: Float32Array, which: str, figures: Path) -> list[Picture]:
    """Draw the mean map of the patients under each explained arm of the cohort; nothing if there is no other arm."""
    found: dict[str, tuple[Maps, _Average]] = {}
    for arm in run.explained_arms:
        theirs = run.maps_of(arm)
        if theirs is not None and run.arms[arm].cohort == run.arms[maps.arm].cohort:
            one = next((one for one in map(_average, theirs.averages) if one.group == run.positive), None)
            found |= {arm: (theirs, one)} if one else {}
    if len(found) < 2:
        return []
    grey, centre = grey_levels(scan), np.zeros(3)
    blocks: list[Block] = []
    for arm, (theirs, one) in found.items():
        values, seen = read_volume(one.path).data, theirs.seen(store.grid)
        limit = symmetric_limit([values])
        if not blocks:
            centre = store.grid.world(strongest_voxel(values, seen))
        what = f", {run.untaught[arm]}" if arm in run.untaught else ""
        title = f"{arm}{what}: mean of {one.scans} scans, ± {number(limit)}"
        blocks.append(Block(title, Scene.of(store.grid, grey, values, seen), [centre], relevance_paint(limit)))
    words = ((-1.0, "− limit of the row"), (0.0, "0"), (1.0, "+ limit of the row"))
    frame, bar = Frame.around(scan != 0, store.grid), Bar(relevance_paint(1.0), -1.0, 1.0, words, UNIT)
    save(draw_tiles(blocks, frame, bar=bar, note=foot(*(block.scene for block in blocks))), figures / "averages-by-arm")
    return [
        Picture(
            stem="averages-by-arm",
            suffix=".png",
            alt=f"Mean {store.modality} of {run.positive} in three planes with each arm's mean relevance in colour.",
            caption=f"Mean relevance of the {which} of {run.positive} under each explained arm, over the mean scan of "
            f"arm {maps.arm}, cut through the strongest voxel of the first row. Each row has a colour scale of its "
            "own, stated above it (the 99.9th percentile of its |relevance|): compare the places of relevance, "
            "not its apparent strength." + "".join(one.alarm_note(arm) for arm, (_, one) in found.items()),
            sources=[run.relative(one.path) for _, one in found.values()],
        )
    ]


class _Average(NamedTuple):
    """The mean map of a group: its name, its scans, alarms and scale."""

    group: str
    scans: int | None
    alarmed: int
    networks: str
    path: Path

    def alarm_note(self, whose: str = "") -> str:
        """Say how many of the averaged maps have an alarm, if any."""
        maps = f"maps of {whose or self.group}"
        return f" {self.alarmed} of the {maps} have an alarm of their ledger." if self.alarmed else ""


def _average(path: Path) -> _Average:
    label = path.name.split("_")[0].removeprefix("group-")
    said = read_sidecar(path)
    return _Average(
        group=str(said.get("Group", label)),
        scans=said.get("Scans"),
        alarmed=int(said.get("AlarmedMaps", 0)),
        networks=said.get("NetworkScale", "their scale is not stated"),
        path=path,
    )
