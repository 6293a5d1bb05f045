"""BIDS by its names: what a file's name says, where a visit's images lie, and how a dataset describes itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pellucid
from pellucid.files import read_json

VERSION = "1.10.0"

ENTITIES = (
    *("sub", "ses", "sample", "task", "acq", "ce", "rec", "dir", "run", "echo", "flip", "inv", "part", "proc", "hemi"),
    *("space", "split", "chunk", "seg", "res", "den", "label", "from", "to", "mode", "desc"),
)
"""Entities in the order in which a file's name gives them."""

_LONG = {
    "subject": "sub",
    "session": "ses",
    "acquisition": "acq",
    "ceagent": "ce",
    "reconstruction": "rec",
    "direction": "dir",
    "resolution": "res",
    "description": "desc",
}
"""What pybids, and so the filter files that people have, calls them."""

PARTICIPANT = re.compile(r"sub-[0-9A-Za-z]+")
_PAIR = re.compile(r"([a-z]+)-([0-9A-Za-z+]+)")


def entities(path: Path) -> dict[str, str]:
    """Return what a file's name says, its suffix included.

    >>> entities(Path("sub-01_acq-3d_FLAIR.nii.gz"))
    {'sub': '01', 'acq': '3d', 'suffix': 'FLAIR'}
    """
    parts = path.name.split(".")[0].split("_")
    pairs = (_PAIR.fullmatch(part) for part in parts)
    return {pair.group(1): pair.group(2) for pair in pairs if pair} | {"suffix": parts[-1]}


def file_name(participant: str, session: str | None, suffix: str, extension: str, **named: str) -> str:
    """Return a file's name, its entities in their order: the opposite of `entities`.

    >>> file_name("sub-01", "ses-2", "mask", ".nii.gz", label="lesion", space="T1w")
    'sub-01_ses-2_space-T1w_label-lesion_mask.nii.gz'
    """
    ordered = sorted(named.items(), key=lambda item: ENTITIES.index(item[0]))
    parts = [participant, *([session] if session else []), *(f"{key}-{value}" for key, value in ordered), suffix]
    return "_".join(parts) + extension


def participants(root: Path) -> list[str]:
    """Return the participants that have a folder, sorted."""
    return sorted(p.name for p in root.glob("sub-*") if p.is_dir() and PARTICIPANT.fullmatch(p.name))


def visits(root: Path, participant: str) -> list[tuple[str | None, Path]]:
    """Return a participant's sessions (None where there are none) and their folders of anatomical images, sorted."""
    folder = root / participant
    found: list[tuple[str | None, Path]] = [(None, folder / "anat")] if (folder / "anat").is_dir() else []
    return found + [(anat.parent.name, anat) for anat in sorted(folder.glob("ses-*/anat")) if anat.is_dir()]


def images(folder: Path, wanted: Mapping[str, Any]) -> list[Path]:
    """Return the NIfTI files in `folder` whose names say what is `wanted`, sorted.

    `wanted` maps entities (short as in names or long as in pybids; `suffix` counts as one) to a value, a list of
    values, or None for "must not be there".
    """
    return sorted(path for path in [*folder.glob("*.nii"), *folder.glob("*.nii.gz")] if _says(path, wanted))


def _says(path: Path, wanted: Mapping[str, Any]) -> bool:
    said = entities(path)
    for key, value in wanted.items():
        found = said.get(_LONG.get(key, key))
        if value is None:
            if found is not None:
                return False
        elif found not in ([str(v) for v in value] if isinstance(value, (list, tuple)) else [str(value)]):
            return False
    return True


def is_derivative(root: Path) -> bool:
    """Tell whether a dataset says that it is a derivative one."""
    path = root / "dataset_description.json"
    return path.is_file() and read_json(path).get("DatasetType") == "derivative"


def description(name: str, kind: str, **more: Any) -> dict[str, Any]:
    """Return the content of a dataset_description.json; `kind` is raw or derivative."""
    return {
        "Name": name,
        "BIDSVersion": VERSION,
        "DatasetType": kind,
        "GeneratedBy": [{"Name": "Pellucid", "Version": pellucid.__version__}],
        **more,
    }


def without_prefix(labels: Iterable[str], prefix: str) -> list[str]:
    """Return labels with their prefix, given with or without it: `01` and `sub-01` are both `sub-01`."""
    return [label if label.startswith(prefix) else prefix + label for label in labels]
