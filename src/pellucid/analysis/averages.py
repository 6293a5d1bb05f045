"""The mean of many maps, one map in memory at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pellucid.ground.arrays import Float32Array, Float64Array
from pellucid.ground.errors import InputError
from pellucid.image.nifti import read_volume


class Average(NamedTuple):
    """A mean map, (X, Y, Z), and the number of people behind it."""

    values: Float32Array
    number: int


class Part(NamedTuple):
    """A map, (X, Y, Z), of a group; its share of its person's maps, and what it is multiplied by."""

    group: str
    values: npt.ArrayLike
    share: float = 1.0
    scale: float = 1.0


class PersonMap(NamedTuple):
    """A map on disk: its group, whose it is, the networks it comes from, and its file."""

    group: str
    participant: str
    networks: str
    path: Path


def average_people(maps: Sequence[PersonMap], *, one_scale: bool = True) -> dict[str, Average]:
    """Return the mean map of each group over people: their visits share their weight (`group_means`).

    Maps of several networks are brought to one scale before (`network_scales`), or taken as they are.
    """
    visits = Counter(one.participant for one in maps)
    shares = [1.0 / visits[one.participant] for one in maps]
    scales = [1.0] * len(maps)
    if one_scale and is_of_several([one.networks for one in maps]):
        gross = [float(np.abs(read_volume(one.path).data, dtype=np.float64).sum()) for one in maps]
        scales = network_scales(gross, [one.networks for one in maps], shares)
    weighted = zip(maps, shares, scales, strict=True)
    return group_means(Part(one.group, read_volume(one.path).data, share, scale) for one, share, scale in weighted)


def is_of_several(networks: Iterable[str]) -> bool:
    """Tell whether maps come from several networks, or sets of networks, whose relevance may differ in scale."""
    return len(set(networks)) > 1


ONE_SCALE = "each map divided by the mean gross relevance of its networks' maps, times the mean of those"
"""What `network_scales` does, for sidecars and captions."""


def group_means(maps: Iterable[Part]) -> dict[str, Average]:
    """Average the maps of each group voxel by voxel: sum_n share_n scale_n R_n / sum_n share_n.

    A person of two scans has two maps of a half share each, so that people count alike; no scaling per subject is done
    (Eitel 2019, Figure 3), unless `scale` brings networks to one scale (`network_scales`). Maps may come from a
    generator, so that a cohort never stands in memory at once; sums are float64.

    Raises
    ------
    InputError
        If two maps differ in shape.
    """
    sums: dict[str, Float64Array] = {}
    people: dict[str, float] = {}
    shape: tuple[int, ...] | None = None
    for group, values, share, scale in maps:
        one = np.asarray(values)
        shape = shape or one.shape
        if one.shape != shape:
            raise InputError("maps", f"a map of {group} has shape {one.shape}, not {shape}", "Resample all to one grid")
        sums[group] = sums.get(group, 0.0) + share * scale * one.astype(np.float64)
        people[group] = people.get(group, 0.0) + share
    return {
        group: Average((total / people[group]).astype(np.float32), round(people[group]))
        for group, total in sums.items()
    }


def network_scales(gross: Sequence[float], networks: Sequence[str], shares: Sequence[float]) -> list[float]:
    """Return for each map what brings its networks to the scale of all: G / g_k.

    g_k is the mean gross relevance (sum of |R| over voxels) of the maps of the networks k, each by its share of its
    person, and G the plain mean of all g_k, so that means stay in logit units. Of several networks, one whose weights
    are larger would otherwise be most of the average. Of one network, and of maps without relevance, it is 1.

    Parameters
    ----------
    gross, networks, shares
        Of each map: its gross relevance, the networks that it comes from, and its share (`Part`).
    """
    size, share = np.asarray(gross, dtype=np.float64), np.asarray(shares, dtype=np.float64)
    names = np.asarray(networks, dtype=object)
    mean = {str(name): float(np.average(size[names == name], weights=share[names == name])) for name in set(networks)}
    middle = float(np.mean(list(mean.values()))) if mean else 1.0
    return [middle / mean[name] if mean[name] > 0 else 1.0 for name in networks]


def mean_map(maps: Iterable[npt.ArrayLike]) -> Float32Array:
    """Average maps voxel by voxel; of lesion masks this is a lesion probability map.

    Leave missing masks out: a missing mask is no empty one.

    Raises
    ------
    InputError
        If there is no map, or two maps differ in shape.
    """
    means = group_means(Part("all", values) for values in maps)
    if not means:
        raise InputError("maps", "there is no map to average", "Give at least one")
    return means["all"].values
