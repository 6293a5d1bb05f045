"""Figure 4: relevance of patients and controls over the areas of a grey-matter and a white-matter atlas."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from pellucid.report.paper.look import PATIENTS_AND_CONTROLS, paper_ticks, papered
from pellucid.report.paper.material import GREY, WHITE, Drawing, Material, MissingError
from pellucid.report.pictures.areas import AREA_LETTERS, LEGEND_LETTERS, by_place, placed, violins
from pellucid.report.pictures.notes import add_note
from pellucid.report.pictures.style import drawn, row_height

SHOWN = 30
"""Areas of the grey-matter atlas; of white matter all are shown."""

_COLUMNS = ["place", "area", "group", "participant_id", "session_id", "value", "mean"]


def figure4a(material: Material) -> Drawing:
    """Draw the 30 areas of the grey-matter atlas with most relevance (Eitel 2019, Figure 4a)."""
    return _figure(material, GREY, SHOWN)


def figure4b(material: Material) -> Drawing:
    """Draw all areas of the white-matter atlas (Eitel 2019, Figure 4b)."""
    return _figure(material, WHITE, None)


def _figure(material: Material, atlas: str, shown: int | None) -> Drawing:
    rows, groups = material.regions(atlas, material.main), material.groups
    data = region_data(rows, groups, shown)
    note = _note(str(rows["atlas"].iloc[0]), data, shown)
    return Drawing(draw_regions(data, groups, note), data, note, ("tables/regions.tsv",))


def region_data(rows: pd.DataFrame, groups: tuple[str, str], shown: int | None) -> pd.DataFrame:
    """Return what the paper's Figure 4 shows: its metric, of correctly classified scans only.

    With `shown`, areas are those of the largest sum over subjects of |value|, ordered ascending by the signed sum over
    both groups; without, all are ordered ascending by the mean of the patients.

    Parameters
    ----------
    rows
        Columns participant_id, group, correct, area, paper, and session_id where there are sessions.
    groups
        Patients, controls.
    shown
        How many areas; all if None.

    Returns
    -------
    One row a scan and area: place (from 0), area, group, participant_id, session_id, value (the paper's metric: a
    label's sum over the voxels of the whole volume, mean over an area's labels), mean (of the group).

    Raises
    ------
    MissingError
        If a group has no correctly classified scan.
    """
    right = rows[rows["correct"].astype(bool)]
    # A map is 0 where the network does not look, and so is the paper's metric; our tables call that missing.
    right = right.assign(value=right["paper"].fillna(0.0))
    for group in groups:
        if not (right["group"] == group).any():
            raise MissingError(f"no scan of group {group} is classified correctly")
    by_area = right.groupby("area", sort=False)["value"]
    if shown is None:
        order = right[right["group"] == groups[0]].groupby("area", sort=False)["value"].mean()
    else:
        strength = by_area.agg(lambda values: values.abs().sum())
        order = by_area.sum()[strength.nlargest(shown).index]
    kept = placed(right, order.sort_values(kind="stable").index.tolist(), groups)
    kept["mean"] = kept.groupby(["area", "group"])["value"].transform("mean")
    return kept[_COLUMNS]


@papered
def draw_regions(data: pd.DataFrame, groups: tuple[str, str], note: str) -> Figure:
    """Draw the groups' means as dots above, each subject's values as violins below, areas from left to right."""
    areas = [drawn(area, AREA_LETTERS) for area in data.drop_duplicates("place")["area"]]
    across = row_height(areas, 0.38) * len(areas)
    figure = Figure(figsize=(max(8.0, across + 1.6), 10.5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    for group, colour in zip(groups, PATIENTS_AND_CONTROLS, strict=True):
        one, label = data[data["group"] == group], drawn(group, LEGEND_LETTERS)
        means = one.drop_duplicates("place")
        above.scatter(means["place"], means["mean"], color=colour, s=42, label=label, zorder=3)
        violins(below, by_place(one, "value"), colour, label=label)
    for axes in (above, below):
        axes.set_ylabel("Relevance")
        axes.legend(loc="upper left")
        axes.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
        paper_ticks(axes)
    above.set_title("Mean relevance of each group")
    below.set_title("Relevance of each participant")
    below.set_xticks(range(len(areas)), areas, rotation=90)
    below.set_xlim(-0.8, len(areas) - 0.2)
    add_note(figure, note)
    return figure


def _note(atlas: str, data: pd.DataFrame, shown: int | None) -> str:
    areas = data["place"].nunique()
    which = (
        f"all {areas} areas, ordered by the patients' mean"
        if shown is None
        else f"the {areas} areas with the largest sum of |value| over participants, ordered by the signed sum of "
        "both groups"
    )
    return (
        f"As in the paper, atlas {atlas}: {which}. Value: each label's relevance divided by the voxels of the whole "
        "volume, then the mean over the labels of an area, so an area of four labels shows a quarter of its sum. "
        "Correctly classified held-out scans only; no intervals, no tests; voxels that the network cannot see count "
        "as 0. Violins: kernel densities with mean and extremes. For research only."
    )
