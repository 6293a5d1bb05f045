"""How much relevance lies in places of known truth, and how much would by their volume alone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.ground.errors import InputError

_NAN = float("nan")


def relevance_in_places(
    values: npt.ArrayLike, places: Mapping[str, npt.ArrayLike], brain: npt.ArrayLike, seen: npt.ArrayLike
) -> pd.DataFrame:
    """Measure a map R in soft places w, within B = brain and field of view: one row a place.

    | column | formula, sums over B |
    | --- | --- |
    | seen_share | sum of w in B / sum of w in the brain |
    | mean | sum of R w / sum of w: signed, in logit units a voxel |
    | positive_share | sum of max(R, 0) w / sum of max(R, 0) |
    | volume_share | sum of w / voxels of B |
    | lift | positive_share / volume_share |

    What cannot be measured is missing: a place that is not seen, and of a map without positive relevance, or with the
    same value everywhere in B, its share and lift.

    Parameters
    ----------
    values
        The map, (X, Y, Z).
    places
        Weights of each place, 0 or more, on the same grid; their scale does not matter.
    brain, seen
        The brain mask and the field of view, bool, same shape.

    Returns
    -------
    Columns place, seen_share, mean, positive_share, volume_share, lift, in the order of `places`.

    Raises
    ------
    InputError
        If shapes differ, a weight is negative or not finite, or the map or its sum is not finite.
    """
    R = np.asarray(values, dtype=np.float64)
    inside = np.asarray(brain, dtype=bool)
    B = inside & np.asarray(seen, dtype=bool)
    relevance = R[B]
    positive = relevance.clip(min=0.0)
    whole = float(positive.sum()) if relevance.size and relevance.min() < relevance.max() else 0.0
    if not np.isfinite(R).all() or not np.isfinite(whole):
        raise InputError("relevance map", "a voxel, or its sum, is not finite", "Explain the participant again")
    rows = []
    for name, weights in places.items():
        w = np.asarray(weights, dtype=np.float64)
        if not w.shape == R.shape == B.shape:
            raise InputError(name, f"its shape {w.shape} is not the map's {R.shape}", "Resample it onto the map's grid")
        if not np.isfinite(w).all() or w.min() < 0:
            raise InputError(name, "a weight is negative or not finite", "Give probabilities")
        w = w / w.max() if w.max() > 0 else w
        weight = w[B]
        there = float(weight.sum())
        row = {"place": name, "seen_share": _ratio(there, float(w[inside].sum())), "mean": _NAN}
        row |= {"positive_share": _NAN, "volume_share": _NAN, "lift": _NAN}
        if there > 0:
            row["mean"] = float((relevance * weight).sum()) / there
            share, volume = _ratio(float((positive * weight).sum()), whole), there / relevance.size
            row |= {"positive_share": share, "volume_share": volume, "lift": share / volume}
        rows.append(row)
    return pd.DataFrame(rows, columns=["place", "seen_share", "mean", "positive_share", "volume_share", "lift"])


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else _NAN
