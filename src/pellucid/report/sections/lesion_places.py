"""Where the lesions of each group lie: voxel by voxel, and area by area."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from pellucid.ground.numbers import percent
from pellucid.report.html.blocks import Picture, Section, Text
from pellucid.report.pictures.brain import Bar
from pellucid.report.pictures.lesion_maps import GREY, hot, lesion_block, lesion_means
from pellucid.report.pictures.regions import lesion_share_figure
from pellucid.report.pictures.style import group_colours, save
from pellucid.report.pictures.tiles import Frame, draw_tiles, foot
from pellucid.report.section_registry import page_section
from pellucid.rundir.run import Run

TABLE = "tables/lesion_regions.tsv"
SHOWN = 30
"""Areas of an atlas, those of most lesion."""


@page_section("lesion-places", title="Where the lesions lie", order=145)
def lesion_places(run: Run, figures: Path) -> Section | None:
    """Return the groups' lesion maps, and the shares of areas that are lesion; None where nobody has a lesion."""
    section = Section("lesion-places", "Where the lesions lie")
    section.add(
        Text(
            paragraphs=[
                "A map that lies where most patients have lesions may follow the patient's own lesions or what the "
                "network learned of the group. All scans of the cohort that have a lesion mask are shown here, held "
                "out or not."
            ]
        )
    )
    pictures = [*_maps(run, figures), *_shares(run, figures)]
    section.add(*pictures)
    return section if pictures else None


def _maps(run: Run, figures: Path) -> list[Picture]:
    """Draw the share of scans with a lesion at each voxel, a group each, in one scale."""
    store = run.store(run.maps) if run.maps else None
    if store is None:
        return []
    groups = sorted(store.classes.values(), key=lambda group: group != run.positive)
    means = {group: found for group in groups if (found := lesion_means(store, range(len(store)), group))}
    tops = {group: float(found.lesions.max()) for group, found in means.items()}
    first = next(iter(means), None)
    if first is None or not tops[first]:
        return []
    limit = max(tops.values())
    centre = store.grid.world(np.unravel_index(means[first].lesions.argmax(), store.grid.shape))
    blocks = [
        lesion_block(f"{group}: {found.scans} scans", store.grid, found, centre, limit)
        for group, found in means.items()
    ]
    words = ((0.0, "0 %"), (limit / 2, percent(limit / 2)), (limit, f"{percent(limit)} of scans"))
    frame = Frame.around(np.mean([found.brain for found in means.values()], axis=0) > 0.1, store.grid)
    bar = Bar(hot(limit), 0.0, limit, words, backdrop=GREY)
    save(draw_tiles(blocks, frame, bar=bar, note=foot(blocks[0].scene)), figures / "lesion-maps")
    return [
        Picture(
            stem="lesion-maps",
            suffix=".png",
            alt="The share of scans with a lesion at each voxel, in three planes, a group each.",
            caption="Share of scans with a lesion at each voxel, over the mean brain mask of the same scans; one scale "
            f"for all groups, up to {percent(limit)}. All are cut through the voxel where most scans of {first} have a "
            "lesion. Scans without a lesion mask are excluded.",
            sources=[run.relative(store.folder)],
        )
    ]


def _shares(run: Run, figures: Path) -> list[Picture]:
    """Draw for each atlas the share of each area that is lesion."""
    table = run.table("lesion_regions")
    pictures = []
    for name, rows in [] if table is None else table.groupby("atlas", sort=False):
        shares = lesion_shares(rows, run.positive)
        shares = shares[shares["place"] < SHOWN]
        groups = sorted(shares["group"].unique(), key=lambda group: (group != run.positive, group))
        if not len(shares):
            continue
        save(lesion_share_figure(shares, group_colours(groups, run.positive)), figures / f"lesion-shares-{name}")
        pictures.append(
            Picture(
                stem=f"lesion-shares-{name}",
                suffix=".svg",
                alt=f"Violins of the share of each area of {name} that is lesion, by group.",
                caption=f"Atlas {name}: the share of an area that is lesion, of every scan with a mask. Shown are the "
                f"{shares['area'].nunique()} areas of the largest mean share of {groups[0]}. Diamonds: means; "
                "violins: kernel densities on the scale shown, with extremes.",
                sources=[TABLE],
            )
        )
    return pictures


def lesion_shares(rows: pd.DataFrame, positive: str | None) -> pd.DataFrame:
    """Return the share of each area that is lesion, areas descending by the patients' mean share.

    Parameters
    ----------
    rows
        One row a scan and area: participant_id, session_id, group, area, voxels, lesion_voxels.
    positive
        The patients' group.

    Returns
    -------
    The rows with place (from 0), share, and mean (of the group's shares). Areas without a voxel on this grid are left
    out; no row where no patient has a mask.
    """
    kept = rows[rows["voxels"] > 0].assign(share=lambda table: table["lesion_voxels"] / table["voxels"])
    means = kept[kept["group"] == positive].groupby("area", sort=False)["share"].mean()
    order = {area: n for n, area in enumerate(means.sort_values(ascending=False, kind="stable").index)}
    placed = kept[kept["area"].isin(order)].assign(place=lambda table: table["area"].map(order))
    placed["mean"] = placed.groupby(["area", "group"])["share"].transform("mean")
    return placed.sort_values("place", kind="stable").reset_index(drop=True)
