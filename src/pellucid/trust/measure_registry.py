"""Measures of how a map finds lesions, by name, and how one is registered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from pellucid.ground.arrays import AnyArray, BoolArray
from pellucid.ground.registry import Registry
from pellucid.trust.ranks import RankMeasures, rank_measures


@dataclass(frozen=True, kw_only=True)
class SeenBrain:
    """A map within the seen brain of a scan that has a lesion there, and not nothing else.

    Parameters
    ----------
    relevance
        The map's values, (n,), finite, not all the same, some above 0.
    lesion
        Which voxels are lesion, (n,), bool; some and not all.
    """

    relevance: AnyArray
    lesion: BoolArray

    @cached_property
    def ranks(self) -> RankMeasures:
        """What the order of the voxels says; sorted once for all measures."""
        return rank_measures(self.relevance, self.lesion)


Measured = Callable[[SeenBrain], float]
Ceiling = Callable[[int, int], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A measure of a map against lesions.

    Parameters
    ----------
    measure
        The function that computes it; its docstring has the formula.
    title
        What it is called in a table, in small letters.
    meaning
        One sentence on it for the report, for whoever does not know it.
    better
        Whether a map is better the `more` it has or the `less`.
    ceiling
        The most that a map of these voxels can have, as a function of how many there are and how many of them are
        lesion: a column NAME_ceiling. None where that is `most`.
    least, most
        Between which it lies whatever the map and the lesions are.
    summary
        What is usual over people: the `median`, or, of what is 0 or 1 of most of them, the `mean`, a share.
    digits
        After the point, in a terminal.
    """

    measure: Measured
    title: str
    meaning: str
    better: Literal["more", "less"] = "more"
    ceiling: Ceiling | None = None
    least: float = 0.0
    most: float = 1.0
    summary: Literal["median", "mean"] = "median"
    digits: int = 3


MEASURES: Registry[Measure] = Registry("lesion measure")
"""Every measure by name: a column of the tables of lesions, a row of the comparisons with nulls."""


def lesion_measure(
    name: str,
    *,
    title: str,
    meaning: str,
    better: Literal["more", "less"] = "more",
    ceiling: Ceiling | None = None,
    least: float = 0.0,
    most: float = 1.0,
    summary: Literal["median", "mean"] = "median",
    digits: int = 3,
) -> Callable[[Measured], Measured]:
    """Register the function below as a measure; parameters as in `Measure`.

    It is given a `SeenBrain` and returns a number; what cannot be measured is NaN.

    Raises
    ------
    InputError
        If the name is taken or is none (`Registry.register`).
    """

    def register(measure: Measured) -> Measured:
        entry = Measure(
            measure=measure,
            title=title,
            meaning=meaning,
            better=better,
            ceiling=ceiling,
            least=least,
            most=most,
            summary=summary,
            digits=digits,
        )
        MEASURES.register(name, entry)
        return measure

    return register
