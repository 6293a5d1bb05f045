"""Maps of where lesions lie: the share of a group's scans with a lesion at each voxel, over their mean brain mask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import matplotlib as mpl
import numpy as np

from pellucid.analysis.averages import mean_map
from pellucid.cohort.store import Store
from pellucid.ground.arrays import Float64Array
from pellucid.image.grid import Grid
from pellucid.report.pictures.brain import Paint, Scene
from pellucid.report.pictures.tiles import Block

OPACITY, GREY = 0.6, 0.5
"""Of the colours, and of the brain mask beneath."""


class LesionMeans(NamedTuple):
    """Mean lesion mask and mean brain mask, (X, Y, Z), of a group's scans that have a lesion mask, and their number."""

    lesions: Float64Array
    brain: Float64Array
    scans: int


def lesion_means(store: Store, rows: Sequence[int], group: str) -> LesionMeans | None:
    """Average the masks of a group's scans among `rows`; None if none has a lesion mask."""
    own = [n for n in rows if store.table["group"].iloc[n] == group and store.lesions(n) is not None]
    if not own:
        return None
    scans = len(own)
    means = (mean_map(stack[n] for n in own).astype(np.float64) for stack in (store.masks, store.brain))
    lesions, brain = (np.rint(scans * mean) / scans for mean in means)  # shares of scans, without float32's last digits
    return LesionMeans(lesions, brain, scans)


def lesion_block(title: str, grid: Grid, means: LesionMeans, centre: Float64Array, limit: float) -> Block:
    """Return a row of planes through `centre`, in colours that end at `limit`."""
    return Block(title, Scene.of(grid, GREY * means.brain, means.lesions), [centre], hot(limit))


def hot(limit: float) -> Paint:
    """Paint shares of scans from 0, transparent, to `limit` in the colours `hot`, opacity 0.6."""

    def paint(values: Float64Array) -> Float64Array:
        share = np.clip(values / (limit or 1.0), 0.0, 1.0)
        rgba = np.asarray(mpl.colormaps["hot"](share), dtype=np.float64)
        rgba[..., 3] = np.where(values > 0, OPACITY, 0.0)
        return rgba

    return paint
