"""A label map and the names of its labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.errors import InputError
from pellucid.files import read_tsv
from pellucid.image.grid import Grid
from pellucid.image.nifti import read_volume
from pellucid.image.resample import resample_labels

_COLUMNS = ("index", "name", "area")


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
    """

    labels: npt.NDArray[np.int32]
    grid: Grid
    regions: pd.DataFrame

    def on(self, grid: Grid) -> Atlas:
        """Return the atlas on another grid, by the nearest voxel."""
        return Atlas(resample_labels(self.labels, self.grid, grid), grid, self.regions)


def read_atlas(nifti: str | Path, table: str | Path) -> Atlas:
    """Read a label map and its table, a TSV or CSV with columns `index`, `name` and, if areas are merged, `area`.

    Raises
    ------
    InputError
        A file cannot be read, a voxel is no whole number from 0 up, the table lacks a column, names a label twice, or
        leaves one out that the map holds.
    """
    table = Path(table)
    volume = read_volume(nifti)
    labels = volume.data.astype(np.int32)
    if (labels != volume.data).any() or labels.min() < 0:
        what = "the atlas holds voxels that are not whole numbers from 0 up"
        raise InputError(nifti, what, "Give a label map, one label a voxel; a probabilistic atlas is none")
    regions = _read_regions(table)
    unnamed = np.setdiff1d(np.unique(labels), [0, *regions["index"]])
    if unnamed.size:
        what = f"the table names {unnamed.size} labels of {nifti} not at all: {', '.join(map(str, unnamed[:10]))}"
        raise InputError(table, what, "Add a row for each")
    return Atlas(labels, volume.grid, regions)


def _read_regions(path: Path) -> pd.DataFrame:
    """Read the table of an atlas: columns index, name, area."""
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
        raise InputError(path, what, "Name its columns index, name and, where wanted, area")
    if "area" not in regions:
        regions = regions.assign(area=regions["name"])
    regions = regions.loc[:, list(_COLUMNS)]
    if regions.isna().to_numpy().any() or not pd.api.types.is_integer_dtype(regions["index"]):
        what = "a row of the atlas table lacks its name, or an index is no whole number"
        raise InputError(path, what, "Complete the table")
    twice = regions.loc[regions["index"].duplicated(), "index"]
    if len(twice):
        what = f"the atlas table names labels twice: {', '.join(map(str, twice.head(10)))}"
        raise InputError(path, what, "Keep one row a label")
    return regions.astype({"name": str, "area": str})
