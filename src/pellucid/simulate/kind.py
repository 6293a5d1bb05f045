"""What tells one kind of simulated cohort from another: who takes part, what is scanned, and what differs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pellucid.ground.arrays import BoolArray, Float32Array
from pellucid.simulate.anatomy import Anatomy
from pellucid.simulate.contrast import Tissues
from pellucid.simulate.deformation import Warp
from pellucid.simulate.people import Person
from pellucid.simulate.subject import Traits


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """A participant's head at one visit, and the random numbers of its lesions and of the scanner."""

    person: Person
    traits: Traits
    anatomy: Anatomy
    tissues: Tissues
    warp: Warp
    rng: np.random.Generator
    scanner: np.random.Generator


@dataclass(frozen=True, slots=True, eq=False)
class Scans:
    """What is scanned at one visit.

    Parameters
    ----------
    images
        By modality, (X, Y, Z) in the anatomy's box.
    lesions
        The lesion mask, if the kind has lesions.
    noted
        What the participant's truth says of the visit beside age and traits.
    """

    images: Mapping[str, Float32Array]
    lesions: BoolArray | None = None
    noted: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What differs between the groups, what is the same in both, and the maps of where, by name."""

    differs: Mapping[str, Mapping[str, Any]]
    same: Mapping[str, Mapping[str, Any]]
    maps: Mapping[str, Float32Array]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of cohort; its functions take its own settings.

    Parameters
    ----------
    disease
        What its patients have.
    sessions
        Whether participants may have several visits, and scans lie in folders of sessions.
    lesions
        Whether there are lesion masks, and their volumes in participants.tsv.
    people
        Draws everybody.
    scans
        Scans a head.
    truth
        What is true of the cohort, on the average brain.
    """

    disease: str
    sessions: bool
    lesions: bool
    people: Callable[[Any], list[Person]]
    scans: Callable[[Any, Head], Scans]
    truth: Callable[[Any, Anatomy], Truth]
