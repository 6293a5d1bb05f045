"""How many scans there will be of a study."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from pellucid.simulate.kinds import people_of
from pellucid.spec.spec import Spec


class Sizes(NamedTuple):
    """Scans of a cohort: all, and those that one division holds out."""

    scans: int
    holdout: int


def cohort_sizes(spec: Spec, name: str, scans: Mapping[str, int]) -> Sizes:
    """Return how many scans a cohort has, and about how many are held out; `scans` are those of datasets."""
    simulate, how = spec.cohorts[name].simulate, spec.splits[name]
    drawn = people_of(simulate) if simulate else []
    total = sum(len(person.ages) for person in drawn) if simulate else scans[name]
    people = len(drawn) if simulate else total
    if how.scheme == "cross-validation":
        held: float = round(people / how.folds)
    else:
        # A share or a whole number of people, as `pellucid.cohort.splits.split` takes it.
        held = how.holdout if isinstance(how.holdout, int) else math.floor(how.holdout * people + 0.5)
    return Sizes(total, round(held * total / max(people, 1)))
