"""What a kind of baseline is: its features, its fit, and what it needs and says of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pellucid.cohort.store import Store
from pellucid.ground.arrays import IndexArray
from pellucid.image.scaling import Scaling
from pellucid.training.baselines.features import Features
from pellucid.training.baselines.search import Data, Fit, Tick
from pellucid.training.baselines.settings import BaselineSettings


def _nothing(settings: BaselineSettings) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineKind:
    """A kind of baseline under one protocol.

    Parameters
    ----------
    features
        Returns the features of all scans of a store; only those of the rows that are given are read or counted.
    fit
        Fits to `Data.fit` and predicts all rows; the tick is called after each chunk of voxels read.
    words
        Says of settings (as JSON types) and of what the scans are (`prepared`) what it is, after `Baseline NAME is`.
    log_odds
        Whether the sigmoid of its decision value is a probability: not of a support vector machine's margin.
    needs
        The columns of a cohort's table that settings make it read.
    scalings
        The scalings of images that it can work on; all if None.
    """

    features: Callable[[Store, BaselineSettings, IndexArray], Features]
    fit: Callable[[Data, Features, BaselineSettings, Tick], Fit]
    words: Callable[[Mapping[str, Any], str], str]
    log_odds: bool
    needs: Callable[[BaselineSettings], tuple[str, ...]] = _nothing
    scalings: tuple[Scaling, ...] | None = None
