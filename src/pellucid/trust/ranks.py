"""How well a map's order of voxels finds a mask: measures that no monotone change of the map moves."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class RankMeasures(NamedTuple):
    """Average precision, precision at k = voxels of the mask, and area under the ROC curve, each in 0-1."""

    average_precision: float
    precision_at_k: float
    auroc: float


def rank_measures(values: npt.ArrayLike, inside: npt.ArrayLike) -> RankMeasures:
    """Measure how far voxels of a mask have greater values than the others.

    With the distinct values v_1 > v_2 > ... as thresholds, TP_i voxels of the mask and N_i voxels of either kind at or
    above v_i, and P voxels in the mask:

    - average_precision = sum over i of (TP_i - TP_(i-1)) / P x TP_i / N_i: step-wise, without interpolation, which
      would be optimistic. A map that knows nothing has P / voxels.
    - precision_at_k = the expected share of the mask among the k = P voxels of greatest value; where the last of them
      tie with others, each of the tied has the same chance to be among them. Order in memory decides nothing.
    - auroc = the share of pairs of a voxel of the mask and another in which the first has the greater value; ties count
      a half. A map that knows nothing has 0.5; where masks are small, it flatters.

    Parameters
    ----------
    values
        The map's values, (n,), finite.
    inside
        Which voxels the mask holds, (n,), bool; some and not all.

    Source: Arras 2022 (relevance rank accuracy, with ties by expectation); average precision as in scikit-learn.
    """
    order = np.argsort(np.asarray(values))[::-1]
    value, hit = np.asarray(values)[order], np.asarray(inside, dtype=bool)[order]
    last = np.append(np.flatnonzero(value[1:] != value[:-1]), value.size - 1)  # of each run of equal values
    number, found = last + 1, np.cumsum(hit)[last]
    tied, hits = np.diff(number, prepend=0), np.diff(found, prepend=0)
    k, others = int(found[-1]), value.size - int(found[-1])
    precision = float((hits * (found / number)).sum()) / k
    cut = int(np.searchsorted(number, k))  # the run that holds the k-th voxel
    places = k - int(number[cut] - tied[cut])
    at_k = (int(found[cut] - hits[cut]) + places * float(hits[cut] / tied[cut])) / k
    below = others - (number - found) + (tied - hits) / 2.0
    return RankMeasures(precision, float(at_k), float((hits * below).sum()) / k / others)
