"""A label map and the names of its labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from pellucid.atlas.sides import sided_labels
from pellucid.ground.arrays import Int32Array
from pellucid.ground.errors import InputError
from pellucid.ground.files import read_tsv
from pellucid.image.grid import Grid
from pellucid.image.header import NotOneVolumeError
from pellucid.image.nifti import read_volume
from pellucid.image.resample import resample_labels

Merge = Literal["revised", "paper"]
"""Which areas the labels are merged to: ours, or those of Eitel 2019."""

_COLUMNS = ("index", "name", "area")

# The MNI152NLin6Asym brain mask reaches from (-70, -106, -71) to (72, 73, 81) mm; a little is added.
_BRAIN_BOX = ((-75.0, -110.0, -75.0), (75.0, 78.0, 85.0))
_INSIDE = 0.97  # of the labelled voxels; fifteen MNI atlases that were tried have all of them inside


class Dropped(NamedTuple):
    """A label that a merge leaves out, and how many voxels it has on the grid of the atlas's file."""

    label: int
    name: str
    voxels: int


@dataclass(frozen=True, slots=True, eq=False)
class Atlas:
    """A label map in MNI space.

    Parameters
    ----------
    labels
        One label a voxel (X, Y, Z), int32; 0 is no region.
    grid
        Where the voxels are.
    regions
        One row a label: `index`, its `name`, and the `area` that it belongs to once left and right are merged.
    dropped
        The labels that the merge leaves out of `regions` and of `labels`, where they are 0.
    """

    labels: Int32Array
    grid: Grid
    regions: pd.DataFrame
    dropped: tuple[Dropped, ...] = ()

    def on(self, grid: Grid) -> Atlas:
        """Return the atlas on another grid, by the nearest voxel."""
        return replace(self, labels=resample_labels(self.labels, self.grid, grid), grid=grid)


def read_atlas(nifti: str | Path, table: str | Path) -> Atlas:
    """Read a label map and its table, a TSV or CSV with columns `index`, `name` and, if areas are merged, `area`.

    A row of index 0, the background, is passed over.

    Raises
    ------
    InputError
        A file cannot be read, the image is no map of whole numbers from 0 up or lies elsewhere than the MNI brain, most
        labels named right or left lie on the other side, or the table lacks a column, a name or an area, names a label
        twice or leaves one out that the map holds.
    """
    labels, grid = read_label_map(nifti)
    return check_atlas(Atlas(labels, grid, read_regions(table)), nifti, table)


def read_label_map(nifti: str | Path) -> tuple[Int32Array, Grid]:
    """Read a label map (X, Y, Z) and its grid; raise InputError where a voxel is no whole number from 0 up."""
    fix = "Give a label map with one label per voxel, not a probabilistic atlas"
    try:
        volume = read_volume(nifti)
    except NotOneVolumeError as error:  # a series of probabilities is not to be split, as a series of scans is
        raise InputError(error.where, error.what, fix) from None
    labels = volume.data.astype(np.int32)
    if (labels != volume.data).any() or labels.min() < 0:
        raise InputError(nifti, "the atlas holds voxels that are not whole numbers from 0 up", fix)
    return labels, volume.grid


def check_atlas(atlas: Atlas, nifti: str | Path, table: str | Path) -> Atlas:
    """Return `atlas` if its labels are named, in the MNI brain, and left and right as their names say.

    Raises
    ------
    InputError
        They are not; the error names `nifti` or `table`, whichever is at fault.
    """
    unnamed = np.setdiff1d(np.unique(atlas.labels), [0, *atlas.regions["index"]])
    if unnamed.size:
        what = f"the table does not contain {unnamed.size} labels of {nifti}: {', '.join(map(str, unnamed[:10]))}"
        raise InputError(table, what, "Add a row for each")
    xyz = atlas.grid.world(np.argwhere(atlas.labels))
    inside = float(((xyz >= _BRAIN_BOX[0]) & (xyz <= _BRAIN_BOX[1])).all(axis=1).mean())
    if inside < _INSIDE:
        centre = ", ".join(f"{mm:.0f}" for mm in xyz.mean(axis=0))
        what = f"only {inside:.0%} of its labelled voxels lie where the MNI brain does; their centre is ({centre}) mm"
        raise InputError(nifti, what, "Give an atlas in MNI152 space, or register it to the MNI152 template first")
    sided, wrong = sided_labels(atlas.labels, atlas.grid, atlas.regions)
    if 2 * len(wrong) > len(sided):
        raise mirrored(nifti, len(sided), wrong)
    return atlas


def mirrored(nifti: str | Path, sided: int, wrong: Sequence[tuple[str, float]]) -> InputError:
    """Return the error for a map with `wrong` among its `sided` labels named right or left."""
    name, x = wrong[0]
    what = (
        f"left and right are not where the names say: {len(wrong)} of {sided} labels named right or left lie on the "
        f"other side ({name} at x = {x:.0f} mm; right is positive)"
    )
    return InputError(
        nifti, what, "Take the atlas from another source; the header of this copy, or its table, is wrong"
    )


def no_paper_areas(where: str | Path) -> InputError:
    """Return the error for an atlas to which the paper's merge is asked for though the paper did not use it."""
    return InputError(where, "Eitel 2019 has no areas for this atlas", "Leave merge at 'revised'")


def drop_labels(atlas: Atlas) -> Atlas:
    """Return `atlas` without the labels whose area is missing: neither in regions nor in the map, but in `dropped`."""
    regions = atlas.regions
    out = regions["area"].isna()
    dropped = tuple(
        Dropped(int(index), str(name), int(np.count_nonzero(atlas.labels == index)))
        for index, name in zip(regions.loc[out, "index"], regions.loc[out, "name"], strict=True)
    )
    labels = np.where(np.isin(atlas.labels, [one.label for one in dropped]), np.int32(0), atlas.labels)
    return Atlas(labels, atlas.grid, regions[~out].reset_index(drop=True), atlas.dropped + dropped)


def read_regions(path: str | Path) -> pd.DataFrame:
    """Read the table of an atlas: columns index, name, area; raise InputError where it is none."""
    path = Path(path)
    if path.suffix == ".csv":
        try:
            regions = pd.read_csv(path, na_values=["n/a"], keep_default_na=False)
        except FileNotFoundError:
            raise InputError(path, "the file does not exist", "Check the path") from None
        except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
            raise InputError(path, f"the file is not a table ({error})", "Save it as CSV in UTF-8") from None
    else:
        regions = read_tsv(path)
    missing = [name for name in ("index", "name") if name not in regions]
    if missing:
        what = f"the atlas table lacks the columns {', '.join(missing)}; it has {', '.join(map(str, regions))}"
        raise InputError(path, what, "Name its columns index, name and, optionally, area")
    if "area" not in regions:
        regions = regions.assign(area=regions["name"])
    regions = regions.loc[:, list(_COLUMNS)]
    blank = regions.isna() | regions.astype(str).apply(lambda column: column.str.strip() == "")
    if not blank["index"].any() and pd.api.types.is_integer_dtype(regions["index"]):
        regions, blank = regions[regions["index"] != 0], blank[regions["index"] != 0]
    if blank.to_numpy().any() or not pd.api.types.is_integer_dtype(regions["index"]) or (regions["index"] < 0).any():
        what = "a row of the atlas table lacks its name or area, or an index is not a whole number from 0 up"
        raise InputError(path, what, "Complete the table; without a column `area` every label is its own")
    twice = regions.loc[regions["index"].duplicated(), "index"]
    if len(twice):
        what = f"the atlas table names labels twice: {', '.join(map(str, twice.head(10)))}"
        raise InputError(path, what, "Keep one row per label")
    return regions.astype({"name": str, "area": str}).reset_index(drop=True)
