"""Figure 6: relevance of the patients over white matter, with their lesions and with lesions filled."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from pellucid.report.paper.look import paper_ticks, papered
from pellucid.report.paper.material import WHITE, Drawing, Material, MissingError
from pellucid.report.pictures.areas import AREA_LETTERS
from pellucid.report.pictures.notes import add_note
from pellucid.report.pictures.style import drawn, row_height

SHOWN = 10
NAMES = ("With lesions", "Without lesions (NABM)")
"""What the paper calls the model of the scans as they are and that of lesion-filled ones."""

_COLOURS = ("green", "orange")
_REACH = 1.1  # how far beyond the right panel's largest bar the axes go


def figure6(material: Material) -> Drawing:
    """Draw mirrored bars of the main and the lesion-filled arm (Eitel 2019, Figure 6)."""
    filled = material.parts.get("lesion-filled")
    if filled is None:
        raise MissingError("study.toml has no arm that learns from lesion-filled scans")
    tables = (material.regions(WHITE, material.main), material.regions(WHITE, filled))
    data = filled_data(*tables, material.groups[0])
    note = _note(str(tables[0]["atlas"].iloc[0]), len(data))
    return Drawing(draw_filled(data, note), data, note, ("tables/regions.tsv",))


def filled_data(with_lesions: pd.DataFrame, without: pd.DataFrame, positive: str, shown: int = SHOWN) -> pd.DataFrame:
    """Return the areas of the largest signed sum of both models, descending, as the paper's Figure 6 has them.

    Each model's mean is over those patients whom it classifies itself correctly.

    Returns
    -------
    One row an area: place (from 0, the top), area, with_lesions, without_lesions (means of the paper's metric), total.

    Raises
    ------
    MissingError
        If a model classifies no patient correctly, or the paper's axis does not exist: it ends at 1.1 times the largest
        bar of the lesion-filled model, which must be above 0.
    """
    means = {}
    for name, rows in (("with_lesions", with_lesions), ("without_lesions", without)):
        hits = rows[(rows["group"] == positive) & rows["correct"].astype(bool)]
        if hits.empty:
            raise MissingError(f"arm {rows['arm'].iloc[0]} classifies no patient correctly")
        # What is not seen is missing in our tables and 0 in the paper's metric.
        means[name] = hits["paper"].fillna(0.0).groupby(hits["area"], sort=False).mean()
    table = pd.DataFrame(means).dropna()
    table["total"] = table["with_lesions"] + table["without_lesions"]
    top = table.sort_values("total", ascending=False, kind="stable").head(shown)
    if top["without_lesions"].max() <= 0:
        raise MissingError("no area shown is above 0 in the lesion-filled model, where the paper's axis would end")
    data = top.reset_index()
    data.insert(0, "place", range(len(data)))
    return data


@papered
def draw_filled(data: pd.DataFrame, note: str) -> Figure:
    """Draw bars to the left and to the right of the areas' names, on axes that begin at 0."""
    names = [drawn(area, AREA_LETTERS) for area in data["area"]]
    figure = Figure(figsize=(11.0, 1.6 + row_height(names, 0.42) * len(data)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    end = _REACH * float(data["without_lesions"].max())
    columns = ("with_lesions", "without_lesions")
    for axes, column, name, colour in zip((left, right), columns, NAMES, _COLOURS, strict=True):
        axes.barh(data["place"], data[column], color=colour, height=0.72)
        axes.set_title(name)
        axes.set_xlabel("Relevance")
        axes.ticklabel_format(axis="x", style="sci", scilimits=(0, 0))
        paper_ticks(axes)
    # Axes of equal length that begin at 0: bars below 0 cannot be seen, and longer ones on the left are cut off.
    left.set_xlim(end, 0.0)
    right.set_xlim(0.0, end)
    left.set_ylim(len(data) - 0.4, -0.6)
    left.set_yticks(data["place"], names)
    right.tick_params(axis="y", length=0)
    add_note(figure, note)
    return figure


def _note(atlas: str, shown: int) -> str:
    return (
        f"As in the paper, atlas {atlas}: the {shown} areas with the largest signed sum of both models, descending, "
        "so areas of strong negative relevance are never selected; means over the patients that each model "
        "classifies correctly, of the paper's metric (see Figure 4). Both axes run from 0 to 1.1 times the right "
        "panel's largest bar: bars below 0 are not visible, longer ones on the left are cut off. For research only."
    )
