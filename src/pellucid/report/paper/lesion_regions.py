"""Figure S2: how many lesion voxels patients and controls have in each white-matter area."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from pellucid.report.paper.look import PATIENTS_AND_CONTROLS, paper_ticks, papered
from pellucid.report.paper.material import WHITE, Drawing, Material, MissingError, one_atlas
from pellucid.report.pictures.areas import AREA_LETTERS, LEGEND_LETTERS, by_place, placed, violins
from pellucid.report.pictures.notes import add_note
from pellucid.report.pictures.style import drawn, row_height


def figure_s2(material: Material) -> Drawing:
    """Draw violins of lesions by area, patients and controls (Eitel 2019, Figure S2)."""
    table, groups = material.table("lesion_regions"), material.groups
    rows = table[table["atlas"] == one_atlas(table, WHITE)]
    if rows.empty:
        raise MissingError(f"tables/lesion_regions.tsv has no row of a white-matter atlas ({WHITE})")
    data = lesion_data(rows, groups)
    note = _note(str(rows["atlas"].iloc[0]))
    return Drawing(draw_lesions(data, groups, note), data, note, ("tables/lesion_regions.tsv",))


def lesion_data(rows: pd.DataFrame, groups: tuple[str, str]) -> pd.DataFrame:
    """Return lesion voxels by area, areas in the first patient's own ranking, from most to none, as in the paper.

    Parameters
    ----------
    rows
        Columns participant_id, group, area, lesion_voxels, and session_id where there are sessions; no row where
        nobody drew a mask.
    groups
        Patients, controls.

    Returns
    -------
    One row a scan and area: place (from 0), area, group, participant_id, session_id, lesion_voxels.

    Raises
    ------
    MissingError
        If no patient has a lesion mask.
    """
    patients = rows[rows["group"] == groups[0]]
    if patients.empty:
        raise MissingError(f"no scan of group {groups[0]} has a lesion mask")
    session = patients["session_id"].fillna("") if "session_id" in patients else ""
    scan = patients["participant_id"] + " " + session
    first = patients[scan == scan.iloc[0]]
    # Which end is the first the facts do not say; ties stay in the atlas's order.
    order = first.sort_values("lesion_voxels", ascending=False, kind="stable")["area"].tolist()
    return placed(rows, order, groups)[["place", "area", "group", "participant_id", "session_id", "lesion_voxels"]]


@papered
def draw_lesions(data: pd.DataFrame, groups: tuple[str, str], note: str) -> Figure:
    """Draw both groups' violins upon each other, areas from left to right."""
    areas = [drawn(area, AREA_LETTERS) for area in data.drop_duplicates("place")["area"]]
    across = row_height(areas, 0.45) * len(areas)
    figure = Figure(figsize=(max(8.0, across + 1.6), 7.0), layout="constrained")
    axes = figure.subplots()
    for group, colour in zip(groups, PATIENTS_AND_CONTROLS, strict=True):
        one = data[data["group"] == group]
        violins(axes, by_place(one, "lesion_voxels"), colour, label=drawn(group, LEGEND_LETTERS))
    axes.set_xticks(range(len(areas)), areas, rotation=90)
    axes.set_xlim(-0.8, len(areas) - 0.2)
    axes.set_ylabel("Lesion voxels")
    axes.legend(loc="upper right")
    paper_ticks(axes)
    add_note(figure, note)
    return figure


def _note(atlas: str) -> str:
    return (
        f"As in the paper, atlas {atlas}: lesion voxels of every scan with a mask, held out or not. Areas are "
        "ordered by the first patient in the table, not by the group; a large area can contain more lesions than a "
        "small one. Scans without a mask are excluded (the paper's code filled them with noise). Violins: kernel "
        "densities with mean and extremes. For research only."
    )
