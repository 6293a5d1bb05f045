"""Figure 6: relevance of the patients over white matter, with their lesions and with lesions filled."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from pellucid.report.paper.charts import AREA_LETTERS, add_note, look, paper_ticks, write_shares
from pellucid.report.paper.intervals import (
    by_participant,
    mean_intervals,
    networks_by_participant,
    widened_words,
)
from pellucid.report.paper.material import WHITE, Drawing, Material, MissingError, Version
from pellucid.report.pictures.style import INK, SERIES, drawn, row_height, styled

SHOWN = 10
NAMES = ("With lesions", "Without lesions (NABM)")
"""What the paper calls the model of the scans as they are and that of lesion-filled ones."""

_FOOT = (
    "For research only. Lines: 95 % intervals over patients. Right: the seen share of areas that are only partly seen."
)
_PAPER_COLOURS = ("green", "orange")
_REACH = 1.1  # how far beyond the right panel's largest bar the paper's axes go


def figure6(material: Material, version: Version) -> Drawing:
    """Draw mirrored bars of the main and the lesion-filled arm (Eitel 2019, Figure 6)."""
    filled = material.parts.get("lesion-filled")
    if filled is None:
        raise MissingError("study.toml has no arm that learns from lesion-filled scans")
    tables = (material.regions(WHITE, material.main), material.regions(WHITE, filled))
    atlas, positive = str(tables[0]["atlas"].iloc[0]), material.groups[0]
    sources = ("tables/regions.tsv",)
    if version == "paper":
        data = paper_filled_data(*tables, positive)
        note = _paper_note(atlas, len(data))
        return Drawing(draw_paper_filled(data, note), data, note, sources)
    correction = material.run.correction(material.main)
    data = filled_data(
        *tables,
        positive,
        resamples=material.spec.analysis.bootstrap,
        correction=correction,
        seed=material.spec.study.seed,
    )
    note = _note(atlas, data, (material.main, filled), correction)
    return Drawing(draw_filled(data, _FOOT), data, note, sources)


def paper_filled_data(
    with_lesions: pd.DataFrame, without: pd.DataFrame, positive: str, shown: int = SHOWN
) -> pd.DataFrame:
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
    top = top.rename_axis("area").reset_index()
    top.insert(0, "place", range(len(top)))
    return top


def filled_data(
    with_lesions: pd.DataFrame,
    without: pd.DataFrame,
    positive: str,
    *,
    resamples: int,
    correction: float = 1.0,
    seed: int,
) -> pd.DataFrame:
    """Return all areas' true sums under both models, of the patients whom both explain, descending by their total.

    Returns
    -------
    One row an area and model: place (from 0, the top), area, images (NAMES), mean (over patients of the sum of
    relevance, logit units), low, high (its 95 % interval over patients and the networks that they share, the same
    draws for both models, widened by the correction), seen_share, patients.

    Raises
    ------
    MissingError
        If no patient has a map of both.
    """
    wide = [by_participant(rows[rows["group"] == positive], "sum") for rows in (with_lesions, without)]
    common = wide[0].index.intersection(wide[1].index).sort_values()
    if common.empty:
        raise MissingError("no patient has a map of both arms")
    both = [table.loc[common].dropna(axis="columns", how="all") for table in wide]
    areas = [area for area in both[0].columns if area in set(both[1].columns)]
    both = [table[areas] for table in both]
    total = both[0].mean() + both[1].mean()
    place = {area: n for n, area in enumerate(total.sort_values(ascending=False, kind="stable").index)}
    share = with_lesions.groupby("area")["seen_share"].first()
    parts = []
    for name, table, rows in zip(NAMES, both, (with_lesions, without), strict=True):
        low, high = mean_intervals(
            table,
            networks_by_participant(rows, table.index),
            resamples=resamples,
            correction=correction,
            seed=seed,
        )
        columns = {"area": areas, "images": name, "mean": table.mean().to_numpy(), "low": low, "high": high}
        parts.append(pd.DataFrame(columns))
    data = pd.concat(parts, ignore_index=True)
    data["seen_share"] = data["area"].map(share)
    data["patients"] = len(common)
    data.insert(0, "place", data["area"].map(place))
    return data.sort_values("place", kind="stable").reset_index(drop=True)


@styled
def draw_paper_filled(data: pd.DataFrame, note: str) -> Figure:
    """Draw bars to the left and to the right of the areas' names, on axes that begin at 0."""
    with look("paper"):
        names = [drawn(area, AREA_LETTERS) for area in data["area"]]
        figure = Figure(figsize=(11.0, 1.6 + row_height(names, 0.42) * len(data)), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        end = _REACH * float(data["without_lesions"].max())
        columns = ("with_lesions", "without_lesions")
        for axes, column, name, colour in zip((left, right), columns, NAMES, _PAPER_COLOURS, strict=True):
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


@styled
def draw_filled(data: pd.DataFrame, note: str) -> Figure:
    """Draw signed bars with intervals, one panel a model, on one scale."""
    first = data.drop_duplicates("place")
    names = [drawn(area, AREA_LETTERS) for area in first["area"]]
    figure = Figure(figsize=(10.2, 1.2 + row_height(names, 0.27) * len(first)), layout="constrained")
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    for axes, name, colour in zip(panels, NAMES, (SERIES[0], SERIES[1]), strict=True):
        one = data[data["images"] == name]
        axes.barh(one["place"], one["mean"], color=colour, alpha=0.75, height=0.7)
        axes.hlines(one["place"], one["low"], one["high"], color=INK, linewidth=1.2)
        axes.axvline(0.0, color=INK, linewidth=0.8)
        axes.set_title(name)
        axes.set_xlabel("mean sum of relevance (logit units)")
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
    panels[0].set_ylim(len(first) - 0.4, -0.6)
    panels[0].set_yticks(first["place"], names)
    write_shares(panels[1], first)
    add_note(figure, note)
    return figure


def _paper_note(atlas: str, shown: int) -> str:
    return (
        f"As in the paper, atlas {atlas}: the {shown} areas with the largest signed sum of both models, descending, "
        "so areas of strong negative relevance are never selected; means over the patients that each model "
        "classifies correctly, of the paper's metric (see Figure 4). Both axes run from 0 to 1.1 times the right "
        "panel's largest bar: bars below 0 are not visible, longer ones on the left are cut off. For research only."
    )


def _note(atlas: str, data: pd.DataFrame, arms: tuple[str, str], correction: float) -> str:
    patients = int(data["patients"].iloc[0])
    return (
        f"All {data['place'].nunique()} seen areas of atlas {atlas}, from the largest total of both models to the "
        f"smallest: relevance summed over an area's seen voxels, mean of the same {patients} held-out patients, "
        f"whether correctly classified or not, with arm {arms[0]} (left) and arm {arms[1]} (right). Lines: 95 % "
        f"intervals over patients.{widened_words(correction)} One scale; bars keep their sign. The two models differ "
        "in their training, so the lesions are not the only cause of a difference. Right: the seen share of areas "
        "that are only partly seen. For research only."
    )
