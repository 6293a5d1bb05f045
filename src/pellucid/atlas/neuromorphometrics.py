"""Neuromorphometrics: its 136 labels' names, and the 68 areas that Eitel 2019 merged them to."""

from __future__ import annotations

import re

import pandas as pd

# Where a merged area is more than a left and right pair (FACTS: "Neuromorphometrics merge").
_MERGED = {
    **dict.fromkeys(range(38, 42), "Cerebellum"),  # exterior and white matter
    # deviates: the paper's figure calls these four labels "Inf. Lat. Ventricles".
    **dict.fromkeys(range(49, 53), "Lateral ventricles"),
    **dict.fromkeys(range(71, 74), "Vermal lobules"),
}

_SPELLED_OUT = {"Ventral DC": "Ventral diencephalon", "Thalamus Proper": "Thalamus", "vessel": "Vessel"}

_SIDE = re.compile(r"^(?:Right|Left) ")
_FIRST_CORTICAL = 100  # from this label on a name reads `Right ACgG anterior cingulate gyrus`


def describe(table: pd.DataFrame) -> pd.DataFrame:
    """Give a table of labels (columns `index` and `name`, words joined by `_` or spaces) true names and merged areas.

    Left and right of a structure make one area; so do the four cerebellar labels, the four of the lateral ventricles
    and the three of the vermis.
    """
    names = [str(name).replace("_", " ") for name in table["name"]]
    areas = [area(int(index), name) for index, name in zip(table["index"], names, strict=True)]
    return table.assign(name=names, area=areas)


def area(index: int, name: str) -> str:
    """Return the merged area of one label.

    >>> area(100, "Right ACgG anterior cingulate gyrus")
    'Anterior cingulate gyrus'
    >>> area(50, "Left Inf Lat Vent")
    'Lateral ventricles'
    """
    if index in _MERGED:
        return _MERGED[index]
    name = _SIDE.sub("", name)
    if name in _SPELLED_OUT:
        return _SPELLED_OUT[name]
    if index >= _FIRST_CORTICAL:
        _, _, words = name.partition(" ")  # the abbreviation goes
        return words[0].upper() + words[1:]
    return name if name.isupper() else name.capitalize()
