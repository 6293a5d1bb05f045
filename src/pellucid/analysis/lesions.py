"""How much relevance lies inside lesions, and how much would by their volume alone."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.analysis.bootstrap import RESAMPLES, interval, resample
from pellucid.errors import InputError

Bools = npt.NDArray[np.bool_]
_NAN = float("nan")


def lesion_share(
    values: npt.ArrayLike, lesions: npt.ArrayLike | None, brain: npt.ArrayLike, seen: npt.ArrayLike
) -> dict[str, float]:
    """Measure how a map R relates to a lesion mask L, within the seen brain B = brain and field of view.

    | key | formula, sums over B |
    | --- | --- |
    | positive_share | sum of max(R, 0) in L / sum of max(R, 0) |
    | volume_share | voxels of L / voxels of B |
    | lift | positive_share / volume_share |
    | signed_share | sum of R in L / sum of R (any real number, wild where the signed sum is near 0) |
    | absolute_share | sum of abs(R) in L / sum of abs(R) |
    | strongest_in_lesion | share of the voxels of greatest R that lie in L: 1 or 0 unless several tie |
    | lesion_voxels | voxels of L on the whole grid |
    | unseen_lesion_share | share of those outside the field of view |

    A share that cannot be measured is NaN, never 0: no mask, no lesion in B, or (for all but volume_share) no
    relevance to share out. `lesion_voxels` is NaN without a mask and 0 with an empty one. Controls without lesions
    would otherwise count as misses, or as hits.

    Parameters
    ----------
    values
        The map, (X, Y, Z).
    lesions
        The lesion mask on the same grid, or None where there is none.
    brain, seen
        The brain mask and the field of view, bool, same shape.

    Raises
    ------
    InputError
        If the shapes differ or the map is not finite.
    """
    R = np.asarray(values, dtype=np.float64)
    if not np.isfinite(R).all():
        raise InputError("relevance map", "a voxel is not finite", "Explain the subject again")
    inside = _mask(brain, R.shape, "brain") & _mask(seen, R.shape, "field of view")
    names = ("positive_share", "volume_share", "lift", "signed_share", "absolute_share", "strongest_in_lesion")
    result = dict.fromkeys((*names, "lesion_voxels", "unseen_lesion_share"), _NAN)
    if lesions is None:
        return result
    L = _mask(lesions, R.shape, "lesion mask")
    result["lesion_voxels"] = float(L.sum())
    result["unseen_lesion_share"] = _ratio(float((L & ~np.asarray(seen, dtype=bool)).sum()), float(L.sum()))
    in_lesion = L[inside]
    if not in_lesion.any():
        return result
    r = R[inside]
    positive, size = np.maximum(r, 0.0), np.abs(r)
    result["volume_share"] = float(in_lesion.mean())
    result["positive_share"] = _ratio(float(positive[in_lesion].sum()), float(positive.sum()))
    result["lift"] = _ratio(result["positive_share"], result["volume_share"])
    result["signed_share"] = _ratio(float(r[in_lesion].sum()), float(r.sum()))
    result["absolute_share"] = _ratio(float(size[in_lesion].sum()), float(size.sum()))
    if r.max() > 0:
        result["strongest_in_lesion"] = float(in_lesion[r == r.max()].mean())
    return result


def lesion_table(
    maps: Mapping[str, npt.ArrayLike], lesions: npt.ArrayLike | None, brain: npt.ArrayLike, seen: npt.ArrayLike
) -> pd.DataFrame:
    """Measure several maps of one subject against its lesions: one row a map, `map` and the keys of `lesion_share`."""
    return pd.DataFrame([{"map": name, **lesion_share(values, lesions, brain, seen)} for name, values in maps.items()])


def lesion_summary(table: pd.DataFrame, *, resamples: int = RESAMPLES, seed: int) -> pd.DataFrame:
    """Sum up subjects: the median of each measure a map, with a bootstrap interval of the median lift.

    A subject of several scans counts once, with their mean. Subjects without a measured lift are left out and show in
    `subjects` against `without`.

    Parameters
    ----------
    table
        Rows of `lesion_table` for many subjects, one row a scan and map, with participant_id.
    resamples, seed
        Number and seed of the bootstrap draws over subjects.

    Returns
    -------
    One row a map, in order of appearance: map, subjects, without, positive_share, volume_share, lift, low, high
    (medians; interval of the lift), strongest_in_lesion (a mean: the share of subjects).
    """
    medians, rows = ["positive_share", "volume_share", "lift"], []
    for name, scans in table.groupby("map", sort=False):
        every = scans.groupby("participant_id", sort=False)[[*medians, "strongest_in_lesion"]].mean()
        one = every[every["lift"].notna()]
        low, high = _NAN, _NAN
        if len(one) > 0:
            drawn = resample(np.zeros(len(one)), resamples=resamples, seed=seed)
            low, high = interval(np.median(one["lift"].to_numpy()[drawn], axis=1))
        rows.append(
            {
                "map": name,
                "subjects": len(one),
                "without": len(every) - len(one),
                **one[medians].median(),
                "low": low,
                "high": high,
                "strongest_in_lesion": one["strongest_in_lesion"].mean(),
            }
        )
    return pd.DataFrame(rows)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole != 0 and not math.isnan(whole) else _NAN


def _mask(mask: npt.ArrayLike, shape: tuple[int, ...], name: str) -> Bools:
    array = np.asarray(mask)
    if array.shape != shape:
        raise InputError(name, f"its shape {array.shape} is not the map's {shape}", "Resample it onto the map's grid")
    if array.dtype != bool:
        raise InputError(name, f"it holds {array.dtype}, not true and false", "Threshold it first")
    return array
