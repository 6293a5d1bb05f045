"""What an earlier call left in a folder of results: gone on with row by row, or refused if it is of something else."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pellucid.ground.errors import InputError
from pellucid.ground.files import read_json, read_tsv, write_tsv
from pellucid.ground.words import one_cell
from pellucid.maps.sidecars import source_of

PREDICTIONS = "predictions.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """The results that a folder holds.

    Parameters
    ----------
    folder
        Where they are.
    description
        The content of their predictions.json; empty where there are none.
    names
        What the outputs of earlier inputs are called, by the input's path.
    rowless
        Those of the inputs that have a map and no row: the call that made it was killed before it wrote tables.
    """

    folder: Path
    description: dict[str, Any]
    names: dict[Path, str]
    rowless: tuple[Path, ...] = ()

    def described(self, description: Mapping[str, Any], done: Collection[str]) -> dict[str, Any]:
        """Return a new description with the earlier predictions before its own, but for the images in `done`."""
        before = [row for row in self.description.get("Predictions", []) if row.get("image") not in done]
        return {**self.description, **description, "Predictions": before + list(description["Predictions"])}


def open_earlier(folder: Path, made_by: Mapping[str, Any]) -> Earlier:
    """Return what an earlier call left in a folder, if it was made by the same.

    Parameters
    ----------
    folder
        The folder of results; it need not exist.
    made_by
        What decides the results besides the scan, such as `ModelSha256` and `Methods`, as the keys of predictions.json.

    Raises
    ------
    InputError
        The results there were made by another model, method or setting, or are damaged: two kinds in one folder could
        not be told apart.
    """
    path = folder / PREDICTIONS
    if folder.exists() and not folder.is_dir():
        raise InputError(folder, "is a file, and results need a folder", "Name another --out")
    names = _names(folder)
    if not path.is_file():
        return Earlier(folder=folder, description={}, names=names, rowless=tuple(names))
    description = read_json(path)
    rows = description.get("Predictions") if isinstance(description, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(path, "the file does not describe predictions", "Name another --out, or remove it")
    asked = json.loads(json.dumps(dict(made_by)))
    for key, value in asked.items():
        if key in description and description[key] != value:
            what, (old, new) = _WORDS.get(key, key), (_short(key, one) for one in (description[key], value))
            said = f"it contains results of another {what} ({old}, now {new})"
            raise InputError(folder, said, "Name another --out, or remove the folder")
    known = {Path(str(row.get("image"))).resolve() for row in rows}
    rowless = tuple(path for path in names if path not in known)
    return Earlier(folder=folder, description=description, names=names, rowless=rowless)


def merged(path: Path, table: pd.DataFrame, *, key: str, done: Collection[str]) -> pd.DataFrame:
    """Return a table behind the rows that the file `path` holds already, but for those whose `key` is in `done`."""
    if not path.is_file():
        return table
    before = read_tsv(path)
    if key not in before:
        raise InputError(
            path, f"has no column {key!r}, so Pellucid did not write it", "Name another --out, or remove it"
        )
    before = before[~before[key].isin([one_cell(name) for name in done])]  # as the file has them
    if before.empty:
        return table
    return before if table.empty else pd.concat([before, table], ignore_index=True)


def write_tables(
    folder: Path, tables: Mapping[str, Sequence[pd.DataFrame]], *, key: str, done: Collection[str]
) -> list[Path]:
    """Write each table as NAME.tsv behind an earlier call's rows, as `merged` does; return those that have rows.

    A table without rows is removed.
    """
    written = []
    for name, parts in tables.items():
        path = folder / f"{name}.tsv"
        full = [part for part in parts if not part.empty]
        if full or path.is_file():
            table = pd.concat(full, ignore_index=True) if full else pd.DataFrame()
            whole = merged(path, table, key=key, done=done)
            if whole.empty:
                path.unlink(missing_ok=True)
            else:
                write_tsv(path, whole)
                written.append(path)
    return written


_WORDS = {
    "ModelSha256": "model",
    "Methods": "set of methods",
    "Atlas": "atlas",
}


def _short(key: str, value: Any) -> str:
    """Return a value for an error; of methods their names, which have the parameters that are not as by default."""
    if key == "Methods" and isinstance(value, dict):
        return ", ".join(value)
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 24 else f"{text[:12]}..."


def _names(folder: Path) -> dict[Path, str]:
    """Return the names of the maps in a folder by the scans that their sidecars name."""
    found = {}
    for path in sorted(folder.glob("*_relevance.nii.gz")):
        if (source := source_of(path)) is not None:
            found[source.resolve()] = path.name.rpartition("_space-")[0]
    return found
