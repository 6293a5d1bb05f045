"""Relevance and lesions per atlas area, how much of each the network can see, and whether groups differ there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.analysis.bootstrap import RESAMPLES
from pellucid.analysis.means import by_participant, mean_intervals, networks_by_participant
from pellucid.analysis.permutation import PERMUTATIONS, chance
from pellucid.ground.arrays import AnyArray, Int64Array, ObjectArray
from pellucid.ground.errors import InputError


def regional_relevance(
    values: npt.ArrayLike, labels: npt.ArrayLike, regions: pd.DataFrame, seen: npt.ArrayLike
) -> pd.DataFrame:
    """Sum a relevance map over the areas of an atlas, within the field of view.

    sum = sum of R over the area's seen voxels; mean = sum / seen voxels. Left and right, and whatever else shares an
    area's name, are pooled voxel by voxel. paper = mean over the area's labels of (sum of R over the label's seen
    voxels / voxels of the whole map), what the paper's code calls the sum: an area of four labels weighs a quarter of
    its relevance (Eitel 2019, Figure 4).

    Parameters
    ----------
    values
        The map, (X, Y, Z).
    labels
        The atlas on the same grid, integers, 0 = no area.
    regions
        The atlas's table with columns `index` (a label) and `area` (the merged area's name).
    seen
        The field of view, bool, same shape.

    Returns
    -------
    One row an area, in the table's order: area, voxels, seen_voxels, seen_share, sum, mean, paper. No area is dropped:
    one without a seen voxel has sum, mean and paper missing, and one without any voxel on this grid seen_share too.

    Raises
    ------
    InputError
        If shapes differ, the labels are no integers, or the atlas holds a label that the table does not name.
    """
    R, view = np.asarray(values, dtype=np.float64), np.asarray(seen, dtype=bool)
    areas, area_of, label = _areas(labels, regions, {"map": R.shape, "field of view": view.shape})
    inside = label != 0
    code, relevance, visible = area_of[label[inside]], R[inside], view[inside]
    voxels = np.bincount(code, minlength=len(areas))
    seen_voxels = np.bincount(code, weights=visible, minlength=len(areas)).astype(int)
    # deviates: the paper's "sum" is a mean over the whole volume, and over an area's labels; it is kept as `paper`.
    # bincount of nothing is an integer array even with weights
    total = np.bincount(code[visible], weights=relevance[visible], minlength=len(areas)).astype(np.float64)
    of_label = np.bincount(label[inside], weights=relevance * visible, minlength=area_of.size).astype(np.float64)
    members = regions["index"].to_numpy()
    number = np.bincount(area_of[members], minlength=len(areas))
    paper = np.bincount(area_of[members], weights=of_label[members], minlength=len(areas)) / number / R.size
    total[seen_voxels == 0] = paper[seen_voxels == 0] = np.nan
    with np.errstate(invalid="ignore"):
        seen_share, mean = seen_voxels / voxels, total / seen_voxels
    return pd.DataFrame(
        {
            "area": areas,
            "voxels": voxels,
            "seen_voxels": seen_voxels,
            "seen_share": seen_share,
            "sum": total,
            "mean": mean,
            "paper": paper,
        }
    )


def regional_lesions(lesions: npt.ArrayLike, labels: npt.ArrayLike, regions: pd.DataFrame) -> pd.DataFrame:
    """Count the voxels of a lesion mask in the areas of an atlas: one row an area, area, voxels, lesion_voxels.

    Parameters
    ----------
    lesions
        The mask, (X, Y, Z), bool.
    labels, regions
        As for `regional_relevance`; it raises the same.
    """
    L = np.asarray(lesions, dtype=bool)
    areas, area_of, label = _areas(labels, regions, {"mask": L.shape})
    inside = label != 0
    code = area_of[label[inside]]
    counts = np.bincount(code[L[inside]], minlength=len(areas))
    return pd.DataFrame(
        {"area": areas, "voxels": np.bincount(code, minlength=len(areas)), "lesion_voxels": counts.astype(int)}
    )


def compare_groups(
    table: pd.DataFrame,
    positive: str,
    *,
    column: str = "sum",
    resamples: int = PERMUTATIONS,
    correction: float = 1.0,
    seed: int,
) -> pd.DataFrame:
    """Test of every area whether relevance differs between two groups, by permutation of who belongs to which.

    difference = mean over patients - mean over controls of the area's value, one a participant (the mean of its scans).
    p is two-sided. Sums follow the logit: if the network tells the groups apart, they differ wherever relevance is, and
    a test of them does not say where the evidence lies.

    Parameters
    ----------
    table
        Rows of `regional_relevance` of one model and atlas, with participant_id and group.
    positive
        The patients' group.
    column
        What to compare: `sum`, or another column with a number an area.
    resamples, seed
        Number and seed of the permutations; few participants are permuted in every way there is.
    correction
        By how much differences are too large for p, where maps come of models that the others' participants trained
        (`crossed.correction`).

    Returns
    -------
    One row an area, in the table's order: area, difference, p, p_from (how p came about, `permutation.Chance`);
    missing where the area is not seen, and all of them
    where a group has fewer than two participants.
    """
    sums = table.pivot_table(column, ["participant_id", "group"], "area", aggfunc="mean", dropna=False, sort=False)
    sums = sums[sums.notna().any(axis=1)][pd.unique(table["area"])]
    patient = sums.index.get_level_values("group") == positive
    result = pd.DataFrame({"area": sums.columns, "difference": np.nan, "p": np.nan, "p_from": None})
    tested = sums.notna().all().to_numpy()
    if min(patient.sum(), (~patient).sum()) < 2 or not tested.any():
        return result
    one, other = (sums.loc[who, sums.columns[tested]].to_numpy() for who in (patient, ~patient))
    found = chance(
        (one, other),
        lambda a, b, axis: a.mean(axis=axis) - b.mean(axis=axis),
        kind="independent",
        alternative="two-sided",
        factor=correction,
        permutations=resamples,
        seed=seed,
    )
    result.loc[tested, "difference"] = found.observed
    result.loc[tested, "p"] = found.p
    result.loc[tested, "p_from"] = found.how
    return result


def region_means(
    table: pd.DataFrame, groups: Sequence[str], *, draws: int = RESAMPLES, correction: float = 1.0, seed: int
) -> pd.DataFrame:
    """Average one model's relevance by area over the people of each group.

    A person of several scans counts once, with their mean. `strength` is the sum over people of |sum|, by which areas
    are chosen for a figure (Eitel 2019, Figure 4).

    Parameters
    ----------
    table
        Rows of `regional_relevance` of one model and atlas, with participant_id, group and networks.
    groups
        Whose means, in the order of the columns.
    draws, correction, seed
        As `mean_intervals` takes them.

    Returns
    -------
    One row an area, in the table's order: area, voxels, seen_share, strength, and of each group sum_GROUP and
    mean_GROUP, the means over people of the sum and of the mean per seen voxel, and low_GROUP and high_GROUP, the
    95 % interval of sum_GROUP over people and the networks that they share.
    """
    by_area = table.groupby("area", sort=False)
    result = by_area[["voxels", "seen_share"]].first()
    people = table.groupby(["participant_id", "group", "area"], sort=False)[["sum", "mean"]].mean().reset_index()
    result["strength"] = people.groupby("area", sort=False)["sum"].agg(lambda sums: sums.abs().sum(min_count=1))
    for group in groups:
        means = people[people["group"] == group].groupby("area", sort=False)[["sum", "mean"]].mean()
        result[f"sum_{group}"] = means["sum"]
        ends = sum_intervals(table[table["group"] == group], draws=draws, correction=correction, seed=seed)
        result[f"low_{group}"], result[f"high_{group}"] = ends["low"], ends["high"]
        result[f"mean_{group}"] = means["mean"]
    return result.reset_index()


def sum_intervals(rows: pd.DataFrame, *, draws: int, correction: float, seed: int) -> pd.DataFrame:
    """Return the 95 % interval of the mean over people of each area's sum: low and high, by area (`mean_intervals`).

    `rows` are one group's, as for `region_means`.
    """
    wide = by_participant(rows, "sum")
    networks = networks_by_participant(rows, wide.index)
    low, high = mean_intervals(wide, networks, resamples=draws, correction=correction, seed=seed)
    return pd.DataFrame({"low": low, "high": high}, index=wide.columns)


def compare_images(
    as_they_are: pd.DataFrame, filled: pd.DataFrame, *, draws: int = RESAMPLES, correction: float = 1.0, seed: int
) -> pd.DataFrame:
    """Average two models' relevance by area over the people who have a map of both (Eitel 2019, Figure 6).

    Parameters
    ----------
    as_they_are, filled
        Rows of `regional_relevance` of one atlas and group, with participant_id and networks: of the model of scans as
        they are, and of that of lesion-filled ones.
    draws, correction, seed
        As for `region_means`; both models share their draws.

    Returns
    -------
    One row an area that both see: area, seen_share, people, and of each model `mean` (of the sums), low and high (its
    95 % interval), as they are, and with `_filled` for lesion-filled ones. Without anybody who has both, no row.
    """
    common = set(as_they_are["participant_id"]) & set(filled["participant_id"])
    result = as_they_are.groupby("area", sort=False)[["seen_share"]].first()
    result["people"] = len(common)
    for ending, rows in (("", as_they_are), ("_filled", filled)):
        own = rows[rows["participant_id"].isin(common)]
        means = by_participant(own, "sum").mean()
        ends = sum_intervals(own, draws=draws, correction=correction, seed=seed)
        result = result.assign(**{f"mean{ending}": means, f"low{ending}": ends["low"], f"high{ending}": ends["high"]})
    return result.dropna(subset=["mean", "mean_filled"]).reset_index()


def _areas(
    labels: npt.ArrayLike, regions: pd.DataFrame, shapes: dict[str, tuple[int, ...]]
) -> tuple[ObjectArray, Int64Array, AnyArray]:
    """Return the areas' names, the place of each label's area among them, and the labels, all checked."""
    label = np.asarray(labels)
    if any(shape != label.shape for shape in shapes.values()):
        listed = ", ".join(f"{name} {shape}" for name, shape in (shapes | {"labels": label.shape}).items())
        raise InputError("atlas", f"shapes differ: {listed}", "Resample the atlas onto the map's grid")
    if not np.issubdtype(label.dtype, np.integer):
        raise InputError("atlas", f"labels are {label.dtype}, not integers", "Resample labels by nearest neighbour")
    unnamed = np.setdiff1d(np.unique(label), [0, *regions["index"]])
    if unnamed.size:
        listed = ", ".join(map(str, unnamed[:10]))
        raise InputError("atlas", f"labels without a row in the table: {listed}", "Complete the atlas's table")
    areas = np.asarray(pd.unique(regions["area"]), dtype=object)
    area_of = np.full(max(int(regions["index"].max()), 0) + 1, -1)
    area_of[regions["index"].to_numpy()] = pd.Categorical(regions["area"], categories=areas).codes
    area_of[0] = -1
    return areas, area_of, label
