"""A map measured against lesions, or the reason why it cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.ground.arrays import AnyArray, BoolArray
from pellucid.ground.errors import InputError
from pellucid.trust.lesion_measures import MEASURES, SeenBrain

ABOUT_LESIONS = ("volume_share", "lesion_voxels", "unseen_lesion_share", "reason")
"""What a row of a lesion table says of the lesions, and why nothing of the map was measured."""

_NAN = float("nan")


def lesion_share(
    values: npt.ArrayLike, lesions: npt.ArrayLike | None, brain: npt.ArrayLike, seen: npt.ArrayLike
) -> dict[str, Any]:
    """Measure how a map R finds a lesion mask L, within the seen brain B = brain and field of view.

    | key | formula, within B |
    | --- | --- |
    | NAME, NAME_ceiling | of each registered measure (`lesion_measures`), and its ceiling if it has one |
    | volume_share | voxels of L / voxels of B |
    | lesion_voxels | voxels of L on the whole grid |
    | unseen_lesion_share | share of those outside the field of view |
    | reason | why there is no measure of the map; empty where there are |

    What cannot be measured is NaN, never 0 and never a hit. Of the map nothing is measured where there is no mask, no
    lesion in B or nothing else, where the map has the same value everywhere in B, and where none of it is positive.
    volume_share and ceilings need a lesion in B alone. `lesion_voxels` is NaN without a mask and 0 with an empty
    one.

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
        If the shapes differ, or the map is not finite or too large to be summed.
    """
    R = np.asarray(values)
    R = R if R.dtype in (np.float32, np.float64) else R.astype(np.float64)
    if not np.isfinite(R).all():
        raise InputError("relevance map", "a voxel is not finite", "Explain the participant again")
    inside = _mask(brain, R.shape, "brain") & _mask(seen, R.shape, "field of view")
    result: dict[str, Any] = dict.fromkeys(columns(), _NAN)
    if lesions is None:
        return result | {"reason": "no lesion mask"}
    L = _mask(lesions, R.shape, "lesion mask")
    r, in_lesion = R[inside], L[inside]
    with np.errstate(over="ignore"):
        if not np.isfinite(np.abs(r).sum(dtype=np.float64)):
            raise InputError("relevance map", "its sum overflows", "Divide the map by its largest value")
    drawn, k = int(np.count_nonzero(L)), int(np.count_nonzero(in_lesion))
    result["lesion_voxels"] = float(drawn)
    if drawn:
        result["unseen_lesion_share"] = np.count_nonzero(L & ~np.asarray(seen, dtype=bool)) / drawn
    if k:
        result |= {"volume_share": k / r.size} | _ceilings(r.size, k)
    result["reason"] = _reason(r, k)
    if result["reason"]:
        return result
    of = SeenBrain(relevance=r, lesion=in_lesion)
    return result | {name: float(entry.measure(of)) for name, entry in MEASURES.items()}


def columns() -> list[str]:
    """Return the keys of `lesion_share` in their order: measures, each with its ceiling, then `ABOUT_LESIONS`."""
    return [*summed()[:-1], *ABOUT_LESIONS]


def summed() -> list[str]:
    """Return the columns of a lesion table that are summed up over people."""
    own = [[name, *([f"{name}_ceiling"] if entry.ceiling else [])] for name, entry in MEASURES.items()]
    return [*(name for names in own for name in names), "volume_share"]


def lesion_table(
    maps: Mapping[str, npt.ArrayLike],
    lesions: npt.ArrayLike | None,
    brain: npt.ArrayLike,
    seen: npt.ArrayLike,
    *,
    missing: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Measure several maps of one subject against its lesions: one row a map, `map` and the keys of `lesion_share`.

    `missing` names maps that could not be made, and why: their rows, the last ones, say so and measure nothing.
    """
    rows = [{"map": name, **lesion_share(values, lesions, brain, seen)} for name, values in maps.items()]
    about = {name: value for name, value in rows[0].items() if name not in MEASURES} if rows else {}
    rows += [{**about, "map": name, "reason": why} for name, why in (missing or {}).items()]
    return pd.DataFrame(rows, columns=["map", *columns()])


def _ceilings(voxels: int, lesion: int) -> dict[str, float]:
    """Return the ceiling of each measure that has one in a seen brain of so many voxels, so many of them lesion."""
    known = {name: entry.ceiling for name, entry in MEASURES.items() if entry.ceiling}
    return {f"{name}_ceiling": ceiling(voxels, lesion) for name, ceiling in known.items()}


def _reason(values: AnyArray, lesion_voxels: int) -> str:
    """Say why a map of the seen brain's voxels cannot be measured against so many of lesions; empty if it can."""
    if lesion_voxels == 0:
        return "no lesion in the seen brain"
    if lesion_voxels == values.size:
        return "lesions fill the whole seen brain"
    if values.min() == values.max():
        return "the map has one value in the whole seen brain"
    return "" if values.max() > 0 else "the map has no positive relevance in the seen brain"


def _mask(mask: npt.ArrayLike, shape: tuple[int, ...], name: str) -> BoolArray:
    array = np.asarray(mask)
    if array.shape != shape:
        raise InputError(name, f"its shape {array.shape} is not the map's {shape}", "Resample it onto the map's grid")
    if array.dtype != bool:
        raise InputError(name, f"it holds {array.dtype}, not true and false", "Threshold it first")
    return array
