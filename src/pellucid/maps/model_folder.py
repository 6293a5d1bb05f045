"""Where a model lies that a user names: by its folder, by one of its files, or by its arm."""

from __future__ import annotations

import re
from pathlib import Path

from pellucid.ground.errors import InputError
from pellucid.ground.files import read_json
from pellucid.ground.words import some

SELECTED = "selected.json"
MODEL_FILES = ("model.safetensors", "model.json")


def find_model(path: Path) -> Path:
    """Return a model's folder, named by itself, by one of its files, or by its arm, whose selected trial it then is.

    Raises
    ------
    InputError
        There is no such folder, it says no trial, or it holds several models: a run's, which are then named.
    """
    if path.is_file() and path.name in MODEL_FILES:
        return path.parent
    if not path.exists():
        raise InputError(path, "the folder of the model does not exist", "Check the path")
    if (path / SELECTED).is_file():
        content = read_json(path / SELECTED)
        trial = content.get("trial") if isinstance(content, dict) else None
        if not isinstance(trial, str) or not re.fullmatch(r"trial-\d+", trial):
            raise InputError(
                path / SELECTED, "does not name a trial", f"Give one of the arm's folders, such as {path / 'trial-00'}"
            )
        return path / trial
    if not any((path / name).exists() for name in MODEL_FILES):
        below = (path / "models", path)
        inside = [found for root in below for found in sorted(root.glob("*")) if _is_model(found)]
        if inside:
            raise InputError(
                path,
                "there is no model.json, because it contains several models",
                f"Give one of them: {some(map(str, inside), 5)}",
            )
    return path


def _is_model(path: Path) -> bool:
    """Tell whether a folder is a model's, or that of an arm with trials."""
    return path.is_dir() and any((path / name).exists() for name in (*MODEL_FILES, SELECTED, "trial-00"))
