"""What a visit leaves behind: the names of its files, and how each is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pellucid.bids import naming
from pellucid.bids.prepared import SPACE
from pellucid.ground.arrays import AnyArray
from pellucid.image.grid import Affine, Grid
from pellucid.image.nifti import Space, write_volume
from pellucid.preprocess.inputs import Visit
from pellucid.preprocess.itk import write_transform

LOGS = "logs"

_TEMPLATE = f"https://templateflow.s3.amazonaws.com/tpl-{SPACE}/tpl-{SPACE}_res-01_T1w.nii.gz"


class File(NamedTuple):
    """How a file is called, and what it holds."""

    suffix: str
    extension: str
    entities: dict[str, str]
    description: str


def _native(suffix: str, description: str, **named: str) -> File:
    return File(suffix, ".nii.gz", named, description)


def _mni(suffix: str, description: str, **named: str) -> File:
    return File(suffix, ".nii.gz", {"space": SPACE, **named}, description)


def _transform(source: str, target: str) -> File:
    named = {"from": source, "to": target, "mode": "image"}
    return File(
        "xfm", ".txt", named, f"Takes points of {target} to {source}; resamples images of {source} onto {target}"
    )


FILES = {
    "t1w": _native("T1w", "T1w, cropped, bias field removed", desc="preproc"),
    "t1w_brain": _native("mask", "Brain of the T1w", desc="brain"),
    "flair": _native("FLAIR", "FLAIR, cropped, bias field removed", desc="preproc"),
    "flair_brain": _native("mask", "Brain of the FLAIR", space="FLAIR", desc="brain"),
    "t1w_to_mni": _transform("T1w", SPACE),
    "flair_to_t1w": _transform("FLAIR", "T1w"),
    "flair_to_mni": _transform("FLAIR", SPACE),
    "t1w_mni": _mni("T1w", "T1w, 0 outside the brain", desc="brain"),
    "flair_mni": _mni("FLAIR", "FLAIR, 0 outside the brain", desc="brain"),
    "brain_mni": _mni("mask", "Brain", desc="brain"),
    "lesions_mni": _mni("mask", "Lesions", label="lesion"),
    "csf": _mni("probseg", "Probability of cerebrospinal fluid", label="CSF"),
    "grey": _mni("probseg", "Probability of grey matter", label="GM"),
    "white": _mni("probseg", "Probability of white matter", label="WM"),
    "filled_mni": _mni("FLAIR", "FLAIR with its lesions filled, 0 outside the brain", desc="filled"),
    "t1w_network": _mni("T1w", "T1w as the network's input", res="network", desc="brain"),
    "flair_network": _mni("FLAIR", "FLAIR as the network's input", res="network", desc="brain"),
    "filled_network": _mni("FLAIR", "Filled FLAIR as the network's input", res="network", desc="filled"),
}
"""Every file of a visit, by its key."""

_PROBABILITIES = ("csf", "grey", "white")
_STEPS = 255  # of a probability, as uint8


@dataclass(frozen=True, slots=True)
class Outputs:
    """The files of one visit in the derivative dataset `root`."""

    root: Path
    visit: Visit

    def path(self, key: str) -> Path:
        """Return where the file of that key lies."""
        file = FILES[key]
        name = naming.file_name(
            self.visit.participant, self.visit.session, file.suffix, file.extension, **file.entities
        )
        return self.root / self.visit.folder / "anat" / name

    @property
    def record(self) -> Path:
        """Where it is written down what was done and measured."""
        return self.root / LOGS / f"{self.visit.name}.json"

    @property
    def page(self) -> Path:
        """The page of quality control."""
        return self.root / f"{self.visit.name}.html"

    def write(self, key: str, data: AnyArray, grid: Grid, *, sources: Sequence[str], **sidecar: Any) -> None:
        """Write an image with its sidecar. Masks become uint8; probabilities uint8 with a scale of 1/255.

        `sources` are BIDS URIs.
        """
        file = FILES[key]
        space: Space = "MNI" if file.entities.get("space") == SPACE else "scanner"
        content = {"Description": file.description, "Sources": sorted(sources), **sidecar}
        if space == "MNI":
            content["SpatialReference"] = _TEMPLATE
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

    def leftovers(self) -> Iterator[Path]:
        """Yield what killed writers of this visit's files may have left beside them, and nothing of another visit's."""
        yield from (self.root / self.visit.folder / "anat").glob(".*")
        for path in (self.record, self.page):
            yield from path.parent.glob(f".*-{path.name}")
