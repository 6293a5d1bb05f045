"""The plain mean of many maps, one map in memory at a time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pellucid.errors import InputError


class Average(NamedTuple):
    """A mean map, (X, Y, Z), and the number of maps behind it."""

    values: npt.NDArray[np.float32]
    number: int


def group_means(maps: Iterable[tuple[str, npt.ArrayLike]]) -> dict[str, Average]:
    """Average the maps of each group voxel by voxel, sum_n R_n / N, no scaling per subject (Eitel 2019, Figure 3).

    The (group, map) pairs may come from a generator, so that a cohort never stands in memory at once; sums are float64.

    Raises
    ------
    InputError
        If two maps differ in shape.
    """
    sums: dict[str, npt.NDArray[np.float64]] = {}
    numbers: dict[str, int] = {}
    shape: tuple[int, ...] | None = None
    for group, values in maps:
        one = np.asarray(values)
        shape = shape or one.shape
        if one.shape != shape:
            raise InputError("maps", f"a map of {group} has shape {one.shape}, not {shape}", "Bring all to one grid")
        sums[group] = sums.get(group, 0.0) + one.astype(np.float64)
        numbers[group] = numbers.get(group, 0) + 1
    return {
        group: Average((total / numbers[group]).astype(np.float32), numbers[group]) for group, total in sums.items()
    }


def mean_map(maps: Iterable[npt.ArrayLike]) -> npt.NDArray[np.float32]:
    """Average maps voxel by voxel; of lesion masks this is a lesion probability map.

    Leave missing masks out: a missing mask is no empty one.

    Raises
    ------
    InputError
        If there is no map, or two maps differ in shape.
    """
    means = group_means(("all", values) for values in maps)
    if not means:
        raise InputError("maps", "there is no map to average", "Give at least one")
    return means["all"].values
