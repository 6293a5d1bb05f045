"""The sidecar of a relevance map, ours or another tool's, read and known to make sense."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pellucid.ground.errors import InputError, brief
from pellucid.ground.files import read_json
from pellucid.image.grid import Grid
from pellucid.image.nifti import sidecar_path
from pellucid.image.prepare import RESAMPLINGS
from pellucid.image.scaling import SCALINGS

_SHAPE = {
    "Method?": str,
    "Model?": (str, [str]),
    "Sources?": [str],
    "SourceSha256?": str,
    "Grid?": dict,
    "SourceGrid?": dict,
    "Images?": str,
    "Scaling?": str,
    "Resampling?": str,
    "Logit?": float,
    "Ledger?": [dict],
    "Alarms?": [str],
    "Sums?": {"GrossPerLogit?": float},
    "Group?": str,
    "Scans?": int,
    "AlarmedMaps?": int,
    "NetworkScale?": str,
    "FieldOfView?": {"Stops": [int], "SeenShare?": float, "Grid?": dict},
}
_FIX = "Mend the sidecar, or take it away: the map can be judged without it"


def read_sidecar(path: Path) -> dict[str, Any]:
    """Return what stands in the sidecar of the map at `path`, without what is null; nothing if there is none.

    What `pellucid.maps.maps.describe_map` and `describe_source` write may be missing, and is else as they write it.
    Other keys are anything.

    Raises
    ------
    InputError
        It is no JSON, or one of those keys is of another kind, or says what cannot be.
    """
    file = path if path.suffix == ".json" else sidecar_path(path)
    if not file.is_file():
        return {}
    said: dict[str, Any] = {key: value for key, value in read_json(file, _SHAPE).items() if value is not None}
    view = said.get("FieldOfView", {})
    grids = {key: said.get(key) for key in ("Grid", "SourceGrid")} | {"FieldOfView.Grid": view.get("Grid")}
    for key, grid in grids.items():
        if grid is not None:
            try:
                Grid.from_json(grid)
            except ValueError as error:
                raise InputError(file, f"its `{key}` is no grid: {error}", _FIX) from None
    if view and (len(view["Stops"]) != 3 or min(view["Stops"]) < 0):
        raise InputError(file, f"its `FieldOfView.Stops` is {brief(view['Stops'], 40)}, not three counts", _FIX)
    for key, known in (("Scaling", tuple(SCALINGS)), ("Resampling", RESAMPLINGS)):
        if said.get(key, known[0]) not in known:
            raise InputError(file, f"its `{key}` is {brief(repr(said[key]), 40)}, not one of {', '.join(known)}", _FIX)
    return said
