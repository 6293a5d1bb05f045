"""A preprocessed visit as quality control sees it: its record, its images, and why an image is not there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.ground.errors import InputError
from pellucid.image.nifti import Volume, read_mask, read_volume

WORDS = {
    "t1w": "T1w on its own grid, bias-corrected",
    "t1w_brain": "brain mask on the T1w",
    "flair": "FLAIR on its own grid, bias-corrected",
    "flair_brain": "brain mask on the FLAIR",
    "t1w_to_mni": "transform from the T1w to MNI space",
    "flair_to_t1w": "transform from the FLAIR to the T1w",
    "flair_to_mni": "transform from the FLAIR to MNI space",
    "t1w_mni": "T1w in MNI space",
    "flair_mni": "FLAIR in MNI space",
    "brain_mni": "brain mask in MNI space",
    "lesions_mni": "lesion mask in MNI space",
    "csf": "probability of fluid in MNI space",
    "grey": "probability of grey matter in MNI space",
    "white": "probability of white matter in MNI space",
    "filled_mni": "FLAIR with filled lesions in MNI space",
    "t1w_network": "T1w as the network's input",
    "flair_network": "FLAIR as the network's input",
    "filled_network": "FLAIR with filled lesions as the network's input",
}
"""What each file of a record is."""

TISSUES = ("csf", "grey", "white")
_MASKS = ("t1w_brain", "flair_brain", "brain_mni", "lesions_mni")
_NEEDS = {
    **{key: role for role in ("t1w", "flair") for key in (role, f"{role}_brain", f"{role}_mni", f"{role}_network")},
    "lesions_mni": "lesions",
    "filled_mni": "flair",
    "filled_network": "flair",
}
_ROLES = {"t1w": "T1w", "flair": "FLAIR", "lesions": "lesion mask"}


@dataclass
class Source:
    """One visit of the derivative dataset `root`, told by its `record`; images are read when asked for, once."""

    root: Path
    record: Mapping[str, Any]
    _volumes: dict[str, Volume] = field(default_factory=dict)
    _problems: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The visit as file names begin."""
        return str(self.record["visit"])

    @property
    def log(self) -> str:
        """Where the record lies in the dataset."""
        return f"logs/{self.name}.json"

    def file(self, key: str) -> str | None:
        """Return the file of that key, from the dataset's root, if it is there."""
        path = self.record.get("files", {}).get(key)
        return str(path) if path and (self.root / path).is_file() else None

    def files(self, *keys: str) -> list[str]:
        """Return the files of those keys that are there."""
        return [path for key in keys if (path := self.file(key))]

    def volume(self, key: str) -> Volume | None:
        """Return the image of that key; None if it is not there or cannot be read. A mask is 0 and 1."""
        path = self.file(key)
        if path and key not in self._volumes and key not in self._problems:
            try:
                if key in _MASKS:
                    mask = read_mask(self.root / path)
                    self._volumes[key] = Volume(mask.data.astype(np.float32), mask.grid, mask.path)
                else:
                    self._volumes[key] = read_volume(self.root / path)
            except InputError as error:
                self._problems[key] = f"its file cannot be read: {error.what}"
        return self._volumes.get(key)

    def absent(self, key: str) -> str:
        """Say that an image is not shown, and why."""
        return f"Not shown: {WORDS[key]}; {self._why(key)}."

    def has_input(self, role: str) -> bool:
        """Tell whether the visit had a file of that role."""
        return any(given.get("role") == role for given in self.record.get("inputs", []))

    def skipped(self, step: str) -> bool:
        """Tell whether a step was not wanted."""
        return step in self.record.get("settings", {}).get("skip", [])

    def _why(self, key: str) -> str:
        if key in self._problems:
            return self._problems[key]
        if path := self.record.get("files", {}).get(key):
            return f"the file {path} no longer exists"
        if self.record.get("state") == "failed":
            return "the visit failed before it was made"
        if self.record.get("state") == "running":
            return "the visit is unfinished"
        role = _NEEDS.get(key, "")
        if role and not self.has_input(role):
            return f"the visit has no {_ROLES[role]}"
        if key in TISSUES:
            if self.has_input(key):
                return "tissue maps come from another dataset and are not part of this one"
            if self.skipped("tissue"):
                return "tissue was skipped"
        if key.startswith("filled"):
            if self.skipped("filling"):
                return "lesion filling was skipped"
            if not self.has_input("lesions"):
                return "the visit has no lesion mask"
            if self.skipped("tissue"):
                return "lesion filling needs tissue maps, and the step tissue was skipped"
        if key.endswith("network") and self.skipped("network"):
            return "the network's input was skipped"
        return "the record does not name such a file"
