"""Features of scans, and how they are read from a store: which scans are left out, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pellucid.cohort.store import Store
from pellucid.ground.arrays import Float64Array, FloatArray, ObjectArray
from pellucid.ground.errors import InputError

VOXELS = ["voxels"]
"""The name of images as features."""


@dataclass(frozen=True, eq=False, slots=True)
class Features:
    """The features of all scans of a store.

    Parameters
    ----------
    x
        (N, p); NaN where a value is missing, or not asked for. Memory-mapped for images.
    names
        One name a column; `VOXELS` for images.
    reasons
        (N,) why a scan cannot be used; empty text where it can.
    """

    x: FloatArray
    names: list[str]
    reasons: ObjectArray


def numbers(store: Store, name: str) -> Float64Array:
    """Return a column of the store's table as numbers, NaN where missing or infinite.

    Raises
    ------
    InputError
        There is no such column.
    """
    found = pd.to_numeric(column(store, name)).to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isfinite(found), found, np.nan)


def column(store: Store, name: str) -> Any:
    """Return a column of the store's table; InputError if there is none."""
    if name not in store.table:
        raise InputError(store.folder, f"the table has no column {name!r}", "Build the store again")
    return store.table[name]


def no_reasons(store: Store) -> ObjectArray:
    """Return empty texts: everybody's scans can be used."""
    return np.full(len(store), "", dtype=object)
