"""What a visit leaves behind: the names of its files, and how each is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid import bids
from pellucid.image.grid import Affine, Grid
from pellucid.image.nifti import Space, write_volume
from pellucid.preprocess.inputs import MNI, Visit
from pellucid.preprocess.itk import write_transform

LOGS = "logs"

FILES: dict[str, tuple[str, str, dict[str, str]]] = {
    "t1w": ("T1w", ".nii.gz", {"desc": "preproc"}),
    "t1w_brain": ("mask", ".nii.gz", {"desc": "brain"}),
    "flair": ("FLAIR", ".nii.gz", {"desc": "preproc"}),
    "flair_brain": ("mask", ".nii.gz", {"space": "FLAIR", "desc": "brain"}),
    "t1w_to_mni": ("xfm", ".txt", {"from": "T1w", "to": MNI, "mode": "image"}),
    "flair_to_t1w": ("xfm", ".txt", {"from": "FLAIR", "to": "T1w", "mode": "image"}),
    "flair_to_mni": ("xfm", ".txt", {"from": "FLAIR", "to": MNI, "mode": "image"}),
    "t1w_mni": ("T1w", ".nii.gz", {"space": MNI, "desc": "brain"}),
    "flair_mni": ("FLAIR", ".nii.gz", {"space": MNI, "desc": "brain"}),
    "brain_mni": ("mask", ".nii.gz", {"space": MNI, "desc": "brain"}),
    "lesions_mni": ("mask", ".nii.gz", {"space": MNI, "label": "lesion"}),
    "csf": ("probseg", ".nii.gz", {"space": MNI, "label": "CSF"}),
    "grey": ("probseg", ".nii.gz", {"space": MNI, "label": "GM"}),
    "white": ("probseg", ".nii.gz", {"space": MNI, "label": "WM"}),
    "filled_mni": ("FLAIR", ".nii.gz", {"space": MNI, "desc": "filled"}),
    "t1w_network": ("T1w", ".nii.gz", {"space": MNI, "res": "network", "desc": "brain"}),
    "flair_network": ("FLAIR", ".nii.gz", {"space": MNI, "res": "network", "desc": "brain"}),
    "filled_network": ("FLAIR", ".nii.gz", {"space": MNI, "res": "network", "desc": "filled"}),
}
"""Every file of a visit by its key: suffix, extension, entities."""

_PROBABILITIES = ("csf", "grey", "white")
_STEPS = 255  # of a probability, as uint8


@dataclass(frozen=True, slots=True)
class Outputs:
    """The files of one visit in the derivative dataset `root`."""

    root: Path
    visit: Visit

    def path(self, key: str) -> Path:
        """Return where the file of that key lies."""
        suffix, extension, named = FILES[key]
        name = bids.file_name(self.visit.participant, self.visit.session, suffix, extension, **named)
        return self.root / self.visit.folder / "anat" / name

    @property
    def record(self) -> Path:
        """Where it is written down what was done and measured."""
        return self.root / LOGS / f"{self.visit.name}.json"

    @property
    def page(self) -> Path:
        """The page of quality control."""
        return self.root / f"{self.visit.name}.html"

    def write(self, key: str, data: npt.NDArray[Any], grid: Grid, *, sources: Sequence[str], **sidecar: Any) -> None:
        """Write an image with its sidecar. Masks become uint8; probabilities uint8 with a scale of 1/255.

        `sources` are BIDS URIs.
        """
        content = {"Sources": sorted(sources), **sidecar}
        space: Space = "MNI" if MNI in self.path(key).name else "scanner"
        if key in _PROBABILITIES:
            steps = np.rint(data * _STEPS).astype(np.uint8)
            write_volume(self.path(key), steps, grid, np.uint8, sidecar=content, space=space, slope=1.0 / _STEPS)
        else:
            dtype = np.uint8 if data.dtype == np.bool_ else np.float32
            write_volume(self.path(key), data, grid, dtype, sidecar=content, space=space)

    def write_transform(self, key: str, matrix: Affine) -> None:
        """Write a transform in ITK's format."""
        write_transform(self.path(key), matrix)

    def existing(self) -> dict[str, str]:
        """Return the files that are there, by key, as paths from the dataset's root."""
        paths = {key: self.path(key) for key in FILES}
        return {key: str(path.relative_to(self.root)) for key, path in paths.items() if path.is_file()}
