"""How bright each structure is on FLAIR, relative to white matter: the mean over people, drawn anew for each scan.

Nothing but lesions may be recognisable by its brightness alone, so every structure and every gyrus has its own.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pellucid.ground.arrays import Float32Array

NUCLEI: dict[str, float] = {
    "Thalamus": 1.03,
    "Caudate": 1.13,
    "Putamen": 1.09,
    "Pallidum": 0.88,
    "Accumbens": 1.24,
    "Hippocampus": 1.20,
    "Amygdala": 1.24,
    "Ventral DC": 1.0,
    "Basal Forebrain": 1.05,
    "Brain Stem": 1.01,
    "Cerebellum White Matter": 0.98,
}
"""Whole structures, by words of their Neuromorphometrics name: all their tissue is as bright as this.

Medians over six real FLAIRs (five patients of Lesjak 2016 and 2017, one head without lesions), registered by an affine.
"""

CORTEX: dict[str, float] = {
    "insula": 1.06,
    "anterior cingulate": 1.06,
    "middle cingulate": 1.04,
    "subcallosal": 1.06,
    "medial frontal": 1.04,
    "entorhinal": 1.04,
    "postcentral": 0.96,
    "calcarine": 0.96,
    "lingual": 0.96,
    "Cerebellum Exterior": 0.97,
    "Vermal": 0.96,
}
"""Grey matter of some areas, relative to the cortex's mean; 1 elsewhere."""

_SD = 0.06  # of a structure among scans; left and right of one scan differ by half of that


def structure_brightness(rng: np.random.Generator, regions: pd.DataFrame) -> tuple[Float32Array, Float32Array]:
    """Draw a scan's brightness of every label: of all tissue (NaN where there is none of its own), and of grey matter.

    Parameters
    ----------
    rng
        Of the scan.
    regions
        Labels and names: columns `index` and `name`.

    Returns
    -------
    nucleus, cortex
        Tables to be indexed by label, each (largest label + 1,).
    """
    size = int(regions["index"].max()) + 1
    nucleus, cortex = np.full(size, np.nan, dtype=np.float32), np.ones(size, dtype=np.float32)
    names = [str(name).replace("Right ", "").replace("Left ", "") for name in regions["name"]]
    shared = {name: rng.normal(0.0, _SD) for name in sorted(set(names))}
    for label, name in zip(regions["index"], names, strict=True):
        change = shared[name] + rng.normal(0.0, _SD / 2.0)
        whole = [value for word, value in NUCLEI.items() if word in name]
        if whole:
            nucleus[label] = whole[0] + change
        else:
            cortex[label] = next((value for word, value in CORTEX.items() if word in name), 1.0) + change
    return nucleus, cortex
