"""What a baseline is fitted to: which scans, which features, and which scans are left out, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pellucid.cohort.store import Store
from pellucid.ground.arrays import Float64Array, FloatArray, IndexArray, ObjectArray
from pellucid.ground.errors import InputError
from pellucid.training.baselines import bright
from pellucid.training.baselines.settings import BaselineSettings, Confound

VOXELS = ["voxels"]
"""The name of images as features."""

_SEX = {"F": 0.0, "M": 1.0}


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


def features_of(store: Store, settings: BaselineSettings, rows: IndexArray) -> Features:
    """Return the features that a baseline uses; only those of `rows` are read or counted.

    Raises
    ------
    InputError
        The store's table lacks a column that is needed, or holds another sex than F and M; or the store's scaling cuts
        off the voxels that are to be counted.
    """
    if settings.kind == "svm-image":
        return Features(store.images.reshape(len(store), -1), VOXELS, _reasons(store))
    if settings.kind == "logistic-confounds":
        return _confounds(store, settings, rows)
    if settings.kind == "bright-voxels":
        return Features(_bright_voxels(store, rows), bright.names(), _reasons(store))
    if settings.protocol == "paper":
        return Features(_voxel_counts(store, settings.seed, rows), ["lesion_voxels"], _reasons(store))
    load = _numbers(store, "lesion_volume_ml")
    reasons = _reasons(store)
    # deviates: the paper's code took a mask of random numbers for one that was missing.
    reasons[np.isnan(load)] = "no lesion mask, and no lesion volume stated"
    return Features(load[:, None], ["lesion_volume_ml"], reasons)


def _confounds(store: Store, settings: BaselineSettings, rows: IndexArray) -> Features:
    """Return the confounds that are asked for."""
    values = np.column_stack([_confound(store, name, rows) for name in settings.confounds])
    reasons = _reasons(store)
    if settings.missing == "exclude":
        for n in np.flatnonzero(np.isnan(values).any(axis=1)):
            absent = [name for name, value in zip(settings.confounds, values[n], strict=True) if np.isnan(value)]
            reasons[n] = f"{', '.join(absent)} missing"
    return Features(values, list(settings.confounds), reasons)


def _confound(store: Store, name: Confound, rows: IndexArray) -> Float64Array:
    """Return one confound: (N,)."""
    if name == "brightness":
        return _numbers(store, f"brightness_{store.scaling}")
    if name == "brain_volume_ml":
        volume = np.full(len(store), np.nan)
        for n in rows:
            volume[n] = np.count_nonzero(store.brain[n]) * store.grid.voxel_volume_ml
        return volume
    if name == "age":
        return _numbers(store, "age")
    sex = _column(store, "sex")
    unknown = sorted(set(sex.dropna().astype(str)) - set(_SEX))
    if unknown:
        raise InputError(store.folder, f"the sex {unknown[0]!r} is unknown", "Write F, M or n/a")
    coded: Float64Array = sex.map(_SEX).to_numpy(dtype=np.float64, na_value=np.nan)
    return coded


def _voxel_counts(store: Store, seed: int, rows: IndexArray) -> Float64Array:
    """Return the sums of the paper's masks (N, 1): lesion voxels on the store's grid, uniform noise for no mask.

    The code filled the slot of a missing mask with uniform random numbers, some half of all voxels in sum
    (docs/original.md, 2.3).
    """
    counts = np.full((len(store), 1), np.nan)
    for n in rows:
        mask = store.lesions(int(n))
        noise = np.random.default_rng([seed, int(n)])
        counts[n] = noise.random(store.grid.shape).sum() if mask is None else np.count_nonzero(mask)
    return counts


def _bright_voxels(store: Store, rows: IndexArray) -> Float64Array:
    """Return the log share of voxels above each threshold of `bright`: (N, thresholds)."""
    if store.scaling not in bright.SCALINGS:
        what = f"the scaling {store.scaling!r} cuts off the brightest voxels"
        raise InputError(store.folder, what, f"Give the baseline one of the scalings {', '.join(bright.SCALINGS)}")
    shares = np.full((len(store), len(bright.THRESHOLDS)), np.nan)
    for n in rows:
        shares[n] = bright.bright_voxels(store.images[n], store.brain[n])
    return shares


def _numbers(store: Store, name: str) -> Float64Array:
    """Return a column of the store's table as numbers, NaN where missing or infinite."""
    numbers = pd.to_numeric(_column(store, name)).to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _column(store: Store, name: str) -> Any:
    """Return a column of the store's table."""
    if name not in store.table:
        raise InputError(store.folder, f"the table has no column {name!r}", "Build the store again")
    return store.table[name]


def _reasons(store: Store) -> ObjectArray:
    """Return a reason for nobody."""
    return np.full(len(store), "", dtype=object)
